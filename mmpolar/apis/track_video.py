"""Track targets through a whole video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import SingleTargetTracker, Tracker

T = TypeVar('T')


def track_frames(
    tracker: SingleTargetTracker, frames: Iterable[np.ndarray], target: ArrayLike
) -> Iterator[tuple[np.ndarray, TrackResult]]:
    """Track a target that is given in the first frame.

    Args:
        tracker: A tracker of :func:`mmpolar.apis.init_tracker`.
        frames: Images, BGR, for example of :func:`mmpolar.utils.video.iter_frames`.
        target: The target in the first frame: box x1, y1, x2, y2 in pixels, or mask (H, W).

    Yields:
        Each frame with the target in it, as soon as it is found.

    Raises:
        ValueError: If there is no frame, or the target cannot be used.

    Example:
        >>> import numpy as np
        >>> from mmpolar.apis import init_tracker, track_frames
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 240, 320, 3), dtype=np.uint8)
        >>> tracker = init_tracker(engine='onnx')
        >>> for frame, result in track_frames(tracker, frames, [100, 80, 160, 130]):
        ...     print(result.mask.shape)
        (240, 320)
        (240, 320)
        (240, 320)
    """
    return _walk(frames, partial(tracker.init, target=target), tracker.step)


def track_targets(
    tracker: Tracker, frames: Iterable[np.ndarray], targets: Sequence[ArrayLike]
) -> Iterator[tuple[np.ndarray, list[TrackResult]]]:
    """Track targets that are given in the first frame.

    Args:
        tracker: A tracker for several targets.
        frames: Images, BGR, as for :func:`track_frames`.
        targets: The targets in the first frame, each a box or a mask as for :func:`track_frames`.

    Yields:
        Each frame with the targets in it, in the order in which they were given.

    Raises:
        ValueError: If there is no frame, or a target cannot be used.

    Example:
        >>> import numpy as np
        >>> from mmpolar.apis import init_engine, track_targets
        >>> from mmpolar.tracking import Tracker
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 240, 320, 3), dtype=np.uint8)
        >>> targets = [[100, 80, 160, 130], [20, 30, 70, 90]]
        >>> tracker = Tracker(init_engine(engine='onnx'))
        >>> [len(results) for _, results in track_targets(tracker, frames, targets)]
        [2, 2, 2]
    """
    return _walk(frames, partial(tracker.init, targets=targets), tracker.step)


def _walk(
    frames: Iterable[np.ndarray], begin: Callable[[np.ndarray], T], go_on: Callable[[np.ndarray], T]
) -> Iterator[tuple[np.ndarray, T]]:
    answer = begin
    for frame in frames:
        yield frame, answer(frame)
        answer = go_on
    if answer is begin:
        raise ValueError('the video has no frames')
