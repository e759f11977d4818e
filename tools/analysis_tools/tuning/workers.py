"""Running trials, in this process or in several that work on one study."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

import cv2
import optuna
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from optuna.trial import FrozenTrial

from mmpolar.apis import init_tracker
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.registry import METRICS
from tuning.objective import Objective
from tuning.search_space import Range
from tuning.study import open_storage, open_study, sign_trial
from tuning.validation_data import ValidationData

_SECONDS_TO_LOOK = 1.0
_SECONDS_TO_END = 10.0


@dataclass(frozen=True)
class Job:
    """Everything that a process needs for its trials; it travels by pickling.

    Attributes:
        cfg: The config.
        checkpoint: File of the weights.
        device: Device of PyTorch; with several GPUs ``cuda`` spreads the processes over them.
        data: The validation videos.
        metric: Config of the metric.
        figure: Name of its figure.
        ranges: The tuned parameters.
        storage: See :func:`tuning.study.open_storage`.
        study_name: Name of the study.
        seed: Seed of the first process; the others count on from there.
        prune: Whether bad trials are given up early.
        threads: Threads of PyTorch and OpenCV in a process.
    """

    cfg: Config
    checkpoint: str
    device: str
    data: ValidationData
    metric: Mapping[str, Any]
    figure: str
    ranges: list[Range] = field(default_factory=list)
    storage: str = ''
    study_name: str = ''
    seed: int = 0
    prune: bool = True
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: its number, the name of its state, and its figure if it has one."""

    number: int
    state: str
    value: float | None


def run_trials(job: Job, count: int, workers: int) -> Iterator[Outcome]:
    """Run trials; each is kept in the study as soon as it ends.

    Args:
        job: What to do.
        count: Number of trials.
        workers: Processes; 1 works in this one.

    Yields:
        How the trials end, as they do.

    Raises:
        ChildProcessError: If a process ends with an error, which it has printed.
    """
    if workers <= 1 or count <= 1:
        yield from _trials(job, 0, iter(range(count)))
    else:
        yield from _run_in_processes(job, count, min(workers, count))


def build_objective(job: Job, number: int = 0) -> Objective:
    """The function that a process evaluates.

    Args:
        job: What to do.
        number: Number of the process.
    """
    device = job.device
    if device == 'cuda' and torch.cuda.device_count() > 1:
        device = f'cuda:{number % torch.cuda.device_count()}'
    tracker = init_tracker(job.cfg, job.checkpoint, device)
    metric = build_metric(job.metric)
    return Objective(tracker, job.data, metric, job.figure, job.ranges, job.prune)


def build_metric(config: Mapping[str, Any]) -> SequenceMetric:
    """A metric that computes the figures of sequences."""
    with DefaultScope.overwrite_default_scope('mmpolar'):
        return METRICS.build(dict(config))


def _trials(job: Job, number: int, tickets: Iterator[int]) -> Iterator[Outcome]:
    """Run a trial for each ticket."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    objective = build_objective(job, number)
    storage = open_storage(job.storage)
    study = open_study(storage, job.study_name, job.seed + number, len(job.data.tracks))

    def signed(trial: optuna.Trial) -> float:
        sign_trial(trial)
        return objective(trial)

    ended: list[Outcome] = []

    def note(study: optuna.Study, trial: FrozenTrial) -> None:
        ended.append(Outcome(trial.number, trial.state.name, trial.value))

    for _ in tickets:
        study.optimize(signed, n_trials=1, callbacks=[note])
        yield ended.pop()


def _run_in_processes(job: Job, count: int, workers: int) -> Iterator[Outcome]:
    context = multiprocessing.get_context('spawn')
    outcomes: Queue = context.Queue()
    left = context.Value('i', count)
    processes = [
        context.Process(target=_work, args=(job, number, left, outcomes), daemon=True)
        for number in range(workers)
    ]
    try:
        for process in processes:
            process.start()
        yield from _collect(processes, outcomes)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join(_SECONDS_TO_END)


def _collect(processes: list[BaseProcess], outcomes: Queue) -> Iterator[Outcome]:
    """Outcomes until all processes have ended."""
    while True:
        is_over = not any(process.is_alive() for process in processes)
        try:
            yield outcomes.get(timeout=0.0 if is_over else _SECONDS_TO_LOOK)
        except Empty:
            failed = [process for process in processes if process.exitcode not in (None, 0)]
            if failed:
                raise ChildProcessError(
                    f'a process that ran trials ended with code {failed[0].exitcode}; its message '
                    'stands above. The trials that ended are kept'
                ) from None
            if is_over:
                return


def _work(job: Job, number: int, left: Any, outcomes: Queue) -> None:
    """What a process does."""
    for outcome in _trials(job, number, _tickets(left)):
        outcomes.put(outcome)


def _tickets(left: Any) -> Iterator[int]:
    """Numbers handed out to all processes together, each once, while the one that waits is there."""
    parent = multiprocessing.parent_process()
    while parent.is_alive():
        with left.get_lock():
            if left.value <= 0:
                return
            left.value -= 1
            ticket = left.value
        yield ticket
