"""``mmpolar eval``: what a tracker reaches on a benchmark."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from mmpolar.apis import init_tracker
from mmpolar.evaluation.one_pass import GIVEN, VideoReport, davis2016, evaluate, mean_values
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.outputs import check_outputs

BENCHMARKS = {'davis2016': davis2016}
COLUMNS = ('J_and_F', 'J', 'F', 'iou')
DESCRIPTION = """\
Track the videos of a benchmark from their first frames, and print what is reached: J, the overlap of the
masks, F, the agreement of their contours, and the overlap of the boxes. Frame 0 does not count, nor the
last one, as in DAVIS's toolkit. Other benchmarks: tools/test.py, which needs PyTorch."""
EPILOG = """\
examples
  mmpolar eval davis2016 --data data/DAVIS
  mmpolar eval davis2016 --data data/DAVIS --given box --model my_model --out values.json

your own tracker, any object with init(frame, target) and step(frame), from Python:
  from mmpolar.evaluation.one_pass import davis2016, evaluate, mean_values
  print(mean_values(evaluate(tracker, davis2016('data/DAVIS'))))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark, its data and the tracker."""
    parser.add_argument('benchmark', choices=BENCHMARKS, help='which one')
    parser.add_argument('--data', required=True, metavar='DIR', help='its folder, as downloaded')
    parser.add_argument(
        '--given',
        choices=GIVEN,
        default='mask',
        help='what the target is given by in the first frame (default: %(default)s)',
    )
    parser.add_argument('--model', metavar='NAME', help='see "mmpolar models"; or a model folder')
    parser.add_argument('--threads', type=int, help='threads of the network (default: 2)')
    parser.add_argument('--out', metavar='FILE', help='JSON file of the values to write')


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print a row a video."""
    check_outputs({'--out': args.out}, {'--data': args.data, 'the model': args.model})
    videos = BENCHMARKS[args.benchmark](args.data)
    tracker = init_tracker(args.model, engine='onnx', threads=args.threads)
    print(f'{args.benchmark:24}' + ''.join(f'{name:>9}' for name in COLUMNS) + f'{"frames/s":>10}')
    reports = evaluate(tracker, videos, args.given, on_video=print_report)
    mean = mean_values(reports)
    frames, seconds = sum(one.frames for one in reports), sum(one.seconds for one in reports)
    print_report(VideoReport(f'mean of {len(reports)} videos', mean, frames, seconds))
    if args.out:
        content = dict(
            benchmark=args.benchmark,
            given=args.given,
            mean=mean,
            videos=[asdict(report) for report in reports],
        )
        atomic_write(Path(args.out), json.dumps(content, indent=1))
    return 0


def print_report(report: VideoReport) -> None:
    """Print a row."""
    rate = report.frames / report.seconds if report.seconds else float('nan')
    values = ''.join(f'{report.values[name]:9.3f}' for name in COLUMNS)
    print(f'{report.name:24}{values}{rate:10.1f}', flush=True)
