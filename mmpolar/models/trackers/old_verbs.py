"""Methods of earlier releases with which a model itself tracked targets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.models.trackers.torch_engine import TorchEngine
from mmpolar.structures.target import check_mask_size
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.state import TargetState
from mmpolar.tracking.tracker import Tracker
from mmpolar.utils.deprecation import warn_deprecated

_NEW = 'mmpolar.tracking.Tracker(TorchEngine(model))'


class OldVerbs:
    """The methods ``init``, ``track``, ``take_on`` and ``follow``, removed in the next release."""

    #: State of the target of :meth:`init`.
    memo: TargetState | None = None

    def init(
        self, frame: NDArray[np.uint8], box: ArrayLike, mask: NDArray[np.uint8] | None = None
    ) -> TrackResult:
        """Old spelling of ``SingleTargetTracker(TorchEngine(model)).init(frame, target)``."""
        warn_deprecated('Ocean.init', f'{_NEW}.init')
        [self.memo], [result] = self._take_on(frame, [box], [mask])
        return result

    def track(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Old spelling of ``SingleTargetTracker(TorchEngine(model)).step(frame)``."""
        warn_deprecated('Ocean.track', f'{_NEW}.step')
        if self.memo is None:
            raise RuntimeError('the tracker has no target yet: call init(frame, box) first')
        [result] = Tracker(TorchEngine(self, None)).find(frame, [self.memo])
        return result

    def take_on(
        self,
        frame: NDArray[np.uint8],
        boxes: Sequence[ArrayLike],
        masks: Sequence[NDArray[np.uint8] | None] | None = None,
    ) -> tuple[list[TargetState], list[TrackResult]]:
        """Old spelling of :meth:`mmpolar.tracking.Tracker.start`."""
        warn_deprecated('Ocean.take_on', f'{_NEW}.start')
        return self._take_on(frame, boxes, masks or [None] * len(boxes))

    def follow(self, frame: NDArray[np.uint8], memos: Sequence[TargetState]) -> list[TrackResult]:
        """Old spelling of :meth:`mmpolar.tracking.Tracker.find`."""
        warn_deprecated('Ocean.follow', f'{_NEW}.find')
        return Tracker(TorchEngine(self, None)).find(frame, memos)

    def _take_on(
        self,
        frame: NDArray[np.uint8],
        boxes: Sequence[ArrayLike],
        masks: Sequence[NDArray[np.uint8] | None],
    ) -> tuple[list[TargetState], list[TrackResult]]:
        for mask in masks:
            if mask is not None:
                check_mask_size(mask, frame.shape[:2])
        return Tracker(TorchEngine(self, None))._start(frame, boxes, masks)
