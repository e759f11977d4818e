"""Track several targets of one video, frame by frame, from a script."""

from collections.abc import Sequence

from numpy.typing import ArrayLike, NDArray

from mmpolar.apis.tracker import Tracker
from mmpolar.models.heads import Kernels
from mmpolar.structures.numbered_targets import NumberedTargets
from mmpolar.structures.siamese import TrackMemo
from mmpolar.structures.target import box_and_mask
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import to_bgr_uint8


class MultiTargetTracker:
    """Follows and outlines any number of targets, which may come and go.

    The targets of a frame pass through the network together, two by two on a CPU, where that is
    fastest; each one is found as it would be alone. For one map of all of them see
    :func:`mmpolar.structures.combine_results.combine_results`.

    Args:
        tracker: A tracker of :func:`init_tracker`, whose model is used; a target that it follows
            itself is left alone.

    Example:
        >>> tracker = MultiTargetTracker(init_tracker('config.py', 'checkpoint.pth'))
        >>> tracker.init(frames[0], [[x1, y1, x2, y2], mask])
        >>> one, other = tracker.track(frames[1])
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._targets: NumberedTargets[TrackMemo[Kernels]] = NumberedTargets()

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the targets that are being followed, in the order of the results."""
        return self._targets.ids

    def init(self, frame: NDArray, targets: Sequence[ArrayLike]) -> list[TrackResult]:
        """Take on targets; earlier ones are forgotten.

        Args:
            frame: Image as OpenCV reads it: BGR, grey or BGRA, 8 or 16 bits.
            targets: At least one target; each is a box x1, y1, x2, y2 in pixels, or a mask (H, W),
                not zero inside.

        Returns:
            For each target its box with score 1, and the outline that the network sees in it. The
            targets have the numbers 0, 1, ...

        Raises:
            TypeError: If the frame is not an 8 or 16 bit image.
            ValueError: If a target cannot be used, see :meth:`Tracker.init`, or there is none. The
                earlier targets are kept then.
        """
        if len(targets) == 0:
            raise ValueError('no target was given: hand over a list of boxes and masks')
        memos, results = self._take_on(frame, targets)
        self._targets = NumberedTargets(memos)
        return results

    def add(self, frame: NDArray, target: ArrayLike) -> int:
        """Take on one more target.

        Args:
            frame: The last frame that was tracked, image as for :meth:`init`.
            target: A box or a mask, as for :meth:`init`.

        Returns:
            Number of the target, for :meth:`remove` and in :attr:`ids`.

        Raises:
            TypeError: As :meth:`init`.
            ValueError: As :meth:`init`.
        """
        memos, _ = self._take_on(frame, [target])
        (target_id,) = self._targets.add(memos)
        return target_id

    def remove(self, target_id: int) -> None:
        """Let go of a target.

        Raises:
            KeyError: If there is no target of that number.
        """
        self._targets.remove(target_id)

    def track(self, frame: NDArray) -> list[TrackResult]:
        """Find the targets in the next frame.

        Args:
            frame: Image as for :meth:`init`; its size may change from frame to frame.

        Returns:
            Box, score, outline and mask of each target, in the order of :attr:`ids`.

        Raises:
            RuntimeError: If there is no target.
            TypeError: If the frame is not an 8 or 16 bit image.
        """
        if not self._targets:
            raise RuntimeError('the tracker has no target: call init(frame, targets) first')
        frame = to_bgr_uint8(frame)
        with self.tracker.precision():
            return self.tracker.model.follow(frame, self._targets.all)

    def _take_on(
        self, frame: NDArray, targets: Sequence[ArrayLike]
    ) -> tuple[list[TrackMemo[Kernels]], list[TrackResult]]:
        frame = to_bgr_uint8(frame)
        given = [box_and_mask(target, frame.shape[:2]) for target in targets]
        boxes, masks = zip(*given, strict=True)
        with self.tracker.precision():
            return self.tracker.model.take_on(frame, boxes, masks)
