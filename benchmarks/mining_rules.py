"""Compare rules of which negatives to train on, with many seeds, on features of a frozen backbone."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.shared.spread import cell, spread
from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets.permutation import permuted_index
from mmpolar.evaluation.functional import (
    average_precision,
    point_for_precision,
    point_for_recall,
    pr_curve,
)
from mmpolar.mining.picks import Picker, PickHistory, PickRule
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.tables import write_json

DESCRIPTION = """\
Compare rules of which negatives to train on, with many seeds, on features of a frozen backbone.

What is trained is small: three convolutions that say for each cell of the feature map whether a target
is there. An image's score is that of its highest cell. Positives, pool, test images, rounds and updates are
those of python -m benchmarks.hard_negatives, whose --frozen writes the features. A run takes seconds, so that
rules are compared over many seeds; it says how rules differ, not how good a detector becomes."""
EPILOG = """\
examples:
  python -m benchmarks.hard_negatives --frozen --data data/natural
  python -m benchmarks.mining_rules --features work_dirs/hard_negative_frozen/data/features"""

STRIDE = 16
_CHANNELS = 64
#: As in the config of the experiment.
_RATE, _DECAY, _WARM_UP, _LAST, _CLIP = 0.002, 0.05, 20, 0.05, 20.0
_PER_UPDATE = 16


@dataclass(frozen=True)
class Rule:
    """Which negatives an update shows.

    Attributes:
        meaning: What it is, in words.
        source: ``'mined'``, ``'random'`` or ``'all'``.
        selection: See :class:`mmpolar.mining.picks.Picker`.
        temperature: Likewise.
        num_picks: Picks of a round.
        keep_rounds: Further rounds for which they are kept.
        mined_share: Share of the negatives that are picks, in each round after the first.
        negatives: Negatives in an update, beside 16 positives.
        weight: Of the loss of negatives.
        gamma: Of the focal loss; 0 for binary cross-entropy.
        hardest_cells: So many of the hardest cells for each with a target count; 0 for all.
    """

    meaning: str
    source: str = 'mined'
    selection: str = 'hardest'
    temperature: float = 1.0
    num_picks: int = 256
    keep_rounds: int = 2
    mined_share: tuple[float, ...] = (1.0,)
    negatives: int = _PER_UPDATE
    weight: float = 1.0
    gamma: float = 0.0
    hardest_cells: int = 0


RULES = dict(
    all=Rule('all, mixed in blindly', 'all'),
    random=Rule('K sampled at random, again in each round', 'random'),
    mined=Rule('the hardest K, mined again in each round'),
    mixed=Rule('half the hardest K, half of all', mined_share=(0.5,)),
    quarter=Rule('a quarter the hardest K, the others of all', mined_share=(0.25,)),
    easing=Rule('the hardest K, then half of them, then a quarter', mined_share=(1, 0.5, 0.25)),
    newest=Rule('the hardest K of the newest round alone', keep_rounds=0),
    wide=Rule('the hardest 4 K', num_picks=1024),
    sampled=Rule('K sampled by their score', selection='sampled'),
    softer=Rule('K sampled by the root of their score', selection='sampled', temperature=2.0),
    mixed_sampled=Rule(
        'half K sampled by their score, half of all', selection='sampled', mined_share=(0.5,)
    ),
    weighted=Rule('the hardest K, half the weight on negatives', weight=0.5),
    fewer=Rule('the hardest K, half as many in an update', negatives=8),
    background=Rule('all, one beside eight positives', 'all', negatives=2),
    focal=Rule('all, focal loss', 'all', gamma=2.0),
    ohem=Rule('all, the three hardest cells for each positive one', 'all', hardest_cells=3),
)


@dataclass(frozen=True)
class Images:
    """Features and annotations of images.

    Attributes:
        features: float16 of shape (N, V, C, H, W), V views of each.
        boxes: Targets in each view of each image, xyxy in pixels.
        paths: Of the images.
    """

    features: NDArray[np.float16]
    boxes: list[list[list[list[float]]]]
    paths: list[str]

    @classmethod
    def read(cls, path: Path) -> 'Images':
        """Those that ``--frozen`` wrote, by the stem of the two files."""
        images = json.loads(path.with_suffix('.json').read_text())
        features = np.load(path.with_suffix('.npy'))
        features = features.reshape(len(images), -1, *features.shape[1:])
        return cls(features, [one['boxes'] for one in images], [one['img_path'] for one in images])

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def views(self, indices: Sequence[int], views: Sequence[int]) -> Tensor:
        """Features of one view of each, float32 (B, C, H, W)."""
        return torch.from_numpy(self.features[indices, views].astype(np.float32))


@dataclass(frozen=True)
class Study:
    """The images of the experiment, and how long it trains."""

    positives: Images
    negatives: Images
    pool: Images
    test: Images
    rounds: int
    updates: int


def main(argv: list[str] | None = None) -> None:
    """Do the runs that are not done yet, then write the table of all."""
    args = parse_args(argv)
    torch.set_num_threads(1)
    names = ('positives', 'negatives', 'pool', 'test')
    images = [Images.read(args.features / name) for name in names]
    study = Study(*images, args.rounds, args.updates)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in args.rules}
    for seed in args.seeds:
        for name in args.rules:
            path = args.out / f'{name}-{seed}.npz'
            if not path.is_file():
                train(RULES[name], seed, study, path)
            found[name].append(judge(np.load(path)['test'], study.test, args.recall))
            print(f'{name}-{seed}', found[name][-1], flush=True)
    write_json(args.out / 'results.json', found)
    atomic_write(args.out / 'results.md', table(found, args.recall))
    print((args.out / 'results.md').read_text())


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.mining_rules')
    parser.add_argument('--features', type=Path, required=True, help='folder that --frozen wrote')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/mining_rules'))
    parser.add_argument('--rules', nargs='+', choices=RULES, default=list(RULES))
    parser.add_argument('--seeds', type=int, nargs='+', default=list(range(5)))
    parser.add_argument(
        '--rounds', type=int, default=4, help='the first without mining (default: 4)'
    )
    parser.add_argument('--updates', type=int, default=80, help='in a round (default: 80)')
    parser.add_argument('--recall', type=float, nargs='+', default=[0.8, 0.95])
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def train(rule: Rule, seed: int, study: Study, path: Path) -> None:
    """Train with a rule, and write the scores of the test images and, of each round, of the pool."""
    torch.manual_seed(seed)
    model = cell_model(study.positives.features.shape[2])
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY)
    count = study.rounds * study.updates
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, count))
    picker = Picker(PickRule(num_picks=rule.num_picks), rule.selection, seed, rule.temperature)
    history, mined = PickHistory(rule.keep_rounds), []
    for update in range(count):
        number = update // study.updates
        if rule.source != 'all' and number and update % study.updates == 0:
            mined.append(pick(rule, number, picker, history, model, study.pool))
        optimizer.zero_grad()
        batch_loss(rule, seed, update, number, history.indices(), model, study).backward()
        nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
    np.savez(path, test=scores_of(model, study.test), pool=np.array(mined))


def cell_model(channels: int) -> nn.Sequential:
    """Log odds of a target in each cell of a feature map."""
    last = nn.Conv2d(_CHANNELS, 1, 1)
    nn.init.constant_(last.bias, -4.6)  # a probability of .01
    return nn.Sequential(
        nn.Conv2d(channels, _CHANNELS, 1, bias=False),
        nn.BatchNorm2d(_CHANNELS, momentum=0.03),
        nn.SiLU(),
        nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(_CHANNELS, momentum=0.03),
        nn.SiLU(),
        last,
    )


def rate_at(step: int, count: int) -> float:
    """Factor of the learning rate: a warm-up, then a cosine."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (_LAST + (1 - _LAST) * (1 + np.cos(np.pi * step / count)) / 2)


