"""Motion of the camera between two frames of a video."""

import cv2
import numpy as np
from numpy.typing import NDArray

#: Points that are followed, and their least distance in pixels of a frame scaled to ``_SIDE``.
_POINTS, _DISTANCE, _SIDE = 300, 6, 480
#: Fewer points tell nothing.
_LEAST_POINTS = 8


def camera_motion(
    first: NDArray[np.uint8], second: NDArray[np.uint8], leave_out: NDArray
) -> NDArray[np.float64]:
    """How the background moved from one frame to another: shift, turn and scale.

    Args:
        first: Frame, (H, W, 3) uint8 BGR.
        second: Frame of the same size.
        leave_out: Box of what moves by itself in the first one, x1, y1, x2, y2 in pixels.

    Returns:
        Matrix (2, 3) that maps points of the first frame to the second; that of no motion where too
        little can be followed.
    """
    scale = min(1.0, _SIDE / max(first.shape[:2]))
    small = [
        cv2.resize(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale)
        for one in (first, second)
    ]
    mask = np.full(small[0].shape, 255, np.uint8)
    x1, y1, x2, y2 = np.round(np.maximum(leave_out * scale, 0)).astype(int)
    mask[y1 : y2 + 1, x1 : x2 + 1] = 0
    still = np.eye(2, 3)
    points = cv2.goodFeaturesToTrack(small[0], _POINTS, 0.01, _DISTANCE, mask=mask)
    if points is None:
        return still
    moved, found, _ = cv2.calcOpticalFlowPyrLK(*small, points, None, winSize=(21, 21), maxLevel=4)
    followed = found.ravel() == 1
    if followed.sum() < _LEAST_POINTS:
        return still
    matrix, _ = cv2.estimateAffinePartial2D(points[followed], moved[followed])
    if matrix is None:
        return still
    matrix[:, 2] /= scale
    return matrix


def moved_box(box: NDArray, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box around the corners of a box, x1, y1, x2, y2, after a motion (2, 3)."""
    x1, y1, x2, y2 = box
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
