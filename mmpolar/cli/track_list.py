"""Many videos in one ``mmpolar track``: on the cores of this machine, or on those of a Ray cluster."""

import argparse
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from copy import copy
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from mmpolar.cli.arguments import check_counts, join_box_words
from mmpolar.cli.errors import INTERRUPTED
from mmpolar.cli.track_run import TrackRun, build_engine, check_job
from mmpolar.tracking import TrackEngine
from mmpolar.utils.available_cores import available_cores
from mmpolar.utils.jobs import in_threads, on_ray
from mmpolar.utils.outputs import is_same_file
from mmpolar.utils.progress import counting

#: Endings of files that list videos.
LIST_SUFFIXES = ('.list', '.txt')
#: Exit status if a video could not be tracked; the others were.
SOME_FAILED = 1
#: What a line gives itself, and does not take from the command.
_OF_A_LINE = dict(out=(), box=None, point=None, mask=None, detections=None, show=False, ray=None)
#: What may be a path, relative to the folder in which the command runs.
_PATHS = ('source', 'model', 'mask', 'detections', 'config', 'checkpoint')


@dataclass(frozen=True)
class JobOutcome:
    """What became of a line of the list.

    Attributes:
        source: Its video.
        frames: Frames that have results, those of earlier runs among them.
        was_done: Whether an earlier run had finished it.
        error: Why it was not tracked to its end; None if it was.
    """

    source: str
    frames: int = 0
    was_done: bool = False
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f'{self.source}: {self.error}'
        return f'{self.source}: ' + ('done before' if self.was_done else f'{self.frames} frames')


def is_list(source: str) -> bool:
    """Whether a source is a file that lists videos."""
    return source.lower().endswith(LIST_SUFFIXES) and os.path.isfile(source)


def run_list(args: argparse.Namespace) -> int:
    """Track the videos of a list; those that an earlier run has finished are left out.

    Args:
        args: The arguments of the command, whose source is the list.

    Returns:
        The exit status.
    """
    jobs = read_list(args)
    failed = done = 0
    try:
        with counting('tracking', len(jobs), 'video') as count:
            for done, outcome in enumerate(track_jobs(jobs, args.ray), 1):
                failed += outcome.error is not None
                count.update()
                count.say(f'[{done}/{len(jobs)}] {outcome}')
    except KeyboardInterrupt:
        print(
            f'stopped after {done} of {len(jobs)} videos; the same command goes on',
            file=sys.stderr,
        )
        return INTERRUPTED
    print(f'{done - failed} videos tracked, {failed} failed')
    return SOME_FAILED if failed else 0


def track_jobs(jobs: Sequence[argparse.Namespace], ray: str | None) -> Iterator[JobOutcome]:
    """Track videos, as many at a time as there are cores: with one network, or on a Ray cluster.

    A video whose process or machine dies is taken up again by another one, from the last state that
    was written.

    Args:
        jobs: Arguments of the videos.
        ray: Address of the cluster; None for this process.

    Raises:
        ValueError: See :func:`mmpolar.utils.jobs.on_ray`.
    """
    if ray:
        ended = on_ray(track_job, jobs, ray, lambda job: job.threads)
    else:
        stop = threading.Event()
        ended = in_threads(partial(track_job, stop=stop), jobs, available_cores(), stop)
    for one in ended:
        yield one.value or JobOutcome(jobs[one.number].source, error=one.error)


def read_list(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The arguments of each video.

    Args:
        args: Those of the command; options that a line lacks are taken from them.

    Raises:
        ValueError: If a line cannot be understood, writes no lines of JSON, is no file, or writes
            what another one writes; or if there is no line.
    """
    jobs: list[argparse.Namespace] = []
    written: dict[str, int] = {}
    for number, line in enumerate(Path(args.source).read_text(encoding='utf-8').splitlines(), 1):
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        where = f'line {number} of {args.source}'
        try:
            job = _read_line(line, args)
            check_job(job)
        except (OSError, ValueError) as error:
            raise ValueError(f'{where}: {error}') from error
        for name in job.out:
            if name in written:
                raise ValueError(f'{where}: {name} is written by line {written[name]} too')
            if is_same_file(Path(name), Path(args.source)):
                raise ValueError(f'{where}: {name} would be written over the list')
            written[name] = number
        jobs.append(job)
    if not jobs:
        raise ValueError(f'{args.source} lists no video')
    return jobs


def track_job(job: argparse.Namespace, stop: threading.Event | None = None) -> JobOutcome:
    """Track one video, from where an earlier run was cut.

    It is the same function in a thread of this process and on a machine of a cluster.

    Args:
        job: Its arguments.
        stop: Set to end early.

    Raises:
        OSError, ValueError: If a file cannot be read or written.
    """
    run = TrackRun(job, job.source, shared_engine(job), stop, is_quiet=True)
    if run.journal.is_complete:
        return JobOutcome(job.source, was_done=True)
    run.resume()
    status = run.track()
    errors = {0: None, INTERRUPTED: 'stopped'}
    return JobOutcome(job.source, run.count, error=errors.get(status, 'the video ends early'))


_engines: dict[tuple, TrackEngine] = {}
_loading = threading.Lock()


def shared_engine(job: argparse.Namespace) -> TrackEngine:
    """The network of a video, which all videos of this process share that name the same one."""
    key = (job.model, job.config, job.checkpoint, job.device, job.threads)
    with _loading:
        if key not in _engines:
            _engines[key] = build_engine(job)
        return _engines[key]


def _read_line(line: str, args: argparse.Namespace) -> argparse.Namespace:
    """The arguments of a line, with absolute paths and without what cannot be sent elsewhere."""
    given = argparse.Namespace(**vars(args) | _OF_A_LINE)
    given.out, given.model = [], None  # a line may have a model of its own
    said = StringIO()
    try:
        with redirect_stderr(said):
            job = args.parser.parse_args(join_box_words(shlex.split(line)), copy(given))
            check_counts(job, args.parser, 'threads')
    except SystemExit as error:
        raise ValueError(said.getvalue().rpartition('error: ')[2].strip() or line) from error
    del job.parser, job.run
    job.threads = job.threads or 1
    job.model = job.model or args.model
    job.out = [os.path.abspath(name) + os.sep * name.endswith('/') for name in job.out]
    for name in _PATHS:
        path = getattr(job, name)
        if path is not None and os.path.exists(path):
            setattr(job, name, os.path.abspath(path))
    return job
