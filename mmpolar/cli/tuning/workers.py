"""Running trials, in this process or in several that work on one study."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import cv2
import optuna
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpolar.apis import init_tracker
from mmpolar.cli.tuning.objective import Objective
from mmpolar.cli.tuning.search_space import Range
from mmpolar.cli.tuning.study import open_storage, open_study, sign_trial
from mmpolar.cli.tuning.validation_data import ValidationData
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.registry import METRICS

#: In a process of the pool: what to do, and the number of the process.
_process: tuple['Job', int] | None = None


@dataclass(frozen=True)
class Job:
    """Everything that a process needs for its trials; it travels by pickling.

    Attributes:
        cfg: The config.
        checkpoint: File of the weights.
        device: Device of PyTorch; with several GPUs ``cuda`` spreads the processes over them.
        data: The validation videos.
        metric: Config of the metric.
        value_name: Name of its value.
        ranges: The tuned parameters.
        storage: See :func:`mmpolar.cli.tuning.study.open_storage`.
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
    value_name: str
    ranges: list[Range] = field(default_factory=list)
    storage: str = ''
    study_name: str = ''
    seed: int = 0
    prune: bool = True
    threads: int = 1


def run_trials(job: Job, count: int, workers: int) -> Iterator[None]:
    """Run trials; each is kept in the study as soon as it ends.

    Args:
        job: What to do.
        count: Number of trials.
        workers: Processes; 1 works in this one.

    Yields:
        Nothing, whenever a trial ends.

    Raises:
        Exception: What stopped a trial; those that ended before are kept.
    """
    if workers <= 1 or count <= 1:
        run_trial = _trial_runner(job, 0)
        for _ in range(count):
            yield run_trial()
        return
    context = multiprocessing.get_context('spawn')
    numbers = context.Value('i', 0)
    with ProcessPoolExecutor(
        min(workers, count), context, initializer=_start_process, initargs=(job, numbers)
    ) as pool:
        trials = [pool.submit(_run_trial) for _ in range(count)]
        try:
            for trial in as_completed(trials):
                yield trial.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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
    return Objective(tracker, job.data, metric, job.value_name, job.ranges, job.prune)


def build_metric(config: Mapping[str, Any]) -> SequenceMetric:
    """A metric that computes the values of sequences."""
    with DefaultScope.overwrite_default_scope('mmpolar'):
        return METRICS.build(dict(config))


def _trial_runner(job: Job, number: int) -> Callable[[], None]:
    """A function that runs one trial of the study in this process."""
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

    return partial(study.optimize, signed, n_trials=1)


def _start_process(job: Job, numbers: Any) -> None:
    """Note what this process of the pool is to do, and end it when the one that waits is gone."""
    global _process
    with numbers.get_lock():
        _process = (job, numbers.value)
        numbers.value += 1
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@lru_cache(maxsize=1)
def _runner_of_process() -> Callable[[], None]:
    return _trial_runner(*_process)


def _run_trial() -> None:
    """Run a trial in a process of the pool."""
    _runner_of_process()()
