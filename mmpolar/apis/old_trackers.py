"""Trackers of earlier releases by their old names."""

import torch
from numpy.typing import NDArray

from mmpolar.models.trackers import Ocean, TorchEngine
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import SingleTargetTracker
from mmpolar.tracking import Tracker as AnyTracker
from mmpolar.utils.deprecation import warn_deprecated


class Tracker(SingleTargetTracker):
    """Old name of a :class:`mmpolar.tracking.SingleTargetTracker` with a :class:`TorchEngine`.

    Args:
        model: See :class:`TorchEngine`.
        dtype: See :class:`TorchEngine`.
    """

    def __init__(self, model: Ocean, dtype: torch.dtype = torch.float32) -> None:
        warn_deprecated('mmpolar.apis.Tracker', 'SingleTargetTracker(TorchEngine(model, dtype))')
        super().__init__(TorchEngine(model, dtype))


class MultiTargetTracker(AnyTracker):
    """Old name of a :class:`mmpolar.tracking.Tracker` for several targets.

    Args:
        tracker: A tracker of :func:`mmpolar.apis.init_tracker`, whose network is used.
    """

    def __init__(self, tracker: SingleTargetTracker) -> None:
        warn_deprecated('MultiTargetTracker(tracker)', 'mmpolar.tracking.Tracker(init_engine(...))')
        super().__init__(tracker.engine)
        self.tracker = tracker

    def track(self, frame: NDArray) -> list[TrackResult]:
        """Old spelling of :meth:`step`."""
        return self.step(frame)
