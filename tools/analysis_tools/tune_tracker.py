"""Tune the parameters of tracking on validation videos. See ``--help``."""

import argparse
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import optuna
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from optuna.exceptions import ExperimentalWarning

from mmpolar.cli.arguments import add_device_argument, check_counts, tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import add_config_arguments, build_dataset, read_plain_config
from mmpolar.cli.tuning.objective import Objective, Range, Value, default_ranges, parse_ranges
from mmpolar.cli.tuning.study import (
    claim_study,
    ended_trials,
    enqueue_baseline,
    importances,
    open_storage,
    plot_study,
    read_result,
    trial_rows,
)
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.runtime.model_folder import file_sha256
from mmpolar.utils.available_cores import available_cores
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.progress import shows_progress
from mmpolar.utils.tables import text_table, write_csv, write_json

#: The first trials are random; before as many have ended none is pruned.
STARTUP_TRIALS = 10
DESCRIPTION = """\
Tune the parameters of tracking on validation videos, with Optuna. The network stays as it is.

The videos are those of the config's val_dataloader, the value one of its val_evaluator's. Each trial
tracks all videos with other values of

  penalty_k, window_influence, lr, score_ratio, search_size, small_target_search_size

or of what --params names. The first trial has the config's own values, so that it is known what tuning
brings. A trial that is worse than the median of the others after as many videos is given up.

Trials are kept on disk as they end. The same command goes on where it was stopped, and with more --trials
continues; one that finds enough trials only reports. Several commands may work on one study, also on
several machines with --storage URL.

In the work directory: best.json, trials.csv and tuning.png (the history, the importance of each
parameter, and the value over each)."""

EPILOG = """\
examples:
  python tools/analysis_tools/tune_tracker.py CONFIG CHECKPOINT --trials 100 --workers 4
  two parameters in ranges of your own, for the masks:
    python tools/analysis_tools/tune_tracker.py CONFIG CHECKPOINT --metric J_and_F \\
        --params penalty_k=0:0.1:0.002 lr=0.4:0.9:0.01
  test with what was found, on other videos:
    python tools/test.py CONFIG CHECKPOINT --cfg-options model.test_cfg.penalty_k=0.04 ...

beware
  The best of many trials is better on these videos than it is on others. Tune on videos that are not
  those of the table, and look at whether tuning.png shows a hill or a heap of accidents."""


def main(argv: Sequence[str] | None = None) -> None:
    """Tune as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    args = parser.parse_args(argv)
    check_counts(args, parser, 'trials', 'workers')
    if args.max_frames < 0 or args.max_frames == 1:
        parser.error(f'--max-frames must be 2 or more, got {args.max_frames}')
    try:
        torch.device(args.device)
    except RuntimeError:
        parser.error(f'PyTorch has no device "{args.device}"; say cpu or cuda')
    if args.work_dir is None:
        args.work_dir = str(Path('work_dirs') / f'tune_{Path(args.config).stem}')
    if args.storage is None:
        args.storage = str(Path(args.work_dir) / 'study.journal')
    return args


def make_parser() -> argparse.ArgumentParser:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_config_arguments(parser, 'config of the tracker')
    parser.add_argument('checkpoint', help='its weights, a .pth file')
    parser.add_argument(
        '--trials',
        type=int,
        default=100,
        help='trials that the study shall have in the end (default: %(default)s)',
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='trials at a time (default: %(default)s)'
    )
    parser.add_argument(
        '--metric',
        default='success',
        help="value of the config's val_evaluator, as tools/test.py prints it with or without its "
        'prefix (default: %(default)s)',
    )
    parser.add_argument(
        '--params',
        nargs='+',
        metavar='NAME[=LOW:HIGH[:STEP]]',
        help='what to tune (default: the six above)',
    )
    parser.add_argument(
        '--max-frames',
        type=int,
        default=0,
        help='frames of each video, from its first (default: all)',
    )
    parser.add_argument('--cache-gb', type=float, help=argparse.SUPPRESS)
    add_device_argument(parser)
    parser.add_argument('--seed', type=int, default=0, help='seed of the sampler')
    parser.add_argument('--no-prune', action='store_true', help='let every trial go to its end')
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='where study, plot and best values go (default: work_dirs/tune_<config>)',
    )
    parser.add_argument(
        '--storage',
        metavar='FILE',
        help="the study's file: .db or .sqlite for SQLite, else Optuna's journal; or the URL of a "
        'data base (default: study.journal in the work directory)',
    )
    parser.add_argument('--study-name', default='tracker', help='default: %(default)s')
    return parser


def run(args: argparse.Namespace) -> None:
    """Run what trials lack, then report."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter('ignore', ExperimentalWarning)  # heartbeats, and plots with Matplotlib
    cfg = read_plain_config(args)
    if args.cache_gb is not None:
        warn_deprecated('--cache-gb', 'no such option: each trial decodes the frames')
    dataset = build_dataset(cfg, args.config, 'val_dataloader')
    metric, value_name = find_metric(cfg, args)
    objective = Objective(cfg, args.checkpoint, args.device, dataset, metric, value_name)
    objective.max_frames = args.max_frames
    objective.ranges = find_ranges(args, objective.tracker.model)
    study = open_study(args, dataset.num_videos)
    claim_study(study, facts_of(args, objective))
    run_missing(objective, study, args)
    report(study, objective, args)


