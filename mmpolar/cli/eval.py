"""``mmpolar eval``: what a tracker reaches on a benchmark."""

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict

from mmpolar.cli.arguments import (
    add_job_arguments,
    add_model_argument,
    check_counts,
    check_job_arguments,
)
from mmpolar.cli.engine_arguments import REGIONS
from mmpolar.cli.errors import INTERRUPTED, USAGE_ERROR
from mmpolar.cli.eval_jobs import (
    DAVIS2016_COLUMNS,
    Benchmark,
    EvalSettings,
    VideoResult,
    build_tracker,
    evaluate_job,
    open_benchmark,
)
from mmpolar.cli.requirements import require_training
from mmpolar.cli.submissions import add_options_argument
from mmpolar.evaluation.functional import VOT_BENCHMARKS
from mmpolar.evaluation.one_pass import GIVEN, VideoReport
from mmpolar.utils.job_journal import JobJournal
from mmpolar.utils.jobs import run_jobs
from mmpolar.utils.outputs import check_outputs, check_writable
from mmpolar.utils.progress import Count, counting
from mmpolar.utils.tables import write_json

#: What is printed of DAVIS 2016.
COLUMNS = DAVIS2016_COLUMNS
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
  many videos at the same time, on this machine or on a Ray cluster, with the same values; after a stop
  the same command goes on:
    mmpolar eval lasot --data data/lasot --out values.json --workers 8
    mmpolar eval lasot --data data/lasot --out values.json --ray auto

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
    parser.add_argument(
        '--threads',
        type=int,
        help='threads of the network (default: 2, or 1 with --workers or --ray)',
    )
    add_job_arguments(parser, 'videos')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='JSON file of the values to write, after each video; with it the same command goes on '
        'after a stop',
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print a row a video."""
    check_arguments(args)
    if args.benchmark != 'davis2016':
        require_training(f'mmpolar eval {args.benchmark}')
    settings = EvalSettings.of(args)
    benchmark = open_benchmark(settings)
    build_tracker(settings)  # what is wrong with it is said before anything runs
    with open_journal(args.out, settings) as journal:
        with counting('evaluating', len(benchmark.names), 'video') as count:
            table = Table(args, benchmark, count)
            table.begin()
            errors: dict[int, str] = {}
            try:
                evaluate_videos(args, settings, journal, table, errors)
            except KeyboardInterrupt:
                return say_stopped(args, table)
        return say_end(args, journal, table, errors)


def open_journal(
    out: str | None, settings: EvalSettings
) -> 'AbstractContextManager[JobJournal | None]':
    """Where results are kept for a later run; None if nothing is written."""
    return JobJournal(out, settings.description()) if out else nullcontext()


def evaluate_videos(
    args: argparse.Namespace,
    settings: EvalSettings,
    journal: JobJournal | None,
    table: 'Table',
    errors: dict[int, str],
) -> None:
    """Evaluate the videos that no earlier run has, and fill the table.

    Args:
        args: The arguments, which say where.
        settings: What the values depend on.
        journal: What was evaluated, also by an earlier run that was cut.
        table: Gets each result.
        errors: Gets why a video failed, by its index.
    """
    keys = [f'{number} {name}' for number, name in enumerate(table.benchmark.names)]
    for number, key in enumerate(keys):
        if journal is not None and key in journal:
            table.add(number, VideoResult.from_json(journal[key]))
    if journal:
        print(f'{len(journal)} videos were evaluated before ({journal.path})', file=sys.stderr)
    numbers = [number for number in range(len(keys)) if number not in table.results]
    jobs = [(settings, number) for number in numbers]
    for ended in run_jobs(evaluate_job, jobs, args.workers, args.ray, settings.threads or 1):
        number = numbers[ended.number]
        if ended.error is not None:
            errors[number] = ended.error
            table.fail(number, ended.error)
            continue
        if journal is not None:
            journal.add(keys[number], ended.value.to_json())
        table.add(number, ended.value)


def say_stopped(args: argparse.Namespace, table: 'Table') -> int:
    """Say how far it is; gives the exit status."""
    goes_on = '; the same command goes on' if args.out else ''
    total = len(table.benchmark.names)
    print(f'stopped after {len(table.results)} of {total} videos{goes_on}', file=sys.stderr)
    return INTERRUPTED


def say_end(
    args: argparse.Namespace,
    journal: JobJournal | None,
    table: 'Table',
    errors: Mapping[int, str],
) -> int:
    """Print the values of all videos together if there are all; gives the exit status."""
    if not errors:
        table.end()
        if journal is not None:
            journal.remove()
        return 0
    again = '; the same command tries them again' if args.out else ''
    print(
        f'{len(errors)} of {len(table.benchmark.names)} videos failed, so there is no mean{again}',
        file=sys.stderr,
    )
    return USAGE_ERROR


class Table:
    """Results of videos as they come, printed and written.

    Args:
        args: The arguments, which say what is written.
        benchmark: What is measured.
        count: Prints, and counts the videos.

    Attributes:
        benchmark: What is measured.
        results: Of the videos, by their index.
    """

    def __init__(self, args: argparse.Namespace, benchmark: Benchmark, count: Count) -> None:
        self.benchmark = benchmark
        self.results: dict[int, VideoResult] = {}
        self._args, self._count = args, count

    def begin(self) -> None:
        """Print the names of the columns."""
        names = ''.join(f'{name:>{_width(name)}}' for name in self.benchmark.columns)
        self._count.say(f'{self._args.benchmark:24}{names}{"frames/s":>10}')

    def add(self, number: int, result: VideoResult) -> None:
        """Print the rows of a video; what was computed until then is in the file."""
        self.results[number] = result
        for report in result.reports:
            self._count.say(_row(report, self.benchmark.columns))
        self._count.update()
        self._write(None)

    def fail(self, number: int, error: str) -> None:
        """Say why a video has no values."""
        self._count.say(f'error: {self.benchmark.names[number]}: {error}', sys.stderr)
        self._count.update()

    def end(self) -> None:
        """Print the values of all videos together."""
        reports = list(self._reports())
        mean = self.benchmark.mean(reports, [one.scored for one in self._in_order()])
        frames = sum(one.frames for one in reports)
        seconds = sum(one.seconds for one in reports)
        kind = 'objects' if self._args.benchmark in OBJECTS else 'videos'
        name = f'mean of {len(reports)} {kind}'
        columns = COLUMNS if self._args.benchmark == 'davis2016' else list(mean)
        self._count.say(_row(VideoReport(name, mean, frames, seconds), columns))
        self._write(mean)

    def _in_order(self) -> Iterator[VideoResult]:
        return (self.results[number] for number in sorted(self.results))

    def _reports(self) -> Iterator[VideoReport]:
        return (report for one in self._in_order() for report in one.reports)

    def _write(self, mean: dict[str, float] | None) -> None:
        if not self._args.out:
            return
        is_davis2016 = self._args.benchmark == 'davis2016'
        content = dict(
            benchmark=self._args.benchmark,
            given=(self._args.given or GIVEN[0]) if is_davis2016 else None,
            mean=mean,
            videos=[asdict(one) for one in self._reports()],
        )
        write_json(self._args.out, content)


def _row(report: VideoReport, columns: Sequence[str]) -> str:
    rate = report.frames / report.seconds if report.seconds else math.nan
    values = (f'{report.values.get(name, math.nan):{_width(name)}.3f}' for name in columns)
    return f'{report.name:24}{"".join(values)}{rate:10.1f}'


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
    check_counts(args, args.parser, 'threads')
    check_job_arguments(args)
    check_outputs({'--out': args.out}, {'--data': args.data, 'the model': args.model})
    if args.out:
        check_writable('--out', args.out)


def _width(column: str) -> int:
    return max(9, len(column) + 2)
