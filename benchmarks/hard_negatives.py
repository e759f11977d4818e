"""Show on one machine, within the hour, what mined hard negatives are worth."""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.runner import Runner
from numpy.typing import NDArray

from benchmarks.frozen_features import compute_features, freeze
from benchmarks.shared.config_nodes import MINING_HOOK, nodes_of_type
from benchmarks.shared.runs import (
    call_logged,
    do_runs,
    end_if_failed,
    fingerprint,
    has_mark,
    python_module,
    write_mark,
)
from benchmarks.shared.spread import cell, spread
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.cli.training import add_cfg_options
from mmpolar.evaluation.functional import (
    PRCurve,
    average_precision,
    point_for_precision,
    point_for_recall,
    pr_curve,
)
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.shared_values import type_of
from mmpolar.utils.tables import write_json

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = dict(
    stitch=ROOT / 'configs/hard_negative/yolox_effnet-lite0_experiment.py',
    overlay=ROOT / 'configs/hard_negative/yolox_effnet-lite0_experiment-overlay.py',
)
#: Configs of other detectors, by detector and composites.
DETECTORS = dict(
    yolox=CONFIGS,
    rtmdet=dict(stitch=ROOT / 'configs/hard_negative/rtmdet_effnet-lite0_experiment.py'),
)
#: Where the training dataset and the mining hook stand in the configs.
DATA, HOOK = 'train_dataloader.dataset', 'custom_hooks.0'
#: Which YOLOX alone has.
CONFIDENCE_LOSS = 'model.bbox_head.loss_obj'
MAKE_DATA = ROOT / 'tools/dataset_converters/make_hard_negative_data.py'


@dataclass(frozen=True)
class Arm:
    """Where the negatives of a run come from, and what else it changes.

    Attributes:
        meaning: What it is, in words.
        source: ``'mined'``, ``'random'``, ``'all'`` or ``'none'``.
        color: Of its bars and curves.
        changes: Further entries of the config, by their dotted names.
        separate: Whether the images are not stitched but trained on one by one.
    """

    meaning: str
    source: str
    color: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    separate: bool = False


# The mined runs take longest: started first, they do not end last.
ARMS = dict(
    mined=Arm('the hardest K, mined again in each round', 'mined', '#c23b5a'),
    random=Arm('K sampled at random, again in each round', 'random', '#f2a541'),
    all=Arm('all, mixed in blindly', 'all', '#4c78a8'),
    none=Arm('no negatives', 'none', '#888888'),
    sampled=Arm(
        'K sampled by their score, again in each round',
        'mined',
        '#e07b91',
        {f'{HOOK}.selection': 'sampled'},
    ),
    mixed=Arm('half the hardest K, half of all', 'mined', '#8c2d4a', {f'{DATA}.mined_share': 0.5}),
    easing=Arm(
        'the hardest K, then half of them, then a quarter',
        'mined',
        '#5b2333',
        {f'{DATA}.mined_share': [1.0, 0.5, 0.25]},
    ),
    newest=Arm(
        'the hardest K of the newest round alone', 'mined', '#a05195', {f'{HOOK}.keep_rounds': 0}
    ),
    weighted=Arm(
        'the hardest K, half the weight on the confidence term',
        'mined',
        '#d45087',
        {f'{CONFIDENCE_LOSS}.loss_weight': 0.5},
    ),
    plain=Arm('the hardest K as images of their own', 'mined', '#665191', separate=True),
    plain_mixed=Arm(
        'half the hardest K, half of all, as images of their own',
        'mined',
        '#a28fd0',
        {f'{DATA}.mined_share': 0.5},
        separate=True,
    ),
    plain_all=Arm('all, as images of their own', 'all', '#2a3f5f', separate=True),
    background=Arm(
        'a random one beside each eight positives, as images of their own',
        'all',
        '#2f7f7f',
        {
            f'{DATA}.num_positives': 8,
            f'{DATA}.num_negatives': 1,
            f'{DATA}.num_composites': 160,
            'train_dataloader.batch_size': 2,
        },
        separate=True,
    ),
    focal=Arm(
        'all, with the focal loss on confidence',
        'all',
        '#59a14f',
        {
            CONFIDENCE_LOSS: dict(
                type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, reduction='sum'
            )
        },
    ),
    ohem=Arm(
        'all, with the three hardest locations for each positive one',
        'all',
        '#9c755f',
        {CONFIDENCE_LOSS: dict(type='mmpolar.OHEMBCELoss')},
    ),
)
DEFAULT_ARMS = ('mined', 'random', 'all', 'none')
LINE_STYLES = dict(stitch='-', overlay='--')

