"""Regions of a frame whose search crop does not show the target.

A *region* is a box that a search crop is framed by: the crop is centred on it, and its window is
``search_ratio`` times the box's context square (:func:`~mmpolar.structures.crop.context_size`)
wide, the search crop's size over the template crop's. Boxes are x1, y1, x2, y2 in frame pixels.
Needs NumPy only.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.crop import context_size
from mmpolar.structures.grid import frame_limits

#: Pixels of the frame between a window and the target.
CLEARANCE = 2.0
#: Share of a background window that lies inside the frame, at least.
MIN_VISIBLE = 0.5
#: A distractor lies off the centre of its window by at most this share of half the window's side,
#: about as far as the random shift of Ocean's training (64 of 127 px) puts a target.
MAX_OFFSET = 0.5
#: Windows are made smaller only where no full one fits.
_ZOOMS = (1.0, 0.75, 0.5)
_CANDIDATES = 64


def background_region(
    rng: np.random.Generator,
    target: ArrayLike,
    frame_size: tuple[int, int],
    search_ratio: float,
    context_amount: float = 0.5,
) -> NDArray[np.float32] | None:
    """A region of the target's shape, moved away so that its window does not touch the target.

    Args:
        rng: Source of the randomness.
        target: The target's box, (4,).
        frame_size: Height and width of the frame.
        search_ratio: Side of the search crop over that of the template crop.
        context_amount: Context around the target, see ``context_size``.

    Returns:
        The region, (4,), of the target's size or down to half of it, whose window lies inside
        the frame with half of its area at least; None if none was found.
    """
    target = np.asarray(target, dtype=np.float64)
    limits = frame_limits(frame_size)
    centers = rng.uniform(limits[:2], limits[2:], (_CANDIDATES, 2))
    for zoom in _ZOOMS:
        size = (target[2:] - target[:2]) * zoom
        half = context_size(size, context_amount) * search_ratio / 2
        visible = _visible_share(centers, half, frame_size)
        usable = _is_clear(centers, half, target) & (visible >= MIN_VISIBLE)
        if usable.any():
            return _box_at(centers[usable.argmax()], size)
    return None


def distractor_region(
    rng: np.random.Generator,
    distractor: ArrayLike,
    target: ArrayLike,
    search_ratio: float,
    context_amount: float = 0.5,
) -> NDArray[np.float32] | None:
    """A region around a distractor whose window does not touch the target beside it.

    Args:
        rng: Source of the randomness.
        distractor: The distractor's box, (4,).
        target: The target's box in the same frame, (4,).
        search_ratio: Side of the search crop over that of the template crop.
        context_amount: Context around the distractor, see ``context_size``.

    Returns:
        The region, (4,), of the distractor's size or down to half of it; on its centre if that
        will do, otherwise moved at random by at most ``MAX_OFFSET``. None if none was found.
    """
    distractor = np.asarray(distractor, dtype=np.float64)
    center = (distractor[:2] + distractor[2:]) / 2
    offsets = rng.uniform(-MAX_OFFSET, MAX_OFFSET, (_CANDIDATES, 2))
    offsets[0] = 0
    for zoom in _ZOOMS:
        size = (distractor[2:] - distractor[:2]) * zoom
        half = context_size(size, context_amount) * search_ratio / 2
        centers = center + half * offsets
        usable = _is_clear(centers, half, np.asarray(target, dtype=np.float64))
        if usable.any():
            return _box_at(centers[usable.argmax()], size)
    return None


def _is_clear(centers: NDArray, half: float, target: NDArray) -> NDArray[np.bool_]:
    """Whether square windows around centres (N, 2) keep clear of a box."""
    distance = np.abs(centers - (target[:2] + target[2:]) / 2)
    return (distance >= half + (target[2:] - target[:2]) / 2 + CLEARANCE).any(axis=1)


def _visible_share(centers: NDArray, half: float, frame_size: tuple[int, int]) -> NDArray:
    """Share of square windows around centres (N, 2) that lies inside the frame."""
    limits = frame_limits(frame_size)
    extent = np.minimum(centers + half, limits[2:]) - np.maximum(centers - half, limits[:2])
    return np.clip(extent, 0, None).prod(axis=1) / (2 * half) ** 2


def _box_at(center: NDArray, size: NDArray) -> NDArray[np.float32]:
    return np.concatenate([center - size / 2, center + size / 2]).astype(np.float32)
