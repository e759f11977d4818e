"""The tracker of earlier releases on ONNX Runtime."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.model_zoo import DEFAULT_FOLDER
from mmpolar.runtime.model_folder import ModelManifest
from mmpolar.runtime.onnx_engine import OnnxEngine
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.tracker import Tracker
from mmpolar.utils.deprecation import warn_deprecated


class RuntimeTracker(Tracker):
    """Old name of a :class:`mmpolar.tracking.Tracker` with an :class:`OnnxEngine`.

    Its methods give one result, not a list, as long as a single target was given alone.

    Args:
        model_folder: See :class:`OnnxEngine`.
        threads: See :class:`OnnxEngine`.
    """

    def __init__(
        self, model_folder: str | os.PathLike = DEFAULT_FOLDER, threads: int | None = None
    ) -> None:
        warn_deprecated(
            'RuntimeTracker(...)', "init_tracker(engine='onnx') or Tracker(OnnxEngine())"
        )
        super().__init__(OnnxEngine(model_folder, threads))
        self._single = True

    @property
    def manifest(self) -> ModelManifest:
        """What the model folder says."""
        return self.engine.manifest

    def init(
        self, frame: NDArray, target: ArrayLike | Sequence[ArrayLike]
    ) -> TrackResult | list[TrackResult]:
        """Start to track a target, or a list of them."""
        single = _is_one(target, np.shape(frame)[:2])
        results = super().init(frame, [target] if single else target)
        self._single = single
        return results[0] if single else results

    def add(self, frame: NDArray, target: ArrayLike) -> int:
        """As :meth:`Tracker.add`; from now on :meth:`track` returns a list."""
        target_id = super().add(frame, target)
        self._single = False
        return target_id

    def track(self, frame: NDArray) -> TrackResult | list[TrackResult]:
        """Find the targets in the next frame."""
        results = self.step(frame)
        return results[0] if self._single else results


def _is_one(target: ArrayLike | Sequence[ArrayLike], frame_size: tuple[int, int]) -> bool:
    """Whether a target is a box or a mask, and not a list of these."""
    if isinstance(target, np.ndarray):
        return target.ndim < 2 or target.shape == frame_size
    return all(np.ndim(part) == 0 for part in target)
