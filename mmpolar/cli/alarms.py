"""``mmpolar alarms``: what a detector's alarms in videos cost, and which threshold to set."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from mmpolar.cli.requirements import MissingPackagesError
from mmpolar.evaluation.video_level_report import (
    EVENT_COLUMNS,
    VideoLevelReport,
    list_events,
    read_videos,
)
from mmpolar.utils.atomic_write import atomic_table, atomic_write
from mmpolar.utils.outputs import check_outputs

DESCRIPTION = """\
Count the alarms of any detector in videos as the people count them who look at them: alarms that lie close
together are one event, false alarms per hour and per 1,000 videos stand beside the recall of videos, and
each value has its 95 % interval over the streams.

The table is a CSV file with a row a frame and the columns
  video        name of the video
  time         seconds from its beginning
  score        of the best detection in the frame, 0 if there is none
  has_target   1 if the frame shows a target, else 0 (without this column no frame does)
  stream       what recorded the video, such as a camera (default: each video is its own)
"mmpolar score" writes one with any detector, and VideoLevelMetric beside its report."""
EPILOG = """\
examples
  mmpolar alarms frames.csv --recall 0.8 0.9
  mmpolar alarms frames.csv --checks-per-day 50 --hours-per-day 2400     100 cameras, 24 hours each
  mmpolar alarms frames.csv --threshold 0.6 --events events.csv          one row an event, to look at
  mmpolar alarms frames.csv --plot alarms.png --json alarms.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the table, the points to report on, and what to write."""
    parser.add_argument('table', help='CSV file of frames, see above')
    parser.add_argument(
        '--threshold',
        type=float,
        nargs='+',
        default=[],
        metavar='SCORE',
        help='thresholds to report on',
    )
    parser.add_argument(
        '--recall',
        type=float,
        nargs='+',
        default=[0.8, 0.9],
        metavar='SHARE',
        help='recalls of videos to report on, the highest threshold that reaches each '
        '(default: 0.8 0.9)',
    )
    parser.add_argument(
        '--checks-per-day',
        type=float,
        nargs='+',
        default=[],
        metavar='N',
        help='events that can be checked a day: the lowest threshold that makes no more',
    )
    parser.add_argument(
        '--hours-per-day',
        type=float,
        default=24.0,
        metavar='HOURS',
        help='hours of video that are watched a day, 24 for each camera (default: %(default)g)',
    )
    parser.add_argument(
        '--max-gap',
        type=float,
        default=10.0,
        metavar='SECONDS',
        help='alarms at most this far apart are one event (default: %(default)g)',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the values to FILE')
    parser.add_argument(
        '--events',
        type=Path,
        metavar='FILE',
        help='CSV file of the events at the first point that is reported, highest score first',
    )
    parser.add_argument(
        '--plot', type=Path, metavar='FILE', help='plot false alarms over recall; needs matplotlib'
    )


def run(args: argparse.Namespace) -> int:
    """Count, print the table and write what is asked for."""
    outputs = {'--json': args.json, '--events': args.events, '--plot': args.plot}
    check_outputs(outputs, {'the table': args.table})
    if args.plot and find_spec('matplotlib') is None:
        raise MissingPackagesError('--plot needs matplotlib: pip install matplotlib')
    videos = read_videos(args.table)
    report = VideoLevelReport.of(
        videos,
        args.max_gap,
        thresholds=args.threshold,
        recalls=args.recall,
        checks_per_day=args.checks_per_day,
        hours_per_day=args.hours_per_day,
    )
    print(report.text())
    for warning in report.warnings():
        print(f'warning: {warning}')
    if args.json:
        atomic_write(args.json, report.to_json())
    if args.events:
        write_events(args, videos, report)
    if args.plot:
        write_plot(args, report)
    for path in filter(None, outputs.values()):
        print(f'written: {path}')
    return 0


def write_events(args: argparse.Namespace, videos: list, report: VideoLevelReport) -> None:
    """Write the events at the first point of the report."""
    if not report.readings:
        raise ValueError(
            '--events needs a point: --threshold, --recall with targets or --checks-per-day'
        )
    threshold = report.readings[0].point.threshold
    events = sorted(list_events(videos, args.max_gap, threshold), key=lambda event: -event['score'])
    with atomic_table(args.events) as writer:
        writer.writerow(EVENT_COLUMNS)
        writer.writerows([event[name] for name in EVENT_COLUMNS] for event in events)


def write_plot(args: argparse.Namespace, report: VideoLevelReport) -> None:
    """Plot the curve and the points of the report."""
    from mmpolar.visualization import plot_video_curves

    if not report.counts['videos_with_target']:
        raise ValueError(
            f'no video of {args.table} has a target (has_target = 1), and so there is no recall to plot'
        )
    marks = {reading.title: (reading.point, reading.intervals) for reading in report.readings}
    plot_video_curves({'': report.curve}, args.plot, marks)