DESCRIPTION = """\
Show on one machine, within the hour, what mined hard negatives are worth.

A small detector (YOLOX's head on EfficientNet-Lite0 with ImageNet weights) learns a class from few
images with it and a large pool of images without, most of which are easy and some easily mistaken.
Four arms differ in one thing, the negatives in the training images:

  none     no negatives: composites of the same positives alone
  all      negatives sampled from the whole pool, each as often as any other
  random   K negatives sampled at random from the pool, again in each round
  mined    the K negatives with the highest confidence, mined again in each round

--arms has further ones. Of the mined ones: sampled (by score instead of the highest), mixed (half of all),
easing (all of them, then half, then a quarter),
newest (earlier picks are dropped), weighted (half the weight on the confidence term), plain (images of their own
instead of composites), plain_mixed (both). Of the others: plain_all (all, as images of their own), background (one random negative beside eight positives, as images of
their own), focal (the focal loss on confidence), ohem (the hardest locations of a batch).

Each arm is trained with stitched and with overlaid composites and with several seeds, which set the
weights, the order of the positives and all that is random. All arms make the same number of updates
on the same positives. In the first round "random" and "mined" sample the whole pool, too: nothing
is known yet. The other things are in configs/hard_negative/.

With --detector rtmdet the head is RTMDet's, which has no confidence term: the arms that change this
term (weighted, focal, ohem) are left to YOLOX, and so are overlaid composites.

With --frozen the backbone computes the features of all images once, and runs train neck and head on
them: images of their own, each in a few views, instead of composites. Such a run takes a fraction of
the time, for more arms and seeds than the full one has time for.

The model is then judged by images that it never saw, of the same make-up: flagged or not as a whole.
Reported are the recall at a fixed precision, the false alarms per 10,000 images without a target at a
fixed recall (or several), and whose images they are, mean and standard deviation over the seeds.

With --data the target is the dog, among photographs of other animals and of everything, and
generated scenes. Without it everything is generated, and the target has limbs: this
shows that the loop works, not what it is worth on real images, and needs no data.

Files in --out: results.md (tables), results.png (plot), results.json (every metric of every run),
runs/<composites>-<arm>-<seed>/ (log, weights, scores of all test images, and mining/round_*.jpg, the
images with the highest confidence). Runs that are done are not repeated: start the command again after
an interruption, or with more seeds. A run whose settings have changed is done again."""

EPILOG = """\
examples:
  python -m benchmarks.hard_negatives
  python -m benchmarks.hard_negatives --data data/natural
  python -m benchmarks.hard_negatives --seeds 0 --arms all mined \\
      --composites stitch
  python -m benchmarks.hard_negatives --out work_dirs/hard_negative_k64 \\
      --cfg-options custom_hooks.0.num_picks=64"""


@dataclass(frozen=True)
class Run:
    """One training of the experiment."""

    composites: str
    arm: str
    seed: int

    @property
    def name(self) -> str:
        return f'{self.composites}-{self.arm}-{self.seed}'


@dataclass(frozen=True)
class Verdict:
    """How a trained model judges the test images.

    Attributes:
        recall_at_precision: Highest recall at which the wanted precision is reached, 0 if none is.
        false_alarms_at_recall: Per 10,000 negatives, at each wanted recall.
        average_precision: Area under the precision-recall curve.
        alarms_by_set: False alarms at the first wanted recall in each set of negatives, counted.
    """

    recall_at_precision: float
    false_alarms_at_recall: tuple[float, ...]
    average_precision: float
    alarms_by_set: dict[str, int]


