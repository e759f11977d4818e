"""How a location of the score map is selected: window, penalties, smoothing.

The rules are those of Ocean (Zhang et al., ECCV 2020, section 3.4) and of its published code.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mmpolar.structures.boxes import box_center
from mmpolar.structures.grid import frame_limits, to_pixels
from mmpolar.tracking.params import TrackParams

#: Boxes lie on a grid of this many steps a pixel. A crop changes by jumps with its window, so two
#: engines whose maps differ in the last bit would else drift apart.
BOX_STEPS = 64
# Keeps the logarithm of a score of 0 or 1 finite.
_MIN_SHARE = 1e-12


@dataclass(frozen=True)
class Selection:
    """The location that was selected in a score map, and the new box there.

    Attributes:
        row: Row of the location in the score map.
        col: Column of the location in the score map.
        box: Smoothed box in pixels of the frame, (4,) xyxy, before it is clamped to the frame.
        score: Classification score in [0, 1], free of penalty and window.
        pole: The location in pixels of the frame, (2,) xy.
        online: Score of the online model there, in [0, 1]; None without one.
    """

    row: int
    col: int
    box: np.ndarray
    score: float
    pole: np.ndarray
    online: float | None = None


def calibrate(score: float, params: TrackParams) -> float:
    """A classification score in [0, 1] as the parameters map it, in [0, 1]."""
    if (params.score_slope, params.score_offset) == (1.0, 0.0):
        return score
    logit = math.log(max(score, _MIN_SHARE)) - math.log(max(1 - score, _MIN_SHARE))
    return 1 / (1 + math.exp(-(params.score_slope * logit + params.score_offset)))


@lru_cache(maxsize=16)
def cosine_window(score_size: int) -> np.ndarray:
    """Outer product of two Hann windows, (S, S) in [0, 1], largest at the centre.

    Raises:
        ValueError: If ``score_size`` is smaller than 1.
    """
    if score_size < 1:
        raise ValueError(f'score map size must be at least 1, got {score_size}')
    window = np.outer(np.hanning(score_size), np.hanning(score_size)).astype(np.float32)
    window.setflags(write=False)
    return window


def change_penalty(
    width: np.ndarray, height: np.ndarray, target_width: float, target_height: float, k: float
) -> np.ndarray:
    """Penalty in (0, 1] on boxes whose size or aspect ratio differs from the target's.

    ``exp(-(r * s - 1) * k)`` with r and s the changes, at least 1, of the aspect ratio and of the
    padded size (SiamRPN, Li et al., CVPR 2018, eq. 13).
    """

    def padded_size(w, h):
        pad = (w + h) * 0.5
        return np.sqrt((w + pad) * (h + pad))

    def change(ratio):
        return np.maximum(ratio, 1.0 / ratio)

    size_change = change(padded_size(width, height) / padded_size(target_width, target_height))
    ratio_change = change((target_width / target_height) / (width / height))
    return np.exp(-(ratio_change * size_change - 1.0) * k)


def select_location(
    score: np.ndarray,
    ltrb: np.ndarray,
    box: np.ndarray,
    scale: float,
    search_size: int,
    params: TrackParams,
    is_lost: bool = False,
    online: np.ndarray | None = None,
) -> Selection:
    """Select a location of the score map and smooth the target's size.

    Args:
        score: Classification scores, shape (S, S), in [0, 1].
        ltrb: Distances from each location to the sides of its box, shape (4, S, S), in pixels of
            the search crop, positive.
        box: The target's box in the previous frame, (4,) xyxy, in pixels of the frame. The search
            crop is centred on it.
        scale: Pixels of the search crop per pixel of the frame.
        search_size: Side of the search crop in pixels.
        params: Tracking hyper-parameters.
        is_lost: Whether the target was lost; then no window favours the old position.
        online: Scores of the target's online model, (S, S) in [0, 1]; None without one.

    Returns:
        The selected location with its smoothed box.
    """
    size = score.shape[-1]
    left, top, right, bottom = ltrb
    width, height = left + right, top + bottom
    center = box_center(box)
    previous = (box[2:] - box[:2]) * scale

    penalty = change_penalty(width, height, previous[0], previous[1], params.penalty_k)
    influence = 0.0 if is_lost else params.window_influence
    blend = score if online is None else score + params.online_share * (online - score)
    ranking = penalty * blend * (1 - influence) + cosine_window(size) * influence
    row, col = np.unravel_index(int(ranking.argmax()), ranking.shape)

    middle = search_size // 2
    pole = to_pixels(np.array([float(col), float(row)]), size, params.stride, search_size)
    sides = np.array([width[row, col], height[row, col]], dtype=np.float64)
    to_box = np.array([right[row, col] - left[row, col], bottom[row, col] - top[row, col]]) / 2
    rate = float(penalty[row, col] * score[row, col]) * params.lr
    # The published code smooths twice over: the prediction's share is the square of the rate.
    half = (previous + rate * rate * (sides - previous)) / scale / 2
    new_center = center + (to_box + pole - middle) / scale
    return Selection(
        row=int(row),
        col=int(col),
        box=np.concatenate([new_center - half, new_center + half]),
        score=float(score[row, col]),
        pole=center + (pole - middle) / scale,
        online=None if online is None else float(online[row, col]),
    )


def clamp_box(box: np.ndarray, frame_size: tuple[int, int], min_size: float) -> np.ndarray:
    """Keep a box usable for the next frame.

    The centre is kept inside the frame, width and height between ``min_size`` and the frame's, and
    the sides are rounded to 1/64 pixel.

    Args:
        box: (4,) xyxy in pixels.
        frame_size: Height and width of the frame in pixels.
        min_size: Smallest width and height in pixels.

    Returns:
        The clamped box, (4,) xyxy.
    """
    limits = frame_limits(frame_size)
    size = limits[2:] - limits[:2]
    center = np.clip(box_center(box), limits[:2], limits[2:])
    half = np.clip(box[2:] - box[:2], np.minimum(min_size, size), size) / 2
    return np.round(np.concatenate([center - half, center + half]) * BOX_STEPS) / BOX_STEPS


def box_around(polygon: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """Smallest box (4,) around a contour (n, 2), as far as it lies in the frame."""
    limits = frame_limits(frame_size)
    corners = np.concatenate([polygon.min(axis=0), polygon.max(axis=0)]).reshape(2, 2)
    return np.clip(corners, limits[:2], limits[2:]).ravel()
