"""What a track dataset knows about its target in one frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box


@dataclass(frozen=True)
class Target:
    """The target of a track, as annotated in one frame.

    Attributes:
        box: Box of shape (4,), float32 ``x1, y1, x2, y2`` in pixels; pixel centres lie at integers.
        mask: Mask of shape (H, W), uint8 with values 0 and 1, the size of the frame; None where
            only the box is annotated.
    """

    box: np.ndarray
    mask: np.ndarray | None = None


def draw_target(box: np.ndarray, size: int, mask: np.ndarray | None = None) -> np.ndarray:
    """Where in a template crop the target probably is: its mask, or else the ellipse in its box.

    Args:
        box: The target's box in pixels of the crop, (4,) xyxy.
        size: Side T of the crop in pixels.
        mask: Mask of the crop, (T, T), not zero on the target; one without target counts as None.

    Returns:
        (T, T) uint8, 1 on the target; an ellipse whose centre lies in the crop has one pixel at least.
    """
    if mask is not None and mask.any():
        return (mask != 0).astype(np.uint8)
    center = (box[:2] + box[2:]) / 2
    # Half a pixel wider, so that an ellipse between pixel centres holds one.
    half = np.maximum((box[2:] - box[:2]) / 2, 0.71)
    x, y = ((np.arange(size) - c) / h for c, h in zip(center, half, strict=True))
    return (x**2 + y[:, None] ** 2 <= 1).astype(np.uint8)


def draw_unknown_target(size: int) -> np.ndarray:
    """A disc of half the width of a template crop, as of a square target.

    Args:
        size: Side T of the crop in pixels.

    Returns:
        (T, T) uint8.
    """
    return draw_target(np.array([0.25, 0.25, 0.75, 0.75]) * size - HALF_PIXEL, size)


def box_and_mask(
    target: ArrayLike, frame_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Box of a target that is given as a box or as a mask, and the mask.

    Args:
        target: Box (4,), or mask (H, W) of numbers or booleans, not zero inside.
        frame_size: Height and width of the frame in pixels.

    Returns:
        The box itself, which is not checked, or the smallest one around the mask, (4,) xyxy; and the
        mask, or None.

    Raises:
        ValueError: If the mask is empty, of another size than the frame, has channels or values that
            are not finite.
    """
    try:
        target = np.asarray(target)
    except ValueError as error:  # rows of different lengths
        raise ValueError(
            f'a target is a box of 4 numbers or a mask (height, width): {error}'
        ) from error
    if target.ndim < 2:
        return target, None
    check_mask_size(target, frame_size)
    _check_mask_values(target)
    box = mask_to_box(target != 0)
    if box is None:
        raise ValueError('the mask of the target is empty: mark its pixels with values above 0')
    return box, target


def check_mask_size(mask: np.ndarray, frame_size: tuple[int, int]) -> None:
    """Refuse a mask of another size than its frame.

    Args:
        mask: A target's mask.
        frame_size: Height and width of the frame in pixels.

    Raises:
        ValueError: If the sizes differ.
    """
    if mask.ndim != 2:
        raise ValueError(
            f'a mask must have the shape (height, width) without channels, got {mask.shape}; a box is '
            'x1, y1, x2, y2'
        )
    if mask.shape != tuple(frame_size):
        raise ValueError(
            f'mask and frame differ in size: {mask.shape} and {frame_size} (height, width)'
        )


def _check_mask_values(mask: np.ndarray) -> None:
    if mask.dtype.kind not in 'buif':
        raise ValueError(f'a mask must have numbers or booleans, got {mask.dtype}')
    if mask.dtype.kind == 'f' and not np.isfinite(mask).all():
        raise ValueError('the mask of the target has NaN or infinite values; use 0 and 1')
