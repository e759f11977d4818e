"""Which tracking parameters are tuned, and what a set of them is worth on validation videos."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any

import numpy as np
import optuna
import torch
from mmengine.config import Config
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import BaseTrial

from mmpolar.apis import init_tracker
from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.evaluation.track_benchmarks import TrackPass
from mmpolar.tracking import SingleTargetTracker, TrackParams

Value = float | int
Range = FloatDistribution | IntDistribution
_SIZES = ('search_size', 'small_target_search_size', 'lost_search_size')
_KINDS = {field.name: field.type for field in fields(TrackParams) if field.type in (int, float)}
#: Digits that survive adding steps up in floating point.
_DIGITS = 6


def default_ranges(params: TrackParams) -> dict[str, Range]:
    """Ranges, by name, of the parameters that are tuned unless told otherwise.

    They lie around the published values. The search crop grows in steps of two locations, so that a
    location stays in its middle.
    """
    step, size = 2 * params.stride, params.search_size
    smallest = size - step if size - step > params.template_size else size
    return dict(
        penalty_k=FloatDistribution(0.0, 0.3, step=0.002),
        window_influence=FloatDistribution(0.0, 0.6, step=0.01),
        lr=FloatDistribution(0.2, 1.0, step=0.01),
        score_ratio=FloatDistribution(0.0, 1.0, step=0.02),
        search_size=IntDistribution(smallest, size + 3 * step, step=step),
        small_target_search_size=IntDistribution(size, size + 5 * step, step=step),
    )


def parse_ranges(texts: Sequence[str], params: TrackParams) -> dict[str, Range]:
    """The ranges, by name, that a command line asks for.

    Args:
        texts: ``NAME`` for a default range, or ``NAME=LOW:HIGH`` or ``NAME=LOW:HIGH:STEP``.
        params: Those of the config.

    Raises:
        ValueError: If a parameter is unknown, or its range empty, without a default or beyond what
            the parameter may be.
    """
    ranges = dict(_parse(text, params) for text in texts)
    if len(ranges) < len(texts):
        raise ValueError(f'each parameter can be tuned once, got {" ".join(texts)}')
    return ranges


def _parse(text: str, params: TrackParams) -> tuple[str, Range]:
    name, _, limits = text.partition('=')
    if name not in _KINDS:
        raise ValueError(f'there is no tracking parameter {name!r}; there are {", ".join(_KINDS)}')
    kind, default = _KINDS[name], default_ranges(params).get(name)
    if default is not None and not limits:
        return name, default
    parts = limits.split(':')
    if default is not None and len(parts) == 2:
        parts.append(default.step)
    if len(parts) != 3:
        raise ValueError(f'{text} is no range; say {name}=LOW:HIGH:STEP')
    try:
        low, high, step = map(kind, parts)
        own = (IntDistribution if kind is int else FloatDistribution)(low, high, step=step)
        for value in (low, high):
            replace(params, **{name: value})
    except ValueError as error:
        raise ValueError(f'{text}: {error}') from error
    unit = 2 * params.stride
    if name in _SIZES and (step % unit or (low - params.search_size) % unit):
        raise ValueError(
            f'{name} must differ from {params.search_size} px by multiples of {unit} px, so that a '
            f'location stays in the middle of the crop; got {limits}'
        )
    return name, own


def rounded(values: Mapping[str, Value]) -> dict[str, Value]:
    """Values without the noise of adding steps up, in the order of their names."""
    return {name: round(value, _DIGITS) for name, value in sorted(values.items())}


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
        max_frames: Frames of each video, from its first; 0 for all.
    """

    cfg: Config
    checkpoint: str
    device: str
    dataset: BaseTrackDataset
    metric: SequenceMetric
    value_name: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
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

    def __call__(self, trial: BaseTrial) -> float:
        """The value of a trial, which is told the value so far after each video.

        Raises:
            ValueError: If the videos give the metric no value.
            optuna.TrialPruned: If the trial is given up.
        """
        values = {
            name: (trial.suggest_int if isinstance(one.low, int) else trial.suggest_float)(
                name, one.low, one.high, step=one.step
            )
            for name, one in self.ranges.items()
        }
        model = self.tracker.model
        model.params = replace(model.params, **rounded(values))
        summaries: list[dict[str, Any]] = []
        for number in range(self.dataset.num_videos):
            track = self.dataset.get_track(number)
            one = TrackPass(self.tracker, self.dataset, track, 'box', self.max_frames)
            summaries.append(one.score(self.metric))
            value = float(self.metric.average(summaries)[self.value_name])
            if not np.isnan(value):
                trial.report(value, number)
                if trial.should_prune():
                    raise optuna.TrialPruned
        if np.isnan(value):
            raise ValueError(
                f'{self.value_name} has no value on these videos (no masks?); choose another --metric'
            )
        return value
