"""Tune the parameters of tracking on validation videos. See ``--help``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpolar.cli.arguments import add_device_argument, tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import add_config_arguments, build_dataset, read_plain_config
from mmpolar.cli.tuning.objective import Objective
from mmpolar.cli.tuning.plots import plot_study
from mmpolar.cli.tuning.search_space import Range, cfg_options, default_ranges, parse_ranges
from mmpolar.cli.tuning.study import (
    add_baseline,
    claim_study,
    count_finished,
    importances,
    open_study,
    read_result,
    run_trials,
    trial_rows,
)
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.registry import METRICS
from mmpolar.runtime.model_folder import file_sha256
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.tables import text_table, write_csv, write_json

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
    if min(args.trials, args.workers) < 1 or args.max_frames < 0 or args.max_frames == 1:
        parser.error('--trials and --workers must be at least 1, --max-frames 2 or more')
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
    cfg = read_plain_config(args)
    if not Path(args.checkpoint).is_file():
        raise FileNotFoundError(f'no checkpoint at {args.checkpoint}')
    if args.cache_gb is not None:
        warn_deprecated('--cache-gb', 'no such option: each trial decodes the frames')
    dataset = build_dataset(cfg, args.config, 'val_dataloader')
    metric, value_name = find_metric(cfg, args)
    objective = Objective(cfg, args.checkpoint, args.device, dataset, metric, value_name)
    objective.prune, objective.max_frames = not args.no_prune, args.max_frames
    objective.ranges = find_ranges(args, objective.tracker.model)
    study = open_study(args.storage, args.study_name, dataset.num_videos, args.seed)
    claim_study(study, facts_of(args, objective))
    run_missing(objective, study, args)
    report(study, objective, args)


def find_metric(cfg: Config, args: argparse.Namespace) -> tuple[SequenceMetric, str]:
    """The metric that has the wanted value, and the value's name in it.

    Raises:
        ValueError: If no metric of the evaluator has it.
    """
    evaluator = cfg.get('val_evaluator') or []
    known: list[str] = []
    for config in evaluator if isinstance(evaluator, list | tuple) else [evaluator]:
        with DefaultScope.overwrite_default_scope('mmpolar'):
            metric = METRICS.build(dict(config))
        for name in metric.columns if isinstance(metric, SequenceMetric) else ():
            if args.metric in (name, f'{metric.prefix}/{name}'):
                return metric, name
            known.append(f'{metric.prefix}/{name}')
    raise ValueError(
        f'val_evaluator of {args.config} has no value {args.metric!r}; it has '
        f'{", ".join(known) or "no metric of sequences"}'
    )


def find_ranges(args: argparse.Namespace, model: Any) -> dict[str, Range]:
    """What is tuned; a weight between two classifiers only where there are two."""
    if args.params is not None:
        return parse_ranges(args.params, model.params)
    ranges = default_ranges(model.params)
    if model.head.align_conv is None:
        ranges.pop('score_ratio')
    return ranges


def facts_of(args: argparse.Namespace, objective: Objective) -> dict[str, Any]:
    """What the values of a study depend on besides the tuned parameters."""
    videos = range(objective.dataset.num_videos)
    return dict(
        checkpoint=file_sha256(args.checkpoint),
        dataset=objective.dataset.name,
        videos=len(videos),
        frames=sum(map(objective.length, videos)),
        metric=type(objective.metric).__name__,
        value_name=objective.value_name,
        cfg_options={key: str(value) for key, value in (args.cfg_options or {}).items()},
    )


def run_missing(objective: Objective, study: optuna.Study, args: argparse.Namespace) -> None:
    """Run trials until the study has as many as wanted, the config's own values first."""
    if count_finished(study) >= args.trials:
        print(f'the study has {count_finished(study)} trials already')
        return

    def show_progress(*_: Any) -> None:
        bar.update(count_finished(study) - bar.n)
        bar.set_postfix_str(f'best {objective.value_name} {read_result(study)["value"]:.4f}')

    with progress_bar(total=args.trials, desc='trials', unit='trial') as bar:
        try:
            add_baseline(study, objective)
            show_progress()
            missing = args.trials - count_finished(study)
            if missing > 0:
                run_trials(study, objective, missing, args.workers, [show_progress])
        except KeyboardInterrupt:
            print('\nstopped; the same command goes on from here')


def report(study: optuna.Study, objective: Objective, args: argparse.Namespace) -> None:
    """Print what was found, and write it with the trials and the plot."""
    result = read_result(study)
    if result['value'] is None:
        print('no trial has gone to its end yet')
        return
    names, value_name, out = list(objective.ranges), objective.value_name, Path(args.work_dir)
    shares = importances(study, names)
    options = cfg_options(result['values']) if result['values'] else ''
    write_csv(out / 'trials.csv', *trial_rows(study, names, value_name))
    plot_study(study, names, bool(shares), value_name, out / 'tuning.png')
    facts = dict(cfg_options=options, importance=shares, facts=dict(study.user_attrs))
    write_json(out / 'best.json', dict(value_name=value_name, **result, **facts))
    baseline = result['baseline']
    print(
        f'{value_name}: {"not measured" if baseline is None else f"{baseline:.4f}"} with the '
        f"config's values, {result['value']:.4f} at best (trial {result['trial']}; "
        f'{result["complete"]} trials to the end, {result["pruned"]} given up)'
    )
    if result['values']:
        rows = [
            [name, str(value), shares.get(name, float('nan'))]
            for name, value in result['values'].items()
        ]
        print(text_table(['parameter', 'best', 'importance'], rows, digits=2))
    print(options or "nothing is better than the config's own values")
    print(f'best.json, trials.csv, tuning.png: {out}')


if __name__ == '__main__':
    main()
