"""What a set of tracking parameters is worth on validation videos."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import optuna

from mmpolar.cli.tuning.search_space import Range, Value
from mmpolar.cli.tuning.validation_data import ValidationData
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.evaluation.replay import track_frame
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.tracking import SingleTargetTracker

#: Attribute of the trial that has the config's own values.
BASELINE = 'baseline'


class Objective:
    """A value of a tracker on validation videos, as a function of a trial's parameters.

    Args:
        tracker: The tracker; its parameters are changed.
        data: The videos.
        metric: Computes the value.
        value_name: Name of the value in what ``metric.average`` gives, better if higher.
        ranges: Parameters that are tuned.
        prune: Whether to give up a trial that is worse than others were after as many videos.

    Raises:
        ValueError: If the metric has no such value.
    """

    def __init__(
        self,
        tracker: SingleTargetTracker,
        data: ValidationData,
        metric: SequenceMetric,
        value_name: str,
        ranges: list[Range],
        prune: bool = True,
    ) -> None:
        self.tracker = tracker
        self.data = data
        self.metric = metric
        self.value_name = value_name
        self.ranges = ranges
        self.prune = prune
        self.params = tracker.model.params

    def __call__(self, trial: optuna.Trial) -> float:
        """The value of a trial, which may be given up on the way."""
        if trial.user_attrs.get(BASELINE):
            if self.current is not None:
                self._suggest(trial)
            return self.score({})
        values = self._suggest(trial)
        return self.score(values, self._watch(trial) if self.prune else None)

    @property
    def current(self) -> dict[str, Value] | None:
        """The config's own values of the tuned parameters; None if one is out of its range."""
        values = {one.name: getattr(self.params, one.name) for one in self.ranges}
        is_inside = all(one.contains(values[one.name]) for one in self.ranges)
        return values if is_inside else None

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
            ValueError: If the metric has no such value.
        """
        self.tracker.model.params = replace(self.params, **values)
        summaries: list[dict[str, Any]] = []
        for number, track in enumerate(self.data.tracks):
            summaries.append(self._summarize(track))
            averages = self.metric.average(summaries)
            if self.value_name not in averages:
                raise ValueError(
                    f'{type(self.metric).__name__} has no value {self.value_name!r}; it has '
                    f'{", ".join(averages)}'
                )
            value = float(averages[self.value_name])
            if report is not None and not np.isnan(value):
                report(number, value)
        if np.isnan(value):
            raise ValueError(
                f'{self.value_name} has no value on these videos (no masks?); choose another --metric'
            )
        return value

    def _suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        return {one.name: one.suggest(trial) for one in self.ranges}

    def _watch(self, trial: optuna.Trial) -> Callable[[int, float], None]:
        def report(number: int, value: float) -> None:
            trial.report(value, number)
            if trial.should_prune():
                raise optuna.TrialPruned

        return report

    def _summarize(self, track: int) -> dict[str, Any]:
        state = None
        for frame in self._follow(track):
            if state is None:
                state = self.metric.start(frame)
            self.metric.add(state, frame)
        entry = self.data.dataset.get_track(track)
        common = dict(video_id=track, video_name=entry.video_name, n_frames=self.data.length(track))
        return common | self.metric.summarize(state)

    def _follow(self, track: int) -> Iterator[TrackFrame]:
        entry = self.data.dataset.get_track(track)
        for index in range(self.data.length(track)):
            image, target = self.data.get(track, index)
            if index == 0:
                result = self.tracker.init(image, target.box)
            else:
                result = self.tracker.step(image)
            yield track_frame(
                entry,
                track,
                index,
                target,
                box=result.box.astype(np.float64),
                score=float(result.score),
                polygon=result.polygon,
                mask=result.mask,
                image_size=image.shape[:2],
                length=self.data.length(track),
            )
