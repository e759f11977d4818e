"""Independent jobs: one by one, in threads or processes of this machine, or on a Ray cluster.

A job is a function of an item. It is the same function wherever it runs, and a job that fails does not
stop the others.
"""

import logging
import multiprocessing
import os
import socket
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from mmpolar.utils.processes import begin_worker

Item = TypeVar('Item')
Value = TypeVar('Value')
Function = Callable[[Item], Value]

#: How often a job is taken up again after the process that ran it has died.
RETRIES = 5
_ANSWER_SECONDS = 10
#: Jobs that a cluster is given before it has ended others: waiting takes longer the more there are.
_MOST_GIVEN = 1000
#: Environment variables of the command that hold on other machines too.
_OWN_VARIABLES = 'MMPOLAR_'


@dataclass(frozen=True)
class Ended(Generic[Value]):
    """How a job has ended.

    Attributes:
        number: Index of its item.
        value: What the function gave; None if it failed.
        error: Why it failed, in one line; None if it did not.
    """

    number: int
    value: Value | None = None
    error: str | None = None


def run_jobs(
    function: Function,
    items: Sequence[Item],
    workers: int = 1,
    ray: str | None = None,
    cores: float = 1,
    gpus: float = 0,
) -> Iterator[Ended[Value]]:
    """Run jobs where the user wants them to run.

    Args:
        function: Takes an item. With several workers or Ray it must be a function of a module, and the
            items and what it gives must be picklable.
        items: What it is called with.
        workers: Processes of this machine, at least 1; with 1 this process works.
        ray: Address of a Ray cluster, see :func:`on_ray`; None for this machine.
        cores: Cores of the cluster that a job takes.
        gpus: GPUs of the cluster that a job takes, perhaps a share of one.

    Yields:
        How each job ended, as soon as it has.

    Raises:
        ValueError: If there is no Ray, or no cluster.

    Example:
        >>> from mmpolar.utils.jobs import run_jobs
        >>> [ended.value for ended in run_jobs(abs, [-1, 2])]
        [1, 2]
    """
    if not items:
        return
    if ray is not None:
        yield from on_ray(function, items, ray, lambda _: cores, gpus)
    elif workers > 1:
        yield from in_processes(function, items, workers)
    else:
        for number, item in enumerate(items):
            yield Ended(number, *_attempt(function, item))


def in_threads(
    function: Function, items: Sequence[Item], workers: int, stop: threading.Event
) -> Iterator[Ended[Value]]:
    """Run jobs in threads of this process.

    Args:
        function: Takes an item.
        items: What it is called with.
        workers: Threads.
        stop: Set when no more results are wanted, for the function to end early.
    """
    with ThreadPoolExecutor(workers) as pool:
        numbers = {pool.submit(_attempt, function, item): n for n, item in enumerate(items)}
        try:
            for future in as_completed(numbers):
                yield Ended(numbers[future], *future.result())
        finally:
            stop.set()
            _cancel(numbers)


def in_processes(function: Function, items: Sequence[Item], workers: int) -> Iterator[Ended[Value]]:
    """Run jobs in processes of this machine.

    When one of them dies, the jobs that have not ended are taken up again by new ones, last those that
    may have been the reason. If none has ended in between they are taken up one by one, so that a job
    whose process always dies does not take others with it.

    Args:
        function: Takes an item; see :func:`run_jobs`.
        items: What it is called with.
        workers: Processes.
    """
    pending, in_vain = dict(enumerate(items)), 0
    # Where so many die one after the other without a result in between it is not the jobs.
    while pending and in_vain <= RETRIES * min(len(pending), workers + 1):
        before, at_once = len(pending), 1 if in_vain else workers
        for number, found in _until_one_dies(function, pending, at_once):
            yield Ended(number, *found)
            del pending[number]
        in_vain = in_vain + 1 if len(pending) == before else 0
        order = list(pending)
        # One job more than there are workers waits in their queue; a lone worker has not begun it.
        begun = 1 if at_once == 1 else workers + 1
        pending = {number: pending[number] for number in order[begun:] + order[:begun]}
    for number in pending:
        yield Ended(number, error=f'its process has died {RETRIES + 1} times; is memory short?')