def find_metric(cfg: Config, args: argparse.Namespace) -> tuple[SequenceMetric, str]:
    """The metric that has the wanted value, and the value's name in it.

    Raises:
        ValueError: If no metric of the evaluator has it.
    """
    with DefaultScope.overwrite_default_scope('mmpolar'):
        metrics = Evaluator(cfg.get('val_evaluator') or []).metrics
    values = {
        f'{metric.prefix}/{name}': (metric, name)
        for metric in metrics
        if isinstance(metric, SequenceMetric)
        for name in metric.columns
    }
    for full_name, (metric, name) in values.items():
        if args.metric in (name, full_name):
            return metric, name
    raise ValueError(
        f'val_evaluator of {args.config} has no value {args.metric!r}; it has '
        f'{", ".join(values) or "no metric of sequences"}'
    )


def find_ranges(args: argparse.Namespace, model: Any) -> dict[str, Range]:
    """What is tuned; a weight between two classifiers only where there are two."""
    if args.params is not None:
        return parse_ranges(args.params, model.params)
    ranges = default_ranges(model.params)
    if model.head.align_conv is None:
        ranges.pop('score_ratio')
    return ranges


def open_study(args: argparse.Namespace, num_videos: int) -> optuna.Study:
    """The study, new or as earlier runs left it."""
    # A quarter of the videos must have been tracked before a trial is compared with others.
    pruner = optuna.pruners.MedianPruner(STARTUP_TRIALS, max(1, num_videos // 4))
    return optuna.create_study(
        storage=open_storage(args.storage),
        study_name=args.study_name,
        sampler=optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=args.seed
        ),
        pruner=optuna.pruners.NopPruner() if args.no_prune else pruner,
        direction='maximize',
        load_if_exists=True,
    )


def facts_of(args: argparse.Namespace, objective: Objective) -> dict[str, Any]:
    """What the values of a study depend on besides the tuned parameters."""
    dataset = objective.dataset
    lengths = [dataset.get_len_per_video(number) for number in range(dataset.num_videos)]
    return dict(
        checkpoint=file_sha256(args.checkpoint),
        dataset=dataset.name,
        videos=len(lengths),
        frames=sum(min(length, args.max_frames or length) for length in lengths),
        metric=type(objective.metric).__name__,
        value_name=objective.value_name,
        cfg_options={key: str(value) for key, value in (args.cfg_options or {}).items()},
    )


def run_missing(objective: Objective, study: optuna.Study, args: argparse.Namespace) -> None:
    """Run trials until the study has as many as wanted, the config's own values first.

    Raises:
        ValueError: If trials failed, of which Optuna has told.
    """
    missing = args.trials - len(ended_trials(study))
    if missing <= 0:
        print(f'the study has {args.trials - missing} trials already')
        return
    threads = max(1, available_cores() // args.workers)
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    params = objective.tracker.model.params
    enqueue_baseline(study, {name: getattr(params, name) for name in objective.ranges})
    try:
        study.optimize(objective, missing, n_jobs=args.workers, show_progress_bar=shows_progress())
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on from here')
    else:
        failed = args.trials - len(ended_trials(study))
        if failed > 0:
            raise ValueError(f'{failed} trials failed, see above; the same command repeats them')


def report(study: optuna.Study, objective: Objective, args: argparse.Namespace) -> None:
    """Print what was found, and write it with the trials and the plot."""
    result = read_result(study)
    if not result:
        print('no trial has gone to its end yet')
        return
    names, value_name, out = list(objective.ranges), objective.value_name, Path(args.work_dir)
    shares = importances(study, names)
    options = cfg_options(result['values'])
    write_csv(out / 'trials.csv', *trial_rows(study, names, value_name))
    plot_study(study, names, bool(shares), value_name, out / 'tuning.png')
    facts = dict(cfg_options=options, importance=shares, facts=study.user_attrs)
    write_json(out / 'best.json', dict(value_name=value_name, **result, **facts))
    baseline = result['baseline']
    print(
        f'{value_name}: {"not measured" if baseline is None else f"{baseline:.4f}"} with the '
        f"config's values, {result['value']:.4f} at best (trial {result['trial']}; "
        f'{result["complete"]} trials to the end, {result["pruned"]} given up)'
    )
    if options:
        rows = [
            [name, str(value), shares.get(name, float('nan'))]
            for name, value in result['values'].items()
        ]
        print(text_table(['parameter', 'best', 'importance'], rows, digits=2))
    print(options or "nothing is better than the config's own values")
    print(f'best.json, trials.csv, tuning.png: {out}')


def cfg_options(values: Mapping[str, Value]) -> str:
    """The option of a command line that sets these parameters in a config; empty without any."""
    settings = ' '.join(f'model.test_cfg.{name}={value}' for name, value in values.items())
    return settings and f'--cfg-options {settings}'


if __name__ == '__main__':
    main()
