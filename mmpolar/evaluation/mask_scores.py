"""J and F of the mask that a tracker drew in a frame."""

import math

import numpy as np

from mmpolar.evaluation.functional import boundary_f, region_similarity
from mmpolar.evaluation.track_frame import TrackFrame


def mask_scores(frame: TrackFrame) -> tuple[float, float]:
    """J and F of a frame as DAVIS counts them.

    Where the target is absent an empty prediction scores 1 and any other 0. A tracker that found
    nothing has drawn an empty mask.

    Returns:
        J and F in [0, 1]; NaN where the frame is not annotated, has a true box but no mask, or has
        a predicted box but no mask.

    Raises:
        ValueError: If the predicted mask differs from the true one in size.
    """
    unknown = not frame.annotated or (frame.gt_box is not None and frame.gt_mask is None)
    if unknown or (frame.mask is None and frame.box is not None):
        return math.nan, math.nan
    if frame.gt_box is None:
        score = float(frame.mask is None or not frame.mask.any())
        return score, score
    gt = frame.gt_mask
    mask = np.zeros_like(gt) if frame.mask is None else frame.mask
    if mask.shape != gt.shape:
        raise ValueError(
            f'frame {frame.frame_id} of video {frame.video_name!r}: the predicted mask has '
            f'{mask.shape} pixels, the true one {gt.shape}; predict at the size of the frame'
        )
    return region_similarity(mask, gt), boundary_f(mask, gt)