def on_ray(
    function: Function,
    items: Iterable[Item],
    address: str,
    cores_of: Callable[[Item], float],
    gpus: float = 0,
) -> Iterator[Ended[Value]]:
    """Run jobs on a Ray cluster, in the folder of this process.

    A job whose process or machine dies is taken up again by another one.

    Args:
        function: Takes an item; see :func:`run_jobs`. Files that it reads and writes must lie in folders
            that all machines see under the same paths.
        items: What it is called with.
        address: Of the cluster, such as ``auto`` or ``10.0.0.1:6379``; a program that has called
            ``ray.init`` stays in its own.
        cores_of: Cores that the job of an item takes.
        gpus: GPUs that a job takes, perhaps a share of one.

    Raises:
        ValueError: If Ray is not installed, or there is no cluster.
    """
    ray, is_ours = _connect(address)
    remote = ray.remote(max_retries=RETRIES)(_attempt_there)
    variables = {name: text for name, text in os.environ.items() if name.startswith(_OWN_VARIABLES)}
    numbers: dict[Any, int] = {}
    most_cores = 0.0
    try:
        for number, item in enumerate(items):
            cores = cores_of(item)
            if cores > most_cores:
                most_cores = cores
                _warn_if_it_waits(ray, cores, gpus)
            task = remote.options(num_cpus=cores, num_gpus=gpus, name=_name(function))
            numbers[task.remote(function, item, os.getcwd(), variables)] = number
            if len(numbers) >= _MOST_GIVEN:
                yield _next_ended(ray, numbers)
        while numbers:
            yield _next_ended(ray, numbers)
    finally:
        if is_ours:
            ray.shutdown()


def _attempt(function: Function, item: Item) -> tuple[Value | None, str | None]:
    """What a function gives, or why it fails."""
    try:
        return function(item), None
    except Exception as error:  # One job must not end a run.
        return None, error_line(error)


def error_line(error: Exception) -> str:
    """What went wrong, in one line; with its location in the sources where no message was made for it."""
    text = ' '.join(str(error).split())
    if isinstance(error, OSError | ValueError) and text:
        return text
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = ''.join(f' ({Path(frame.filename).name}, line {frame.lineno})' for frame in last)
    return f'{type(error).__name__}: {text}{where}'


def _attempt_there(
    function: Function, item: Item, folder: str, variables: dict[str, str]
) -> tuple[Value | None, str | None]:
    """A job on a machine of a cluster, in the folder and with the variables of the command."""
    with suppress(OSError):  # Jobs with absolute paths run without it.
        os.chdir(folder)
    os.environ.update(variables)
    return _attempt(function, item)


def _until_one_dies(
    function: Function, pending: dict[int, Item], workers: int
) -> Iterator[tuple[int, tuple[Value | None, str | None]]]:
    """Jobs that ended in new processes, until all have or one of the processes has died."""
    # Threads of networks in this process would not survive a fork.
    context = multiprocessing.get_context('spawn')
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(workers, len(pending)), context, begin_worker) as pool:
        numbers = {pool.submit(_attempt, function, item): n for n, item in pending.items()}
        processes = set(multiprocessing.active_children()) - others
        try:
            for future in as_completed(numbers):
                if not isinstance(future.exception(), BrokenProcessPool):
                    yield numbers[future], future.result()
        except BaseException:  # Nobody waits for what they are doing.
            for process in processes:
                process.kill()
            raise
        finally:
            _cancel(numbers)


def _cancel(futures: Iterable[Future]) -> None:
    for future in futures:
        future.cancel()


def _connect(address: str) -> tuple[Any, bool]:
    """Ray, connected to a cluster, and whether it was not before."""
    if find_spec('ray') is None:
        raise ValueError('--ray needs Ray: pip install "mmpolar[ray]", on all machines')
    import ray

    if ray.is_initialized():
        return ray, False
    try:
        _check_that_it_answers(address)
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f'no Ray cluster answers at {address} ({error}); start one with: ray start --head'
        ) from error
    return ray, True


def _check_that_it_answers(address: str) -> None:
    """Fail at once where nothing listens; Ray would try for six minutes."""
    host, _, port = address.rpartition(':')
    if '/' not in host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()


def _warn_if_it_waits(ray: Any, cores: float, gpus: float) -> None:
    """Say so where no machine could run a job: Ray waits for one that can, which may never come."""
    machines = [node['Resources'] for node in ray.nodes() if node['Alive']]
    if not any(one.get('CPU', 0) >= cores and one.get('GPU', 0) >= gpus for one in machines):
        warnings.warn(
            f'no machine of the cluster has {cores:g} cores and {gpus:g} GPUs, which a job takes; it waits '
            'for one that has'
        )


def _name(function: Function) -> str:
    """Name of the jobs of a function in Ray's dashboard."""
    return getattr(function, '__name__', type(function).__name__)


def _next_ended(ray: Any, numbers: dict[Any, int]) -> Ended[Value]:
    """Wait for a job, and take it out of those that run."""
    [done], _ = ray.wait(list(numbers))
    number = numbers.pop(done)
    try:
        return Ended(number, *ray.get(done))
    except ray.exceptions.RayError as error:  # its process died again and again
        return Ended(number, error=str(error).strip().splitlines()[-1])
