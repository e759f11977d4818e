"""Track targets through a whole video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.apis.multi_target_tracker import MultiTargetTracker
from mmpolar.apis.tracker import Tracker
from mmpolar.structures.track_result import TrackResult

T = TypeVar('T')


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
    return _walk(frames, partial(tracker.init, target=target), tracker.step)


def track_targets(
    tracker: MultiTargetTracker, frames: Iterable[np.ndarray], targets: Sequence[ArrayLike]
) -> Iterator[tuple[np.ndarray, list[TrackResult]]]:
    """Follow targets that are given in the first frame.

    Args:
        tracker: A tracker for several targets.
        frames: Images, BGR, as for :func:`track_frames`.
        targets: The targets in the first frame, each a box or a mask as for :func:`track_frames`.

    Yields:
        Each frame with the targets in it, in the order in which they were given.

    Raises:
        ValueError: If there is no frame, or a target cannot be used.
    """
    return _walk(frames, partial(tracker.init, targets=targets), tracker.track)


def _walk(
    frames: Iterable[np.ndarray], begin: Callable[[np.ndarray], T], go_on: Callable[[np.ndarray], T]
) -> Iterator[tuple[np.ndarray, T]]:
    answer = begin
    for frame in frames:
        yield frame, answer(frame)
        answer = go_on
    if answer is begin:
        raise ValueError('the video has no frames')