def main(argv: list[str] | None = None) -> None:
    """Do the runs that are not done yet, then write the results of all."""
    args = parse_args(argv)
    if args.worker is not None:
        train_and_test(args.worker)
        return
    prepare_data(args)
    runs = [
        Run(composites, arm, seed)
        for seed in args.seeds
        for arm in ARMS
        if arm in args.arms
        for composites in args.composites
        if not (ARMS[arm].separate and composites != 'stitch')  # they have no composites
    ]
    failed = do_missing(runs, args)
    done = [run for run in runs if run not in failed]
    if done:
        write_results(done, args)
        print((args.out / 'results.md').read_text())
        print(f'results.md, results.png and results.json are in {args.out}')
    end_if_failed(failed)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser()
    args = parser.parse_args(argv)
    check_counts(args, parser, 'jobs')
    if min(args.seeds) < 0:
        parser.error(f'--seeds must not be negative, got {min(args.seeds)}')
    for name, values in (('precision', [args.precision]), ('recall', args.recall)):
        if not all(0 < value <= 1 for value in values):
            parser.error(f'--{name} must be above 0 and at most 1, got {getattr(args, name)}')
    complete(args, parser)
    return args


def make_parser() -> argparse.ArgumentParser:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.hard_negatives')
    parser.add_argument(
        '--data',
        type=Path,
        help='folder of annotated sets of photographs; see make_hard_negative_data.py --help',
    )
    parser.add_argument(
        '--data-root',
        type=Path,
        help='where that program puts, or has put, its images (default: data in --out)',
    )
    parser.add_argument('--detector', choices=DETECTORS, default='yolox', help='default: yolox')
    parser.add_argument(
        '--frozen',
        action='store_true',
        help='train neck and head alone, on features that are computed once',
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='folder of runs and results (default: work_dirs/hard_negative[_rtmdet][_frozen])',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument(
        '--arms',
        nargs='+',
        choices=ARMS,
        default=DEFAULT_ARMS,
        help=f'default: {" ".join(DEFAULT_ARMS)}',
    )
    parser.add_argument(
        '--composites',
        nargs='+',
        choices=CONFIGS,
        help='default: all that there are for the detector',
    )
    parser.add_argument(
        '--jobs', type=int, default=2, help='runs at a time, one thread each (default: 2)'
    )
    parser.add_argument(
        '--precision', type=float, default=0.8, help='at which recall is given (default: 0.8)'
    )
    parser.add_argument(
        '--recall',
        type=float,
        nargs='+',
        default=[0.8, 0.95],
        help='at which false alarms are given (default: 0.8 0.95)',
    )
    add_cfg_options(parser, 'change entries of the configs in all runs that have them')
    parser.set_defaults(cfg_options={})
    parser.add_argument('--worker', type=Path, help=argparse.SUPPRESS)
    return parser


def complete(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Fill in what depends on other options, and refuse what the detector does not have."""
    if args.out is None:
        suffix = '' if args.detector == 'yolox' else f'_{args.detector}'
        suffix += '_frozen' if args.frozen else ''
        args.out = Path('work_dirs', f'hard_negative{suffix}')
    if args.data_root is None:
        args.data_root = args.out / 'data'
    configs = DETECTORS[args.detector]
    if args.composites is None:
        args.composites = ['stitch'] if args.frozen else list(configs)
    missing = [name for name in args.composites if name not in configs]
    if args.detector != 'yolox':
        missing += [arm for arm in args.arms if CONFIDENCE_LOSS in ' '.join(ARMS[arm].changes)]
    if args.frozen and args.composites != ['stitch']:
        parser.error('--frozen makes no composites; leave --composites out')
    if missing:
        parser.error(f'--detector {args.detector} does not go with {", ".join(missing)}')


# data


def prepare_data(args: argparse.Namespace) -> None:
    """Have the images made where they are not there yet."""
    manifest = args.data_root / 'manifest.json'
    if not manifest.is_file():
        command = [sys.executable, str(MAKE_DATA), '--out', str(args.data_root)]
        command += [] if args.data is None else ['--data', str(args.data)]
        if subprocess.run(command).returncode:
            sys.exit(1)
    has_photographs = bool(json.loads(manifest.read_text())['recipe']['sets'])
    if args.data is not None and not has_photographs:
        usage_error(f'{args.data_root} holds generated images alone; give another --out')
    kind = 'photographs and generated images' if has_photographs else 'generated images alone'
    print(f'{args.data_root}: {kind}')


# runs


def do_missing(runs: Sequence[Run], args: argparse.Namespace) -> list[Run]:
    """Do those runs that are not done, some at a time; gives those that failed."""
    todo = {run: config for run in runs if (config := write_config(run, args)) is not None}
    print(f'{len(runs)} runs, {len(runs) - len(todo)} of them done before')
    if args.frozen and todo:
        compute_features(image_config(Run('stitch', 'plain', 0), args), args.data_root / 'features')
    return do_runs(
        todo,
        call_worker,
        log_of=lambda run: folder_of(run, args) / 'log.txt',
        describe=lambda run: in_words(judge(run, args), args),
        jobs=args.jobs,
    )


def write_config(run: Run, args: argparse.Namespace) -> Path | None:
    """The file with the config of a run, None if the run is done with this very config."""
    folder = folder_of(run, args)
    cfg = config_of(run, args)
    done = folder / 'done.json'
    if has_mark(done, fingerprint(cfg.to_dict())):
        return None
    done.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    cfg.dump(folder / 'config.py')
    return folder / 'config.py'


def config_of(run: Run, args: argparse.Namespace) -> Config:
    """The config of a run."""
    cfg = image_config(run, args)
    if args.frozen:
        freeze(cfg, args.data_root / 'features')
    return cfg


def image_config(run: Run, args: argparse.Namespace) -> Config:
    """The config of a run on images: that of its composites, with the negatives of its arm."""
    cfg = Config.fromfile(DETECTORS[args.detector][run.composites])
    others = [hook for hook in cfg.custom_hooks if type_of(hook) != MINING_HOOK]
    arm = ARMS[run.arm]
    for name, value in arm.changes.items():
        if isinstance(value, Mapping):  # replaces what is there
            cfg.merge_from_dict({name: dict(value, _delete_=True)})
        else:
            cfg.merge_from_dict({name: value})
    cfg.merge_from_dict(args.cfg_options)
    data = cfg.train_dataloader.dataset
    if arm.separate or args.frozen:
        separate_images(cfg)
    if arm.source == 'none':
        data.update(num_negatives=0, negatives=None)
    else:
        data.negatives.data_root = str(args.data_root)
    if arm.source in ('none', 'all'):
        cfg.custom_hooks = others
    for hook in nodes_of_type(cfg.custom_hooks, MINING_HOOK):
        hook.seed = run.seed
        if arm.source == 'random':
            hook.selection = 'random'
    data.seed = cfg.train_dataloader.sampler.seed = run.seed
    cfg.randomness = dict(seed=run.seed)
    data.positives.data_root = cfg.test_dataloader.dataset.data_root = str(args.data_root)
    cfg.work_dir = str(folder_of(run, args))
    cfg.test_evaluator.out_file = str(folder_of(run, args) / 'test.json')
    return cfg


def separate_images(cfg: Config) -> None:
    """Train on images one by one, each as large as a cell of the stitched composite."""
    stitch, *after = cfg.train_dataloader.dataset.pipeline
    width, height = stitch.img_scale
    cfg.train_dataloader.dataset.pipeline = [
        dict(
            type='mmpolar.SeparateImages',
            img_scale=(width // 2, height // 2),
            scale_range=stitch.scale_range,
            transforms=after,
        )
    ]
    cfg.train_dataloader.collate_fn = dict(type='flat_collate')


def folder_of(run: Run, args: argparse.Namespace) -> Path:
    return args.out / 'runs' / run.name


def call_worker(run: Run, config: Path) -> int:
    """Do a run in a process of its own with one thread; gives its exit status."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    command = [*python_module('benchmarks.hard_negatives'), '--worker', str(config)]
    return call_logged(command, config.parent / 'log.txt', environment)


def train_and_test(config: Path) -> None:
    """Do a run: what the process of its own does."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    cfg = Config.fromfile(config)
    mark = fingerprint(cfg.to_dict())
    runner = Runner.from_cfg(cfg)
    # Convolutions on a CPU are up to a third faster in this layout.
    runner.model.to(memory_format=torch.channels_last)
    runner.train()
    runner.test()
    seconds = time.perf_counter() - start
    write_mark(config.parent / 'done.json', mark, updates=runner.iter, seconds=seconds)


# metrics


def judge(run: Run, args: argparse.Namespace) -> Verdict:
    """The metrics of a run, from the scores of its test images."""
    scores, has_target, groups = read_scores(folder_of(run, args) / 'test.csv')
    curve = pr_curve(scores, has_target)
    at_precision = point_for_precision(curve, args.precision)
    at_recall = [point_for_recall(curve, recall) for recall in args.recall]
    alarms = groups[~has_target & (scores >= at_recall[0].threshold)]
    return Verdict(
        recall_at_precision=at_precision.recall if at_precision.exists else 0.0,
        false_alarms_at_recall=tuple(point.false_alarms_per_10k for point in at_recall),
        average_precision=average_precision(curve),
        alarms_by_set=dict(Counter(alarms.tolist())),
    )


def read_scores(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Score, presence of a target and folder of each test image, all (N,)."""
    with path.open(newline='', encoding='utf-8') as file:
        images, has_target, scores = zip(*list(csv.reader(file))[1:], strict=True)
    return (
        np.array(scores, float),
        np.array(has_target, int).astype(bool),
        np.array([Path(image).parent.name for image in images]),
    )


def in_words(verdict: Verdict, args: argparse.Namespace) -> str:
    alarms = ', '.join(
        f'{count:.0f} false alarms per 10,000 at recall {recall:g}'
        for recall, count in zip(args.recall, verdict.false_alarms_at_recall, strict=True)
    )
    return f'recall {verdict.recall_at_precision:.3f} at precision {args.precision:g}, {alarms}'


def write_results(runs: Sequence[Run], args: argparse.Namespace) -> None:
    """Write json, tables and plot."""
    verdicts = {run: judge(run, args) for run in runs}
    manifest = json.loads((args.data_root / 'manifest.json').read_text())
    report = dict(
        precision=args.precision,
        recall=args.recall,
        data=manifest,
        runs=[dict(asdict(run), **asdict(verdicts[run]), **details_of(run, args)) for run in runs],
        summary=[
            dict(composites=composites, arm=arm, runs=len(group), **summary_of(group))
            for (composites, arm), group in grouped(verdicts).items()
        ],
    )
    write_json(args.out / 'results.json', report)
    atomic_write(args.out / 'results.md', tables(verdicts, manifest, args))
    plot(verdicts, args)


def details_of(run: Run, args: argparse.Namespace) -> dict:
    """Time and updates of a run, and what each round of mining found."""
    folder = folder_of(run, args)
    done = json.loads((folder / 'done.json').read_text())
    rounds = [json.loads(path.read_text()) for path in sorted(folder.glob('mining/round_*.json'))]
    wanted = ('round', 'seconds', 'share_above', 'quantiles', 'num_picks', 'num_new')
    return dict(
        updates=done['updates'],
        seconds=round(done['seconds'], 1),
        mining=[{name: entry[name] for name in wanted} for entry in rounds],
    )


def grouped(verdicts: dict[Run, Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    """Verdicts of all seeds by composites and arm, from no negatives to mined ones."""
    groups = {
        (composites, arm): [
            verdict
            for run, verdict in verdicts.items()
            if (run.composites, run.arm) == (composites, arm)
        ]
        for composites in CONFIGS
        for arm in reversed(ARMS)
    }
    return {key: group for key, group in groups.items() if group}


def summary_of(group: Iterable[Verdict]) -> dict[str, Any]:
    """Mean and standard deviation of each metric over the seeds, of false alarms at each recall."""
    group = list(group)
    alarms = zip(*(verdict.false_alarms_at_recall for verdict in group), strict=True)
    return dict(
        recall_at_precision=spread([verdict.recall_at_precision for verdict in group]),
        false_alarms_at_recall=[spread(counts) for counts in alarms],
        average_precision=spread([verdict.average_precision for verdict in group]),
    )


# tables


def tables(verdicts: dict[Run, Verdict], manifest: dict, args: argparse.Namespace) -> str:
    """The results in Markdown."""
    groups = grouped(verdicts)
    alarms = ' | '.join(f'false alarms per 10,000 at recall {r:g}' for r in args.recall)
    lines = [
        f'| composites | negatives | recall at precision {args.precision:g} | {alarms} '
        '| average precision | runs |',
        '|---' * (5 + len(args.recall)) + '|',
    ]
    for (composites, arm), group in groups.items():
        summary = summary_of(group)
        alarms = ' | '.join(cell(counts, 0) for counts in summary['false_alarms_at_recall'])
        lines.append(
            f'| {composites} | {ARMS[arm].meaning} | {cell(summary["recall_at_precision"], 3)} '
            f'| {alarms} | {cell(summary["average_precision"], 3)} | {len(group)} |'
        )
    lines += ['', 'Mean and standard deviation over the runs.', '']
    return '\n'.join(lines + alarm_table(groups, manifest, args)) + '\n'


def alarm_table(
    groups: dict[tuple[str, str], list[Verdict]], manifest: dict, args: argparse.Namespace
) -> list[str]:
    """Whose images the false alarms are."""
    sizes = manifest['counts']['test']['negatives']
    totals = Counter()
    for group in groups.values():
        for verdict in group:
            totals.update(verdict.alarms_by_set)
    names = [name for name, _ in totals.most_common()]
    lines = [
        f'False alarms at recall {args.recall[0]:g} by set of test images (mean count of the '
        'images in it):',
        '',
        '| composites | negatives | ' + ' | '.join(f'{n} ({sizes[n]})' for n in names) + ' |',
        '|---' * (2 + len(names)) + '|',
    ]
    for (composites, arm), group in groups.items():
        counts = [np.mean([v.alarms_by_set.get(name, 0) for v in group]) for name in names]
        lines.append(f'| {composites} | {arm} | ' + ' | '.join(f'{c:.1f}' for c in counts) + ' |')
    return lines


# plot


def plot(verdicts: dict[Run, Verdict], args: argparse.Namespace) -> None:
    """Draw the metrics of each arm, and false alarms over recall."""
    columns = 2 + len(args.recall)
    figure = Figure(figsize=(4.3 * columns, 4.6), layout='constrained')
    recall_axis, *alarm_axes, curve_axis = figure.subplots(1, columns)
    draw_bars(recall_axis, verdicts, lambda verdict: verdict.recall_at_precision)
    recall_axis.set_ylabel(f'recall at precision {args.precision:g}')
    recall_axis.set_ylim(0, 1)
    for number, (axis, recall) in enumerate(zip(alarm_axes, args.recall, strict=True)):
        draw_bars(axis, verdicts, lambda verdict, n=number: verdict.false_alarms_at_recall[n])
        axis.set_ylabel(f'false alarms per 10,000 at recall {recall:g}')
    draw_curves(curve_axis, verdicts, args)
    handles, labels = recall_axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='outside upper center', ncols=min(len(handles), 4), frameon=False
    )
    figure.savefig(args.out / 'results.png', dpi=110)


def draw_bars(
    axis: Axes, verdicts: dict[Run, Verdict], value_of: Callable[[Verdict], float]
) -> None:
    """Mean as a bar and each seed as a dot, by composites and arm."""
    groups = grouped(verdicts)
    kinds = list(dict.fromkeys(composites for composites, _ in groups))
    arms = list(dict.fromkeys(arm for _, arm in groups))
    width = 0.8 / len(arms)
    for (composites, arm), group in groups.items():
        values = [value_of(verdict) for verdict in group]
        x = kinds.index(composites) + (arms.index(arm) - (len(arms) - 1) / 2) * width
        label = ARMS[arm].meaning if composites == kinds[0] else None
        axis.bar(x, np.mean(values), 0.9 * width, color=ARMS[arm].color, label=label)
        axis.plot([x] * len(values), values, 'o', ms=4, mfc='white', mec='black')
    axis.set_xticks(range(len(kinds)), kinds)
    axis.grid(axis='y', alpha=0.3)


def draw_curves(axis: Axes, verdicts: dict[Run, Verdict], args: argparse.Namespace) -> None:
    """False alarms over recall, mean over the seeds."""
    recalls = np.linspace(0.02, 1, 99)
    for composites, arm in grouped(verdicts):
        curves = [
            curve_of(run, args)
            for run in verdicts
            if (run.composites, run.arm) == (composites, arm)
        ]
        alarms = [[point_for_recall(c, r).false_alarms_per_10k for r in recalls] for c in curves]
        axis.plot(
            recalls,
            np.mean(alarms, axis=0),
            LINE_STYLES[composites],
            color=ARMS[arm].color,
            lw=1.6,
        )
    axis.set_yscale('symlog', linthresh=10)
    axis.set_xlabel('recall (lines: stitch, dashes: overlay)')
    axis.set_ylabel('false alarms per 10,000')
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.2e4)
    axis.grid(alpha=0.3)


def curve_of(run: Run, args: argparse.Namespace) -> PRCurve:
    scores, has_target, _ = read_scores(folder_of(run, args) / 'test.csv')
    return pr_curve(scores, has_target)


if __name__ == '__main__':
    main()
