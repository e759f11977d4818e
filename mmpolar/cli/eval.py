"""``mmpolar eval``: what a tracker reaches on a benchmark."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import add_model_argument, read_options
from mmpolar.cli.engine_arguments import REGIONS
from mmpolar.cli.requirements import require_training
from mmpolar.cli.submissions import add_options_argument
from mmpolar.evaluation.functional import VOT_BENCHMARKS
from mmpolar.evaluation.one_pass import GIVEN, VideoReport, davis2016, evaluate, mean_values
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.outputs import check_outputs, check_writable
from mmpolar.utils.tables import write_json

#: What is printed of DAVIS 2016.
COLUMNS = ('J_and_F', 'J', 'F', 'iou')
BENCHMARKS = (
    'davis2016',
    'davis2017',
    'youtube_vos',
    'segtrack_v2',
    'otb',
    'lasot',
    'uav123',
    'got10k',
    'vot_lt',
    *VOT_BENCHMARKS,
)
#: Those in which a row is an object, of which a video may have several.
OBJECTS = ('davis2017', 'youtube_vos', 'segtrack_v2')
DESCRIPTION = """\
Track the videos of a benchmark from their first frames, and print what is reached:

  davis2016       J, the overlap of the masks, F, the agreement of their contours, and the overlap of the
                  boxes; frame 0 does not count, nor the last one, as in DAVIS's toolkit
  davis2017       J and F of each object: mean, recall, decay; of objects that overlap in a pixel the one with
                  the highest score has it
  youtube_vos     the same, objects that appear later included, on the training videos, or on those of
                  --options ann_file=FILE; with --seen also G over seen and unseen categories
  segtrack_v2     J and F of each object
  otb, lasot, uav123
                  success, precision and normalised precision of the boxes
  got10k          AO and SR of the validation set
  vot_lt          sequences whose target leaves and returns, as of VOT2018-LT to VOT2022-LT: precision, recall
                  and F over all thresholds of the score, and the values of VOTS
  vot2015 ... vot2022
                  accuracy, robustness and EAO: started again after failures up to 2019, from anchors since

All but davis2016 need PyTorch to read the data. docs/datasets.md says how these lie, docs/metrics.md what the
values mean. Test sets whose annotation is withheld: mmpolar submit."""
EPILOG = """\
examples
  mmpolar eval davis2016 --data data/DAVIS
  mmpolar eval davis2016 --data data/DAVIS --given box --model my_model --out values.json
  mmpolar eval lasot --data data/lasot --options split=extension
  mmpolar eval youtube_vos --data data/youtube_vos --options ann_file=held_out.json
  mmpolar eval vot2018 --data data/vot2018 --region box

your own tracker, any object with init(frame, target) and step(frame), from Python:
  from mmpolar.evaluation.one_pass import davis2016, evaluate, mean_values
  print(mean_values(evaluate(tracker, davis2016('data/DAVIS'))))
  from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks
  davis2017 = TRACK_BENCHMARKS['davis2017']
  reports, mean = evaluate_tracks(tracker, davis2017.read('data/DAVIS'), davis2017.metric())
  from mmpolar.datasets import VOTDataset
  from mmpolar.evaluation.vot_benchmark import evaluate_vot
  reports, mean = evaluate_vot(tracker, VOTDataset('data/vot2018'), year=2018)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark, its data and the tracker."""
    parser.add_argument(
        'benchmark', choices=BENCHMARKS, metavar='BENCHMARK', help='which one, see above'
    )
    parser.add_argument('--data', required=True, metavar='DIR', help='its folder, as downloaded')
    parser.add_argument(
        '--given',
        choices=GIVEN,
        help='davis2016: what the target is given by in the first frame (default: mask)',
    )
    parser.add_argument(
        '--region',
        choices=REGIONS,
        help='VOT: what is answered (default: masks if the tracker gives some)',
    )
    parser.add_argument(
        '--seen',
        metavar='FILE',
        help='youtube_vos: meta.json of the videos that the tracker was trained on',
    )
    add_options_argument(parser)
    add_model_argument(parser)
    parser.add_argument('--threads', type=int, help='threads of the network (default: 2)')
    parser.add_argument(
        '--out', metavar='FILE', help='JSON file of the values to write, after each video'
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print a row a video."""
    check_arguments(args)
    table = Table(args)
    if args.benchmark == 'davis2016':
        mean = run_davis2016(args, table)
    else:
        require_training(f'mmpolar eval {args.benchmark}')
        mean = (run_vot if args.benchmark in VOT_BENCHMARKS else run_tracks)(args, table)
    table.end(mean)
    return 0


