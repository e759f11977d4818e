"""``mmpolar score``: the table of a pool's scores by any detector, on one core or on many machines."""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from mmpolar.cli.arguments import add_job_arguments, check_job_arguments
from mmpolar.cli.errors import INTERRUPTED
from mmpolar.cli.score_jobs import (
    Detector,
    JobScores,
    ScoreJob,
    describe,
    find_pool,
    make_jobs,
    score_job,
    write_table,
)
from mmpolar.utils.job_journal import JobJournal
from mmpolar.utils.jobs import run_jobs
from mmpolar.utils.outputs import check_outputs, check_writable
from mmpolar.utils.progress import Count, counting

#: Exit status if an image or a video could not be scored; the others were.
SOME_FAILED = 1
DESCRIPTION = """\
Run your own detector on every image and video of a pool, and write the table of scores that "mmpolar mine"
takes for images and "mmpolar alarms" for videos.

The detector is a Python file. What it loads at its top, such as the network, is loaded once in a process;
its function score(path) gives a row for each detection in an image, or for each frame of a video, as
dictionaries with
  score        and of an image, if known,
  x, y, w, h   box of the detection, left, top, width and height in pixels
  label        its class
  group        what recorded the image, such as a camera
  time, has_target, stream
               of a frame: see "mmpolar alarms --help"
An image without a row gets one with score 0.

After a stop the same command goes on. An image that cannot be scored is named and does not stop the others;
the same command tries it again."""
EPILOG = """\
examples
  mmpolar score detector.py pool --out scores.csv
  mmpolar score detector.py pool more_images.txt --out scores.csv --workers 8
  mmpolar score detector.py videos --out frames.csv --ray auto
  a GPU of a cluster for four processes:
    mmpolar score detector.py pool --out scores.csv --ray auto --gpus 0.25

detectors of Ultralytics, torchvision and ONNX: docs/mine_any_detector.md

exit code: 0 done, 1 some could not be scored, 2 wrong usage or files, 130 stopped by Ctrl-C
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the detector, the pool, the table, and where jobs run."""
    parser.add_argument('detector', help='Python file with a function score(path), see above')
    parser.add_argument(
        'pool',
        nargs='+',
        help='images, videos, folders of them, or text files ending in .list or .txt with a path a line',
    )
    parser.add_argument('--out', required=True, metavar='FILE', help='CSV file to write')
    add_job_arguments(parser, 'images or videos')
    parser.add_argument(
        '--gpus',
        type=float,
        default=0,
        metavar='SHARE',
        help='with --ray: GPUs that a process takes, perhaps a share of one (default: none)',
    )


def run(args: argparse.Namespace) -> int:
    """Score what no earlier run has, and write the table."""
    check_arguments(args)
    description, paths = describe(args.detector), find_pool(args.pool)
    detector = Detector(os.path.abspath(args.detector), json.dumps(description))
    errors: dict[str, str] = {}
    with JobJournal(args.out, description) as journal:
        pending = [path for path in paths if path not in journal]
        if journal:
            print(f'{len(journal)} were scored before ({journal.path})', file=sys.stderr)
        try:
            with counting('scoring', len(pending), 'image') as count:
                score_pool(args, detector, pending, journal, errors, count)
        except KeyboardInterrupt:
            print(
                f'stopped after {len(journal)} of {len(paths)}; the same command goes on',
                file=sys.stderr,
            )
            return INTERRUPTED
        if len(errors) == len(paths):
            raise ValueError(f'none of {len(paths)} images and videos could be scored')
        write_table(args.out, paths, journal)
        print(f'{len(paths) - len(errors)} scored, {len(errors)} failed: {args.out}')
        if errors:
            return SOME_FAILED
        journal.remove()
    return 0


def check_arguments(args: argparse.Namespace) -> None:
    """End with an error where arguments do not go together, or the table cannot be written."""
    check_job_arguments(args)
    if args.gpus < 0 or (args.gpus and not args.ray):
        args.parser.error('--gpus is for --ray, and at least 0')
    inputs = {'the detector': args.detector}
    inputs |= {f'the pool {name}:': name for name in args.pool if not os.path.isdir(name)}
    if not args.out.lower().endswith('.csv'):
        args.parser.error(f'--out is a table and ends in .csv, got {args.out}')
    check_outputs({'--out': args.out}, inputs)
    check_writable('--out', args.out)


def score_pool(
    args: argparse.Namespace,
    detector: Detector,
    paths: Sequence[str],
    journal: JobJournal,
    errors: dict[str, str],
    count: Count,
) -> None:
    """Score images and videos.

    Args:
        args: The arguments, which say where.
        detector: The detector.
        paths: What to score.
        journal: Gets the rows.
        errors: Gets why a path could not be scored.
        count: Counts them.

    Raises:
        ValueError: If the detector cannot be used.
    """
    is_alone = args.workers == 1 and not args.ray
    if not is_alone:
        # One core is a process's: libraries of networks would take all of the machine.
        os.environ.setdefault('OMP_NUM_THREADS', '1')
    died = take(args, make_jobs(detector, paths, not is_alone), journal, errors, count)
    # What killed its process is one of several.
    again = [path for job in died for path in job.paths if len(job.paths) > 1]
    died = [job for job in died if len(job.paths) == 1]
    died += take(args, make_jobs(detector, again, False), journal, errors, count)
    for job in died:
        fail(job.paths[0], 'its process has died', errors, count)


def take(
    args: argparse.Namespace,
    jobs: Sequence[ScoreJob],
    journal: JobJournal,
    errors: dict[str, str],
    count: Count,
) -> list[ScoreJob]:
    """Run jobs, and take what they give; gives those whose process has died again and again."""
    died = []
    for ended in run_jobs(score_job, jobs, args.workers, args.ray, gpus=args.gpus):
        if ended.error is not None:
            died.append(jobs[ended.number])
            continue
        found: JobScores = ended.value
        if found.unusable:
            raise ValueError(found.unusable)
        for path, rows in found.rows.items():
            journal.add(path, rows)
            count.update()
        for path, error in found.errors.items():
            fail(path, error, errors, count)
    return died


def fail(path: str, error: str, errors: dict[str, str], count: Count) -> None:
    """Say at once what could not be scored."""
    errors[path] = error
    count.say(f'error: {path}: {error}', sys.stderr)
    count.update()
