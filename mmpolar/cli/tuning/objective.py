"""What a set of tracking parameters is worth on validation videos."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import optuna
import torch
from mmengine.config import Config

from mmpolar.apis import init_tracker
from mmpolar.cli.tuning.search_space import Range, Value, rounded
from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.evaluation.track_benchmarks import TrackPass
from mmpolar.tracking import SingleTargetTracker, TrackParams


@dataclass
class Objective:
    """A value of a tracker on validation videos, as a function of a trial's parameters.

    Threads may call it at once: each has a tracker of its own.

    Args:
        cfg: Config of the tracker.
        checkpoint: File of its weights.
        device: Device of PyTorch; ``cuda`` spreads the threads over several GPUs.
        dataset: The videos, in test mode.
        metric: Computes the value.
        value_name: Name of the value in what ``metric.average`` gives, better if higher.
        ranges: Parameters that are tuned.
        prune: Whether to give up a trial that is worse than others were after as many videos.
        max_frames: Frames of each video, from its first; 0 for all.
    """

    cfg: Config
    checkpoint: str
    device: str
    dataset: BaseTrackDataset
    metric: SequenceMetric
    value_name: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
    prune: bool = True
    max_frames: int = 0

    def __post_init__(self) -> None:
        self._own, self._numbers = threading.local(), count()

    @property
    def tracker(self) -> SingleTargetTracker:
        """The tracker of this thread, whose parameters the trials change."""
        if not hasattr(self._own, 'tracker'):
            device, gpus = self.device, torch.cuda.device_count()
            if device == 'cuda' and gpus > 1:
                device = f'cuda:{next(self._numbers) % gpus}'
            self._own.tracker = init_tracker(
                self.cfg, self.checkpoint, device, threads=torch.get_num_threads()
            )
        return self._own.tracker

    @cached_property
    def params(self) -> TrackParams:
        """The config's own parameters."""
        return self.tracker.model.params

    def length(self, track: int) -> int:
        """Frames of a video that are tracked."""
        length = self.dataset.get_len_per_video(track)
        return min(length, self.max_frames) if self.max_frames else length

    def __call__(self, trial: optuna.Trial) -> float:
        """The value of a trial, which may be given up on the way."""

        def report(number: int, value: float) -> None:
            trial.report(value, number)
            if self.prune and trial.should_prune():
                raise optuna.TrialPruned

        values = {
            name: (trial.suggest_int if isinstance(one.low, int) else trial.suggest_float)(
                name, one.low, one.high, step=one.step
            )
            for name, one in self.ranges.items()
        }
        return self.score(rounded(values), report)

    def score(
        self, values: Mapping[str, Value], report: Callable[[int, float], None] | None = None
    ) -> float:
        """Track all videos.

        Args:
            values: Parameters to change.
            report: Called after each video with its number and the value so far.

        Returns:
            The value.

        Raises:
            ValueError: If the videos give the metric no value.
        """
        self.tracker.model.params = replace(self.params, **values)
        summaries: list[dict[str, Any]] = []
        for track in range(self.dataset.num_videos):
            entry = self.dataset.get_track(track)
            one = TrackPass(self.tracker, self.dataset, entry, 'box', self.max_frames)
            summaries.append(one.score(self.metric))
            value = float(self.metric.average(summaries)[self.value_name])
            if report is not None and not np.isnan(value):
                report(track, value)
        if np.isnan(value):
            raise ValueError(
                f'{self.value_name} has no value on these videos (no masks?); choose another --metric'
            )
        return value