class Table:
    """Reports of videos as they come, printed and written.

    Args:
        args: The arguments, which say what is measured and what is written.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._reports: list[VideoReport] = []
        self._columns: Sequence[str] = ()

    def begin(self, columns: Sequence[str]) -> None:
        """Print the names of the columns."""
        self._columns = columns
        names = ''.join(f'{name:>{_width(name)}}' for name in columns)
        print(f'{self._args.benchmark:24}{names}{"frames/s":>10}')

    def add(self, report: VideoReport) -> None:
        """Print a row; what was computed until then is in the file."""
        self._reports.append(report)
        self._print(report, self._columns)
        self._write(None)

    def end(self, mean: dict[str, float]) -> None:
        """Print the values of all videos together."""
        frames = sum(one.frames for one in self._reports)
        seconds = sum(one.seconds for one in self._reports)
        kind = 'objects' if self._args.benchmark in OBJECTS else 'videos'
        name = f'mean of {len(self._reports)} {kind}'
        columns = self._columns if self._args.benchmark == 'davis2016' else list(mean)
        self._print(VideoReport(name, mean, frames, seconds), columns)
        self._write(mean)

    def _print(self, report: VideoReport, columns: Sequence[str]) -> None:
        rate = report.frames / report.seconds if report.seconds else math.nan
        values = (f'{report.values.get(name, math.nan):{_width(name)}.3f}' for name in columns)
        print(f'{report.name:24}{"".join(values)}{rate:10.1f}', flush=True)

    def _write(self, mean: dict[str, float] | None) -> None:
        if not self._args.out:
            return
        is_davis2016 = self._args.benchmark == 'davis2016'
        content = dict(
            benchmark=self._args.benchmark,
            given=(self._args.given or GIVEN[0]) if is_davis2016 else None,
            mean=mean,
            videos=[asdict(one) for one in self._reports],
        )
        write_json(self._args.out, content)


def check_arguments(args: argparse.Namespace) -> None:
    """End with an error where arguments do not go together, or something is missing."""
    wrong = {
        '--options is for the other benchmarks': args.benchmark == 'davis2016' and args.options,
        '--given is for davis2016': args.given and args.benchmark != 'davis2016',
        '--region is for the benchmarks of VOT': args.region
        and args.benchmark not in VOT_BENCHMARKS,
        '--seen is for youtube_vos': args.seen and args.benchmark != 'youtube_vos',
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            args.parser.error(message)
    check_outputs({'--out': args.out}, {'--data': args.data, 'the model': args.model})
    if args.out:
        check_writable('--out', args.out)


def run_davis2016(args: argparse.Namespace, table: Table) -> dict[str, float]:
    """Means of DAVIS 2016."""
    videos, tracker = davis2016(args.data), build_tracker(args)
    table.begin(COLUMNS)
    return mean_values(evaluate(tracker, videos, args.given or GIVEN[0], on_video=table.add))


def run_vot(args: argparse.Namespace, table: Table) -> dict[str, float]:
    """Values of a challenge of VOT, of all sequences together."""
    from mmpolar.datasets import VOTDataset
    from mmpolar.evaluation.vot_benchmark import columns, evaluate_vot

    year = VOT_BENCHMARKS[args.benchmark]
    dataset, tracker = open_dataset(args, VOTDataset), build_tracker(args)
    table.begin(columns(year))
    return evaluate_vot(tracker, dataset, year, args.region, table.add)[1]


def run_tracks(args: argparse.Namespace, table: Table) -> dict[str, float]:
    """Values of another benchmark, of all its videos or objects together."""
    from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks

    benchmark = TRACK_BENCHMARKS[args.benchmark]
    dataset = open_dataset(args, benchmark.read)
    metric = benchmark.metric(seen_categories=args.seen) if args.seen else benchmark.metric()
    tracker = build_tracker(args)
    table.begin(metric.columns)
    return evaluate_tracks(tracker, dataset, metric, table.add)[1]


Dataset = TypeVar('Dataset')


def open_dataset(args: argparse.Namespace, read: Callable[..., Dataset]) -> Dataset:
    """The data that the arguments name.

    Raises:
        ValueError: If the dataset does not know an option.
    """
    try:
        return read(args.data, **read_options(args.options))
    except TypeError as error:
        raise ValueError(f'--options: {error}') from error


def build_tracker(args: argparse.Namespace) -> SingleTargetTracker:
    """The tracker that the arguments choose."""
    return init_tracker(args.model, engine='onnx', threads=args.threads)


def _width(column: str) -> int:
    return max(9, len(column) + 2)
