"""Track a target through a whole video."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.apis.tracker import Tracker
from mmpolar.structures.track_result import TrackResult


def track_frames(
    tracker: Tracker, frames: Iterable[np.ndarray], target: ArrayLike
) -> Iterator[tuple[np.ndarray, TrackResult]]:
    """Follow a target that is given in the first frame.

    Args:
        tracker: A tracker of :func:`mmpolar.apis.init_tracker`.
        frames: Images, BGR, for example of :func:`mmpolar.utils.video.iter_frames`.
        target: The target in the first frame: box x1, y1, x2, y2 in pixels, or mask (H, W).

    Yields:
        Each frame with the target in it, as soon as it is found.

    Raises:
        ValueError: If there is no frame, or the target cannot be used.
    """
    result = None
    for frame in frames:
        result = tracker.init(frame, target) if result is None else tracker.step(frame)
        yield frame, result
    if result is None:
        raise ValueError('the video has no frames')
