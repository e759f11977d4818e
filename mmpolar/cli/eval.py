"""``mmpolar eval``: what a tracker reaches on a benchmark."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import read_options
from mmpolar.cli.requirements import require_training
from mmpolar.cli.submissions import add_options_argument
from mmpolar.evaluation.one_pass import GIVEN, VideoReport, davis2016, evaluate, mean_values
from mmpolar.evaluation.sequence_report import nan_to_none
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.outputs import check_outputs

#: What is printed of DAVIS 2016.
COLUMNS = ('J_and_F', 'J', 'F', 'iou')
BENCHMARKS = ('davis2016', 'otb', 'lasot', 'uav123', 'got10k', 'segtrack_v2')
DESCRIPTION = """\
Track the videos of a benchmark from their first frames, and print what is reached:

  davis2016       J, the overlap of the masks, F, the agreement of their contours, and the overlap of the
                  boxes; frame 0 does not count, nor the last one, as in DAVIS's toolkit
  segtrack_v2     J and F: mean, recall, decay
  otb, lasot, uav123
                  success, precision and normalised precision of the boxes
  got10k          AO and SR of the validation set

All but davis2016 need PyTorch to read the data. docs/datasets.md says how these lie, docs/metrics.md what the
values mean. DAVIS 2017 and VOT: tools/test.py; test sets whose annotation is withheld: mmpolar submit."""
EPILOG = """\
examples
  mmpolar eval davis2016 --data data/DAVIS
  mmpolar eval davis2016 --data data/DAVIS --given box --model my_model --out values.json
  mmpolar eval lasot --data data/lasot --options split=extension

your own tracker, any object with init(frame, target) and step(frame), from Python:
  from mmpolar.evaluation.one_pass import davis2016, evaluate, mean_values
  print(mean_values(evaluate(tracker, davis2016('data/DAVIS'))))
  from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks
  otb = TRACK_BENCHMARKS['otb']
  reports, mean = evaluate_tracks(tracker, otb.read('data/otb'), otb.metric())
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark, its data and the tracker."""
    parser.add_argument('benchmark', choices=BENCHMARKS, help='which one')
    parser.add_argument('--data', required=True, metavar='DIR', help='its folder, as downloaded')
    parser.add_argument(
        '--given',
        choices=GIVEN,
        help='davis2016: what the target is given by in the first frame (default: mask)',
    )
    add_options_argument(parser)
    parser.add_argument('--model', metavar='NAME', help='see "mmpolar models"; or a model folder')
    parser.add_argument('--threads', type=int, help='threads of the network (default: 2)')
    parser.add_argument('--out', metavar='FILE', help='JSON file of the values to write')


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print a row a video."""
    check_outputs({'--out': args.out}, {'--data': args.data, 'the model': args.model})
    if args.benchmark == 'davis2016':
        if args.options:
            args.parser.error('--options is for the other benchmarks')
        reports, mean = run_davis2016(args)
        columns = COLUMNS
    else:
        if args.given:
            args.parser.error('--given is for davis2016')
        require_training(f'mmpolar eval {args.benchmark}')
        reports, mean = run_tracks(args)
        columns = list(mean)
    frames, seconds = sum(one.frames for one in reports), sum(one.seconds for one in reports)
    print_report(VideoReport(f'mean of {len(reports)} videos', mean, frames, seconds), columns)
    if args.out:
        content = dict(
            benchmark=args.benchmark,
            given=(args.given or GIVEN[0]) if args.benchmark == 'davis2016' else None,
            mean=mean,
            videos=[asdict(one) for one in reports],
        )
        atomic_write(Path(args.out), json.dumps(nan_to_none(content), indent=1))
    return 0


Evaluated = tuple[list[VideoReport], dict[str, float]]


def run_davis2016(args: argparse.Namespace) -> Evaluated:
    """Reports and means of DAVIS 2016."""
    videos = davis2016(args.data)
    tracker = build_tracker(args)
    print_header(args.benchmark, COLUMNS)
    reports = evaluate(
        tracker, videos, args.given or GIVEN[0], on_video=lambda one: print_report(one, COLUMNS)
    )
    return reports, mean_values(reports)


def run_tracks(args: argparse.Namespace) -> Evaluated:
    """Reports of another benchmark, and its values of all videos together."""
    from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks

    benchmark = TRACK_BENCHMARKS[args.benchmark]
    try:
        dataset = benchmark.read(args.data, **read_options(args.options))
    except TypeError as error:  # options that the class does not know
        raise ValueError(f'--options: {error}') from error
    metric, tracker = benchmark.metric(), build_tracker(args)
    print_header(args.benchmark, metric.columns)
    return evaluate_tracks(
        tracker, dataset, metric, on_video=lambda one: print_report(one, metric.columns)
    )


def build_tracker(args: argparse.Namespace) -> SingleTargetTracker:
    """The tracker that the arguments choose."""
    return init_tracker(args.model, engine='onnx', threads=args.threads)


def print_header(benchmark: str, columns: Sequence[str]) -> None:
    """Print the names of the columns."""
    print(f'{benchmark:24}' + ''.join(f'{name:>{_width(name)}}' for name in columns), end='')
    print(f'{"frames/s":>10}')


def print_report(report: VideoReport, columns: Sequence[str]) -> None:
    """Print a row."""
    rate = report.frames / report.seconds if report.seconds else float('nan')
    values = ''.join(f'{report.values.get(name, math.nan):{_width(name)}.3f}' for name in columns)
    print(f'{report.name:24}{values}{rate:10.1f}', flush=True)


def _width(column: str) -> int:
    return max(9, len(column) + 2)