def pick(
    rule: Rule,
    number: int,
    picker: Picker,
    history: PickHistory,
    model: nn.Module,
    pool: Images,
) -> NDArray[np.float64]:
    """Add the picks of a round to the history; gives the scores of the pool, none for random ones."""
    ranks = picker.tie_ranks(len(pool), number)
    if rule.source == 'random':
        history.add(picker.pick_random(number, ranks, np.zeros(len(pool), bool)))
        return np.zeros(0)
    scores = scores_of(model, pool)
    history.add(picker.pick_hardest(number, ranks, np.arange(len(pool)), scores))
    return scores


@torch.no_grad()
def scores_of(model: nn.Module, images: Images) -> NDArray[np.float64]:
    """Score of each image, (N,); the mode of the model stays."""
    model.eval()
    parts = [
        model(images.views(range(first, min(first + 256, len(images))), 0)).amax((1, 2, 3))
        for first in range(0, len(images), 256)
    ]
    model.train()
    return torch.cat(parts).sigmoid().double().numpy()


def batch_loss(
    rule: Rule,
    seed: int,
    update: int,
    number: int,
    picks: NDArray[np.int64],
    model: nn.Module,
    study: Study,
) -> Tensor:
    """The loss of an update."""
    rng = np.random.default_rng([seed, update])
    slots = update * _PER_UPDATE + np.arange(_PER_UPDATE)
    chosen = [permuted_index(int(slot), len(study.positives), (seed, 0)) for slot in slots]
    views = rng.integers(study.positives.features.shape[1], size=len(chosen))
    shares = rule.mined_share
    share = shares[min(max(number, 1), len(shares)) - 1] if len(picks) else 0.0
    negatives = []
    for slot in (update * rule.negatives + np.arange(rule.negatives)).tolist():
        is_mined = rng.random() < share
        length = len(picks) if is_mined else len(study.negatives)
        position = permuted_index(slot, length, (seed, 1 + is_mined, number * is_mined))
        negatives.append(int(picks[position]) if is_mined else position)
    others = rng.integers(study.negatives.features.shape[1], size=len(negatives))
    odds = model(
        torch.cat([study.positives.views(chosen, views), study.negatives.views(negatives, others)])
    )[:, 0]
    labels = torch.zeros_like(odds)
    for row, (index, view) in enumerate(zip(chosen, views, strict=True)):
        labels[row] = cell_labels(study.positives.boxes[index][view], odds.shape[1:])
    return cell_loss(rule, odds, labels, torch.arange(len(odds)) >= len(chosen))


