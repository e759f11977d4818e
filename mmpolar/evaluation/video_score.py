"""Scores of a tracker in one video with true masks; NumPy and OpenCV are enough."""

import math

import numpy as np

from mmpolar.evaluation.functional import (
    boundary_f,
    box_iou,
    box_similarity,
    mean_of_known,
    region_similarity,
)
from mmpolar.structures.boxes import box_or_nan
from mmpolar.structures.polar import mask_to_box, polar_ceiling
from mmpolar.structures.track_result import TrackResult


class VideoScore:
    """Adds up what a tracker reaches in a video, frame by frame.

    The frame in which the target is given counts nowhere. Each value is a mean over the other frames:
    ``iou`` of the box where there is a target; ``J`` and ``F`` of the mask, NaN for a tracker that
    gives boxes only; ``J_box``, J of the filled box; ``static_iou``, the box overlap of the first box
    if it never moves; and ``ceiling``, J of a perfect contour of ``n_rays`` rays.

    Args:
        first_mask: True mask (H, W) of the frame in which the target is given, not empty.
        n_rays: Rays of the contour; None leaves the ceiling out.

    Raises:
        ValueError: If the mask is empty.

    Example:
        >>> import numpy as np
        >>> from mmpolar.evaluation.video_score import VideoScore
        >>> from mmpolar.structures.track_result import TrackResult
        >>> mask = np.zeros((60, 80), np.uint8)
        >>> mask[20:40, 30:50] = 1
        >>> score = VideoScore(mask)
        >>> score.add(TrackResult(np.array([29.5, 19.5, 49.5, 39.5]), 0.9, mask=mask), mask)
        >>> score.values()['J']
        1.0
    """

    def __init__(self, first_mask: np.ndarray, n_rays: int | None = None) -> None:
        box = mask_to_box(first_mask)
        if box is None:
            raise ValueError('the mask of the frame in which the target is given is empty')
        self.first_box = box
        self.n_rays = n_rays
        self._frames: list[dict[str, float]] = []

    def __len__(self) -> int:
        """Frames that were added."""
        return len(self._frames)

    def add(self, result: TrackResult, gt_mask: np.ndarray) -> None:
        """Score a frame after the first.

        Args:
            result: What the tracker found; a target that is not visible has no box here.
            gt_mask: True mask (H, W), empty where the target is not visible.
        """
        gt_box = mask_to_box(gt_mask)
        rows = [box_or_nan(gt_box)]
        box = np.asarray(box_or_nan(result.box if result.visible else None), np.float64)
        values = dict(
            iou=float(box_iou(box[None], rows)[0]),
            static_iou=float(box_iou(self.first_box[None], rows)[0]),
            J_box=box_similarity(box, gt_mask),
            J=math.nan,
            F=math.nan,
        )
        if result.mask is not None:
            values['J'] = region_similarity(result.mask, gt_mask)
            values['F'] = boundary_f(result.mask, gt_mask)
        if self.n_rays is not None:
            has_target = gt_box is not None
            values['ceiling'] = polar_ceiling(gt_mask, self.n_rays) if has_target else math.nan
        self._frames.append(values)

    def values(self) -> dict[str, float]:
        """The mean of each value over the frames that have it, NaN if none has."""
        names = self._frames[0] if self._frames else ()
        return {name: mean_of_known([values[name] for values in self._frames]) for name in names}
