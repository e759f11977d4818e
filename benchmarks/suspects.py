"""Measure what setting suspects aside is worth when targets hide among the negatives."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from benchmarks.hard_negatives import CONFIGS, call_worker, read_scores
from benchmarks.shared.runs import do_runs, end_if_failed, fingerprint, has_mark
from benchmarks.shared.spread import cell, spread
from mmpolar.cli.arguments import tool_parser
from mmpolar.evaluation.functional import (
    average_precision,
    point_for_precision,
    point_for_recall,
    pr_curve,
)
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.tables import write_json

ARMS = dict(trusting='mined, every negative trusted', suspects='mined, suspects set aside')
PLANTED = 'planted'
#: So much of the pool is taken out of the positives in every run.
LARGEST_SHARE = 0.1
DESCRIPTION = """\
Measure what setting suspects aside is worth when targets hide among the negatives.

Of the training images with a target a part is taken out and planted, without its boxes, in a pool of
negatives, so that it makes up a share of it. A small detector is then trained with negatives mined
from this pool, once trusting all of them and once with suspects set aside. Reported are the share of
the planted images that are suspects in the last round, the share of the true negatives that are, and
how good the detector is on images that it never saw.

The images are those of python -m benchmarks.hard_negatives: make them with
tools/dataset_converters/make_hard_negative_data.py. Runs that are done are not repeated."""
EPILOG = """\
examples:
  python -m benchmarks.suspects --data-root work_dirs/hard_negative/data
  python -m benchmarks.suspects --data-root work_dirs/hard_negative/data --shares 0.05 --seeds 0 1 2"""


@dataclass(frozen=True)
class Run:
    """One training."""

    share: float
    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f'{self.share:g}-{self.arm}-{self.seed}'


def main(argv: list[str] | None = None) -> None:
    """Do the runs that are not done yet, then write the table of all."""
    args = parse_args(argv)
    runs = [Run(s, arm, seed) for seed in args.seeds for s in args.shares for arm in ARMS]
    todo = {run: path for run in runs if (path := write_config(run, args)) is not None}
    failed = do_runs(
        todo,
        call_worker,
        log_of=lambda run: folder_of(run, args) / 'log.txt',
        describe=lambda run: str(judge(run, args)),
        jobs=args.jobs,
    )
    done = [run for run in runs if run not in failed]
    verdicts = {run: judge(run, args) for run in done}
    report = [dict(share=r.share, arm=r.arm, seed=r.seed, **verdicts[r]) for r in done]
    write_json(args.out / 'results.json', report)
    atomic_write(args.out / 'results.md', table(verdicts))
    print((args.out / 'results.md').read_text())
    end_if_failed(failed)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.suspects')
    parser.add_argument(
        '--data-root', type=Path, required=True, help='what make_hard_negative_data.py wrote'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/suspects'))
    parser.add_argument('--shares', type=float, nargs='+', default=[0.01, 0.05, 0.1])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--pool', type=int, default=600, help='images of the pool (default: 600)')
    parser.add_argument('--updates', type=int, default=40, help='in a round (default: 40)')
    parser.add_argument(
        '--test-negatives', type=int, default=600, help='images to test with (default: 600)'
    )
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time (default: 1)')
    args = parser.parse_args(argv)
    if not all(0 < share <= LARGEST_SHARE for share in args.shares):
        parser.error(f'--shares must be above 0 and at most {LARGEST_SHARE}, got {args.shares}')
    return args


def write_config(run: Run, args: argparse.Namespace) -> Path | None:
    """The file with the config of a run, None if the run is done with this very config."""
    folder = folder_of(run, args)
    cfg = config_of(run, args, *plant(run, args))
    if has_mark(folder / 'done.json', fingerprint(cfg.to_dict())):
        return None
    (folder / 'done.json').unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    cfg.dump(folder / 'config.py')
    return folder / 'config.py'


def plant(run: Run, args: argparse.Namespace) -> tuple[Path, Path]:
    """A pool with planted targets, and the annotations of the images that are left to train on."""
    folder = args.out / 'data' / f'{run.share:g}-{run.seed}'
    rng = np.random.default_rng(run.seed)
    content = json.loads((args.data_root / 'train.json').read_text())
    images = [content['images'][i] for i in rng.permutation(len(content['images']))]
    largest = round(LARGEST_SHARE * args.pool)
    taken, left = images[:largest], images[largest:]
    ids = {image['id'] for image in left}
    content.update(
        images=left, annotations=[a for a in content['annotations'] if a['image_id'] in ids]
    )
    atomic_write(folder / 'train.json', json.dumps(content))
    write_test(folder / 'test.json', args)
    planted = taken[: round(run.share * args.pool)]
    negatives = sorted((args.data_root / 'train/negatives').rglob('*.jpg'))
    chosen = [negatives[i] for i in rng.permutation(len(negatives))[: args.pool - len(planted)]]
    entries = [(PLANTED, args.data_root / image['file_name']) for image in planted]
    entries += [(path.parent.name, path) for path in chosen]
    for group, path in entries:
        link = folder / 'pool' / group / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.resolve())
    return folder / 'pool', folder / 'train.json'


def write_test(path: Path, args: argparse.Namespace) -> None:
    """The annotations of all test images with a target, and of some of the others."""
    content = json.loads((args.data_root / 'test.json').read_text())
    with_target = {annotation['image_id'] for annotation in content['annotations']}
    others = [image for image in content['images'] if image['id'] not in with_target]
    some = np.random.default_rng(0).permutation(len(others))[: args.test_negatives]
    content['images'] = [one for one in content['images'] if one['id'] in with_target]
    content['images'] += [others[index] for index in some]
    atomic_write(path, json.dumps(content))


def config_of(run: Run, args: argparse.Namespace, pool: Path, annotations: Path) -> Config:
    """The config of a run: that of the experiment, in more and shorter rounds on a smaller pool."""
    cfg = Config.fromfile(CONFIGS['stitch'])
    rounds, picks = 5, args.pool // 10
    data, hook = cfg.train_dataloader.dataset, cfg.custom_hooks[0]
    data.negatives.update(data_root=str(pool), data_prefix=dict(img=''))
    data.positives.update(data_root=str(args.data_root), ann_file=str(annotations.resolve()))
    data.num_composites = args.updates * cfg.batch_size
    data.seed = cfg.train_dataloader.sampler.seed = hook.seed = run.seed
    hook.update(num_picks=picks, num_workers=0)
    if run.arm == 'suspects':
        hook.suspects = dict(rounds=2, score_thr=0.3, neighbours=5, typical=0.3)
    cfg.randomness = dict(seed=run.seed)
    cfg.train_cfg.max_epochs = cfg.default_hooks.checkpoint.interval = rounds
    cfg.param_scheduler[1].update(T_max=rounds, end=rounds)
    cfg.test_dataloader.dataset.update(
        data_root=str(args.data_root), ann_file=str((annotations.parent / 'test.json').resolve())
    )
    cfg.work_dir = str(folder_of(run, args))
    cfg.test_evaluator.out_file = str(folder_of(run, args) / 'test.json')
    return cfg


def folder_of(run: Run, args: argparse.Namespace) -> Path:
    return args.out / 'runs' / run.name


def judge(run: Run, args: argparse.Namespace) -> dict[str, float]:
    """What a run found of the planted images, and how good its detector is."""
    folder = folder_of(run, args)
    last = sorted(folder.glob('mining/round_*.json'))[-1]
    report = json.loads(last.read_text())
    suspects: dict[str, list[str]] = report['suspects']
    num_planted = round(run.share * args.pool)
    found = {}
    for name, reason in (('', None), ('_still_high', 'still high'), ('_among', 'among positives')):
        keys = [key for key, why in suspects.items() if reason is None or reason in why]
        hits = sum(Path(key).parent.name == PLANTED for key in keys)
        found[f'found{name}'] = hits / num_planted
        found[f'wrong{name}'] = (len(keys) - hits) / (args.pool - num_planted)
    scores, has_target, _ = read_scores(folder / 'test.csv')
    curve = pr_curve(scores, has_target)
    point = point_for_precision(curve, 0.8)
    return found | dict(
        recall=point.recall if point.exists else 0.0,
        false_alarms=point_for_recall(curve, 0.8).false_alarms_per_10k,
        average_precision=average_precision(curve),
    )


def table(verdicts: dict[Run, dict[str, float]]) -> str:
    """The results in Markdown."""
    lines = [
        '| planted | negatives | planted found | negatives suspected | recall at precision .8 '
        '| false alarms per 10,000 at recall .8 | average precision |',
        '|---|---|---|---|---|---|---|',
    ]
    for share, arm in dict.fromkeys((run.share, run.arm) for run in verdicts):
        group = [v for run, v in verdicts.items() if (run.share, run.arm) == (share, arm)]

        def shown(name: str, digits: int, group: Sequence[dict[str, float]] = group) -> str:
            return cell(spread([one[name] for one in group]), digits)

        found = '| - | - ' if arm == 'trusting' else f'| {shown("found", 2)} | {shown("wrong", 3)} '
        lines.append(
            f'| {share:.0%} | {ARMS[arm]} {found}| {shown("recall", 2)} '
            f'| {shown("false_alarms", 0)} | {shown("average_precision", 2)} |'
        )
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