def cell_labels(boxes: Sequence[Sequence[float]], shape: Sequence[int]) -> Tensor:
    """1 in cells near the centre of a box, -1 in others inside one, 0 elsewhere, of shape (H, W)."""
    height, width = shape
    y = (torch.arange(height)[:, None] + 0.5) * STRIDE
    x = (torch.arange(width)[None] + 0.5) * STRIDE
    labels = torch.zeros(height, width)
    for x0, y0, x1, y1 in boxes:
        labels[((x >= x0) & (x < x1) & (y >= y0) & (y < y1)) & (labels == 0)] = -1
        near_x = (x - (x0 + x1) / 2).abs() <= max(STRIDE / 2, min(1.5 * STRIDE, (x1 - x0) / 2))
        near_y = (y - (y0 + y1) / 2).abs() <= max(STRIDE / 2, min(1.5 * STRIDE, (y1 - y0) / 2))
        labels[near_x & near_y] = 1
    return labels


def cell_loss(rule: Rule, odds: Tensor, labels: Tensor, is_negative: Tensor) -> Tensor:
    """Sum over the cells, per cell with a target; cells labelled -1 do not count."""
    positive = (labels > 0).float()
    losses = functional.binary_cross_entropy_with_logits(odds, positive, reduction='none')
    if rule.gamma:
        wrong = (positive - odds.sigmoid()).abs().detach()
        losses = losses * wrong**rule.gamma * torch.where(positive > 0, 0.25, 0.75)
    losses = losses * torch.where(is_negative, rule.weight, 1.0)[:, None, None]
    count = positive.sum().clamp(min=1)
    others = losses[labels == 0]
    if rule.hardest_cells:
        others = others.topk(min(len(others), int(rule.hardest_cells * count))).values
    return (losses[labels > 0].sum() + others.sum()) / count


def judge(scores: NDArray[np.float64], test: Images, recalls: Sequence[float]) -> dict[str, float]:
    """Metrics of a run."""
    has_target = np.array([len(boxes[0]) > 0 for boxes in test.boxes])
    curve = pr_curve(scores, has_target)
    point = point_for_precision(curve, 0.8)
    alarms = {f'alarms_{r:g}': point_for_recall(curve, r).false_alarms_per_10k for r in recalls}
    recall = point.recall if point.exists else 0.0
    return dict(recall=recall, **alarms, average_precision=average_precision(curve))


def table(found: dict[str, list[dict[str, float]]], recalls: Sequence[float]) -> str:
    """The results in Markdown."""
    alarms = ' | '.join(f'false alarms per 10,000 at recall {r:g}' for r in recalls)
    lines = [
        f'| rule | negatives | recall at precision 0.8 | {alarms} | average precision | runs |',
        '|---' * (5 + len(recalls)) + '|',
    ]
    digits = dict(recall=2, average_precision=3)
    for name, group in found.items():
        values = {key: spread([one[key] for one in group]) for key in group[0]}
        cells = [cell(value, digits.get(key, 0)) for key, value in values.items()]
        lines.append(f'| `{name}` | {RULES[name].meaning} | {" | ".join(cells)} | {len(group)} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
