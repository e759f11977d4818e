"""Many videos in one ``mmpolar track``: on the cores of this machine, or on those of a Ray cluster."""

import argparse
import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import redirect_stderr
from copy import copy
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from mmpolar.cli.arguments import join_box_words
from mmpolar.cli.errors import INTERRUPTED
from mmpolar.cli.track_run import TrackRun, build_engine, check_job
from mmpolar.tracking import TrackEngine
from mmpolar.utils.available_cores import available_cores
from mmpolar.utils.outputs import is_same_file

#: Endings of files that list videos.
LIST_SUFFIXES = ('.list', '.txt')
#: Exit status if a video could not be tracked; the others were.
SOME_FAILED = 1
#: How often a video is taken up again after the process that tracked it has died.
_RETRIES = 5
_ANSWER_SECONDS = 10
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
    outcomes = on_ray(jobs, args.ray) if args.ray else in_threads(jobs)
    failed = count = 0
    try:
        for count, outcome in enumerate(outcomes, 1):
            failed += outcome.error is not None
            print(f'[{count}/{len(jobs)}] {outcome}', flush=True)
    except KeyboardInterrupt:
        print(
            f'stopped after {count} of {len(jobs)} videos; the same command goes on',
            file=sys.stderr,
        )
        return INTERRUPTED
    print(f'{count - failed} videos tracked, {failed} failed')
    return SOME_FAILED if failed else 0


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
    """
    try:
        run = TrackRun(job, job.source, shared_engine(job), stop, is_quiet=True)
        if run.journal.is_complete:
            return JobOutcome(job.source, was_done=True)
        run.resume()
        status = run.track()
    except (OSError, ValueError) as error:
        return JobOutcome(job.source, error=' '.join(str(error).split()))
    errors = {0: None, INTERRUPTED: 'stopped'}
    return JobOutcome(job.source, run.count, error=errors.get(status, 'the video ends early'))


def in_threads(jobs: Sequence[argparse.Namespace]) -> Iterator[JobOutcome]:
    """Track videos in this process, as many at a time as there are cores, with one network."""
    stop = threading.Event()
    with ThreadPoolExecutor(available_cores()) as pool:
        futures = [pool.submit(track_job, job, stop) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            stop.set()
            for future in futures:
                future.cancel()


def on_ray(jobs: Sequence[argparse.Namespace], address: str) -> Iterator[JobOutcome]:
    """Track videos on a Ray cluster, a core each.

    A video whose process or machine dies is taken up again by another one, from the last state that
    was written.

    Args:
        jobs: Arguments of the videos. Their files must lie in folders that all machines see.
        address: Of the cluster, such as ``auto`` or ``10.0.0.1:6379``.

    Raises:
        ValueError: If Ray is not installed, or there is no cluster.
    """
    if find_spec('ray') is None:
        raise ValueError('--ray needs Ray: pip install "mmpolar[ray]", on all machines')
    import ray

    try:
        _check_that_it_answers(address)
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f'no Ray cluster answers at {address} ({error}); start one with: ray start --head'
        ) from error
    try:
        tracked = {
            ray.remote(num_cpus=job.threads, max_retries=_RETRIES)(track_job).remote(job): job
            for job in jobs
        }
        pending = list(tracked)
        while pending:
            [done], pending = ray.wait(pending)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:
                source = tracked[done].source
                yield JobOutcome(source, error=str(error).strip().splitlines()[-1])
    finally:
        ray.shutdown()


def _check_that_it_answers(address: str) -> None:
    """Fail at once where nothing listens; Ray would try for six minutes."""
    host, _, port = address.rpartition(':')
    if '/' not in host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()


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
