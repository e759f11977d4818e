"""What a set of tracking parameters is worth on validation videos."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import optuna
import torch
from mmengine.config import Config

from mmpolar.apis import init_tracker
from mmpolar.cli.tuning.decoded_frames import DecodedFrames
from mmpolar.cli.tuning.search_space import Range, Value, rounded
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.evaluation.replay import track_frame
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.tracking import SingleTargetTracker, TrackParams


@dataclass
class Objective:
    """A value of a tracker on validation videos, as a function of a trial's parameters.

    A process gets a copy by pickling and builds a tracker of its own.

    Args:
        cfg: Config of the tracker.
        checkpoint: File of its weights.
        device: Device of PyTorch.
        frames: The videos.
        metric: Computes the value.
        value_name: Name of the value in what ``metric.average`` gives, better if higher.
        ranges: Parameters that are tuned.
        prune: Whether to give up a trial that is worse than others were after as many videos.
    """

    cfg: Config
    checkpoint: str
    device: str
    frames: DecodedFrames
    metric: SequenceMetric
    value_name: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
    prune: bool = True

    @cached_property
    def tracker(self) -> SingleTargetTracker:
        """The tracker, whose parameters the trials change."""
        threads = torch.get_num_threads()
        return init_tracker(self.cfg, self.checkpoint, self.device, threads=threads)

    @cached_property
    def params(self) -> TrackParams:
        """The config's own parameters."""
        return self.tracker.model.params

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
        for track in range(self.frames.dataset.num_videos):
            summaries.append(self._summarize(track))
            value = float(self.metric.average(summaries)[self.value_name])
            if report is not None and not np.isnan(value):
                report(track, value)
        if np.isnan(value):
            raise ValueError(
                f'{self.value_name} has no value on these videos (no masks?); choose another --metric'
            )
        return value

    def _summarize(self, track: int) -> dict[str, Any]:
        state = None
        for frame in self._follow(track):
            if state is None:
                state = self.metric.start(frame)
            self.metric.add(state, frame)
        common = dict(video_id=track, video_name=frame.video_name, n_frames=frame.video_length)
        return common | self.metric.summarize(state)

    def _follow(self, track: int) -> Iterator[TrackFrame]:
        for index in range(self.frames.length(track)):
            image, target = self.frames.get(track, index)
            if index == 0:
                result = self.tracker.init(image, target.box)
            else:
                result = self.tracker.step(image)
            yield track_frame(
                self.frames.dataset.get_track(track),
                track,
                index,
                target,
                box=result.box.astype(np.float64),
                score=float(result.score),
                polygon=result.polygon,
                mask=result.mask,
                image_size=image.shape[:2],
                length=self.frames.length(track),
            )
