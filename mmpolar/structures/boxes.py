"""Boxes that come from outside, or go there."""

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.structures.grid import HALF_PIXEL, frame_limits

#: Least width and height of a target in pixels.
MIN_TARGET_SIDE = 0.1
#: Characters of a wrong box in a message.
_SHOWN = 80


def check_box(box: ArrayLike, frame_size: tuple[int, int]) -> np.ndarray:
    """Validate a target's box and clip it to its frame.

    Args:
        box: x1, y1, x2, y2 in pixels.
        frame_size: Height and width of the frame in pixels.

    Returns:
        The part of the box inside the frame, (4,) float64.

    Raises:
        ValueError: If the box is not four finite numbers, has no positive width and height, lies
            outside the frame, or what lies inside is narrower than ``MIN_TARGET_SIDE``.
    """
    try:
        array = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or array.shape != (4,) or not np.isfinite(array).all():
        raise ValueError(
            f'a box must be four finite numbers x1, y1, x2, y2, got {str(box)[:_SHOWN]}'
        )
    x1, y1, x2, y2 = array
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f'box {array.tolist()} has no positive width and height: it must be given as its '
            'corners x1, y1, x2, y2'
        )
    height, width = frame_size
    limits = frame_limits(frame_size)
    clipped = np.concatenate([np.maximum(array[:2], limits[:2]), np.minimum(array[2:], limits[2:])])
    if (clipped[2:] <= clipped[:2]).any():
        raise ValueError(
            f'box {array.tolist()} lies outside the frame of {width}x{height} pixels; '
            'check that box and frame have the same scale'
        )
    if (clipped[2:] - clipped[:2] < MIN_TARGET_SIDE).any():
        raise ValueError(
            f'box {array.tolist()} has less than {MIN_TARGET_SIDE} pixels of width or height in the '
            f'frame of {width}x{height} pixels; give coordinates in pixels, not in shares of the frame'
        )
    return clipped


def box_or_nan(box: np.ndarray | None) -> np.ndarray:
    """A box (4,), NaN where there is none."""
    return np.full(4, np.nan) if box is None else box


def box_center(box: np.ndarray) -> np.ndarray:
    """Centre x, y of a box (4,) xyxy."""
    return (box[:2] + box[2:]) / 2


def box_overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,) xyxy with area, in [0, 1]."""
    return float(box_overlaps(box, other))


def box_overlaps(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) xyxy with another (4,), in [0, 1], shape (...)."""
    sides = np.minimum(boxes[..., 2:], other[2:]) - np.maximum(boxes[..., :2], other[:2])
    shared = np.prod(np.maximum(sides, 0), -1)
    areas = np.prod(boxes[..., 2:] - boxes[..., :2], -1)
    return shared / (areas + np.prod(other[2:] - other[:2]) - shared)


def turned_corners(x1: float, y1: float, x2: float, y2: float, degrees: float = 0) -> np.ndarray:
    """Corners of a box that is turned about its centre.

    Args:
        x1: Left side.
        y1: Upper side.
        x2: Right side.
        y2: Lower side.
        degrees: Angle, clockwise as the image is seen.

    Returns:
        Corners of shape (4, 2), float64 (x, y), from the upper left one of the upright box on.
    """
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], dtype=np.float64)
    if not degrees:
        return corners
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    center = (corners[0] + corners[2]) / 2
    return center + (corners - center) @ np.array([(cos, sin), (-sin, cos)])


def to_corner_xywh(boxes: np.ndarray) -> np.ndarray:
    """Boxes as the files of the box benchmarks have them.

    Args:
        boxes: (..., 4) xyxy in pixels, pixel centres at integers.

    Returns:
        (..., 4) x, y, width, height, pixel corners at integers.
    """
    start, end = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([start + HALF_PIXEL, end - start], axis=-1)
