"""Geometry of square crops around a target, shared by training and by the tracker.

A crop of ``out_size`` pixels a side shows a square window of the frame. All coordinates are pixels
with integer values at pixel centres, so a window of ``side`` frame pixels around ``center`` spans
``center - side / 2 .. center + side / 2``, its crop spans ``-0.5 .. out_size - 0.5``, and the
centre lands on ``(out_size - 1) / 2``. A (2, 3) matrix maps frame pixels to crop pixels. Needs
NumPy and OpenCV only.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.grid import HALF_PIXEL, to_pixels

Border = float | Sequence[float]

_MEAN_ROWS = 128  # rows that mean_color samples: enough for a fill colour, 8 x cheaper at 1080p
# Larger images OpenCV shares among its threads. The cores may be taken by those of a network, which
# wait for its next step in a loop: sharing a task of a tenth of a millisecond then takes two.
_SERIAL_PIXELS = 1 << 16
_SLICE_MARGIN = 2  # frame pixels kept around a window, so that interpolation never meets the cut


def context_size(box_or_wh: ArrayLike, context_amount: float = 0.5) -> float:
    """Side of the square that holds a target and its context.

    ``sqrt((w + p) * (h + p))`` with ``p = context_amount * (w + h)`` (Bertinetto et al., ECCV
    Workshops 2016, "Fully-Convolutional Siamese Networks for Object Tracking", section 3.2, where
    ``2 p = (w + h) / 2`` is added to each side).

    Args:
        box_or_wh: Box (x1, y1, x2, y2) or size (w, h), in pixels.
        context_amount: Share of ``w + h`` added to both the width and the height.

    Returns:
        Side in pixels, greater than 0. The template crop shows it, at 127 px.

    Raises:
        ValueError: If there are not 2 or 4 numbers, or they enclose no area.
    """
    values = np.asarray(box_or_wh, dtype=np.float64)
    if values.shape not in ((2,), (4,)):
        raise ValueError(
            f'expected a box (x1, y1, x2, y2) or a size (w, h), got shape {values.shape}'
        )
    width, height = values if values.size == 2 else values[2:] - values[:2]
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError(
            f'a target needs a finite width and height above 0, got {width} x {height} '
            f'from {values.tolist()}; leave frames without a target out'
        )
    context = context_amount * (width + height)
    return math.sqrt((width + context) * (height + context))


def crop_matrix(center: ArrayLike, side: float, out_size: int) -> NDArray[np.float64]:
    """Matrix of the crop that shows a square window of the frame.

    Args:
        center: Centre (x, y) of the window, in frame pixels.
        side: Side of the window in frame pixels, greater than 0.
        out_size: Side of the crop in pixels.

    Returns:
        (2, 3) matrix from frame pixels to crop pixels; it maps ``center`` to
        ``(out_size - 1) / 2`` on both axes.
    """
    scale = out_size / side
    x, y = np.asarray(center, dtype=np.float64)
    middle = (out_size - 1) / 2
    return np.array([[scale, 0.0, middle - scale * x], [0.0, scale, middle - scale * y]])


def invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a (2, 3) affine matrix: from crop pixels back to frame pixels."""
    return cv2.invertAffineTransform(matrix)


def transform_points(points: ArrayLike, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Map points (..., 2) by a (2, 3) matrix; returns float32 of the same shape."""
    mapped = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return mapped.astype(np.float32)


def transform_box(box: ArrayLike, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bounding box of a mapped box.

    Args:
        box: Boxes (..., 4) as x1, y1, x2, y2 in pixels.
        matrix: (2, 3) affine matrix.

    Returns:
        (..., 4) float32 boxes that hold the four mapped corners. Nothing is clipped.
    """
    box = np.asarray(box, dtype=np.float64)
    corners = box[..., [0, 1, 2, 1, 2, 3, 0, 3]].reshape(*box.shape[:-1], 4, 2)
    mapped = transform_points(corners, matrix)
    return np.concatenate([mapped.min(axis=-2), mapped.max(axis=-2)], axis=-1)


def transform_mask_box(
    mask: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Bounding box of a mapped mask, exact for rotations too and not clipped by any crop.

    Args:
        mask: (H, W) uint8, non-zero on the target.
        matrix: (2, 3) affine matrix.

    Returns:
        (4,) float32 box of the mapped pixel squares, None if the mask is empty.
    """
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return None
    if matrix[0, 1] == 0 and matrix[1, 0] == 0:
        return transform_box(np.array([x, y, x + width, y + height]) - HALF_PIXEL, matrix)
    contours, _ = cv2.findContours(
        mask[y : y + height, x : x + width],
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_SIMPLE,
        offset=(x, y),
    )
    centers = transform_points(np.concatenate(contours)[:, 0], matrix)
    reach = np.abs(matrix[:, :2]).sum(axis=1) / 2  # half the extent of one mapped pixel square
    return np.concatenate([centers.min(axis=0) - reach, centers.max(axis=0) + reach]).astype(
        np.float32
    )


def mean_color(img: NDArray[np.uint8]) -> tuple[float, ...]:
    """Mean of each channel over evenly spaced rows (all rows of a small image).

    Args:
        img: (H, W) or (H, W, 3) uint8.

    Returns:
        One value in [0, 255] a channel.
    """
    channels = 1 if img.ndim == 2 else img.shape[2]
    return tuple(cv2.mean(img[:: max(1, img.shape[0] // _MEAN_ROWS)])[:channels])


def crop_image(
    img: NDArray[np.uint8], center: ArrayLike, side: float, out_size: int, border: Border = 0
) -> NDArray[np.uint8]:
    """Crop a square window of the frame and resize it.

    Args:
        img: Frame, (H, W) or (H, W, 3) uint8.
        center: Centre (x, y) of the window, in frame pixels.
        side: Side of the window in frame pixels, greater than 0.
        out_size: Side of the crop in pixels.
        border: Colour outside the frame, one number or one a channel.

    Returns:
        (out_size, out_size) or (out_size, out_size, 3) uint8 crop, a new array.
    """
    return warp_image(img, crop_matrix(center, side, out_size), out_size, border)


def crop_whole_pixels(
    img: NDArray[np.uint8], center: ArrayLike, side: float, out_size: int, border: Border = 0
) -> NDArray[np.uint8]:
    """Crop a window of whole pixels and resize it, as Ocean's published code does.

    The window's side is rounded, and so is its position, which moves it by up to a pixel to the left
    and up. Large windows are sampled, not averaged. :func:`crop_image` is better on all accounts;
    this one is for results that shall equal the published code's.

    Args:
        img: Frame, (H, W) or (H, W, 3) uint8.
        center: Centre (x, y) of the window, in frame pixels.
        side: Side of the window in frame pixels, greater than 0.
        out_size: Side of the crop in pixels.
        border: Colour outside the frame, one number or one a channel.

    Returns:
        (out_size, out_size) or (out_size, out_size, 3) uint8 crop, a new array.
    """
    side = max(1, math.floor(side + 0.5))
    # The published position is that of pixel edges: half a pixel more than that of centres.
    left, top = (
        round(value + HALF_PIXEL - (side + 1) / 2) for value in np.asarray(center, np.float64)
    )
    height, width = img.shape[:2]
    x1, x2 = np.clip((left, left + side), 0, width)
    y1, y2 = np.clip((top, top + side), 0, height)
    color = np.broadcast_to(np.rint(border), img.shape[2:] or (1,))
    if x1 == x2 or y1 == y2:
        return np.full((out_size, out_size, *img.shape[2:]), color, dtype=np.uint8)
    window = cv2.copyMakeBorder(
        img[y1:y2, x1:x2],
        y1 - top,
        top + side - y2,
        x1 - left,
        left + side - x2,
        cv2.BORDER_CONSTANT,
        value=color.tolist(),
    )
    return cv2.resize(window, (out_size, out_size), interpolation=cv2.INTER_LINEAR)


def whole_mean_color(img: NDArray[np.uint8]) -> tuple[float, ...]:
    """Mean of each channel over all pixels, rounded down: the border that Ocean's code has.

    Args:
        img: (H, W) or (H, W, 3) uint8.

    Returns:
        One whole number in [0, 255] a channel.
    """
    channels = 1 if img.ndim == 2 else img.shape[2]
    return tuple(float(math.floor(value)) for value in cv2.mean(img)[:channels])


class CropRule(NamedTuple):
    """How a tracker cuts out its crops.

    Attributes:
        crop: Called like :func:`crop_image`.
        border: Colour outside the frame, from the first frame.
    """

    crop: Callable[..., NDArray[np.uint8]]
    border: Callable[[NDArray[np.uint8]], tuple[float, ...]]


CROP_RULES = {
    'exact': CropRule(crop_image, mean_color),
    'whole_pixels': CropRule(crop_whole_pixels, whole_mean_color),
}


def warp_image(
    img: NDArray[np.uint8], matrix: NDArray[np.float64], out_size: int, border: Border = 0
) -> NDArray[np.uint8]:
    """Crop a frame by any affine matrix, bilinear, from the part of the frame that it shows.

    A window more than twice as large as the crop is first halved, as often as that holds, by
    averaging 2 x 2 pixels: plain bilinear sampling would skip pixels there.

    Args:
        img: Frame, (H, W) or (H, W, 3) uint8.
        matrix: (2, 3) matrix from frame pixels to crop pixels.
        out_size: Side of the crop in pixels.
        border: Colour outside the frame, one number or one a channel.

    Returns:
        (out_size, out_size) or (out_size, out_size, 3) uint8 crop, a new array.
    """
    return _warp_part(img, _VisiblePart.of(img.shape, matrix, out_size), border)


def warp_mask(
    mask: NDArray[np.uint8], matrix: NDArray[np.float64], out_size: int
) -> NDArray[np.uint8]:
    """Crop a mask by any affine matrix; 0 outside the frame.

    Each crop pixel takes the frame pixel square that its centre falls into, so the result is the
    mapped contour drawn at crop resolution and its area is unbiased. (Interpolating and cutting
    at one half would round off corners and lose a third of a single pixel.)

    Args:
        mask: (H, W) uint8, non-zero on the target.
        matrix: (2, 3) matrix from frame pixels to crop pixels.
        out_size: Side of the crop in pixels.

    Returns:
        (out_size, out_size) uint8.
    """
    return _warp_mask_part(mask, _VisiblePart.of(mask.shape, matrix, out_size))


def warp_frame(
    img: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    matrix: NDArray[np.float64],
    out_size: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Crop a frame and its mask, the frame's mean colour and 0 outside.

    Args:
        img: Frame, (H, W) or (H, W, 3) uint8.
        mask: (H, W) uint8, non-zero on the target; None if it is not known.
        matrix: (2, 3) matrix from frame pixels to crop pixels.
        out_size: Side of the crop in pixels.

    Returns:
        What :func:`warp_image` with :func:`mean_color`, and :func:`warp_mask`, give.
    """
    part = _VisiblePart.of(img.shape, matrix, out_size)
    border = 0.0 if part.hides_border else mean_color(img)
    return _warp_part(img, part, border), None if mask is None else _warp_mask_part(mask, part)


def score_locations(
    score_size: int = 25, stride: int = 8, search_size: int = 255
) -> NDArray[np.float32]:
    """Positions in the search crop that the locations of a score map stand for (Ocean's grid).

    Args:
        score_size: Side S of the score map.
        stride: Distance of neighbouring locations in pixels.
        search_size: Side X of the search crop in pixels.

    Returns:
        (S, S, 2) float32; location (row, column) is at
        ``x = (column - S // 2) * stride + X // 2`` and likewise in y.
    """
    axis = to_pixels(np.arange(score_size), score_size, stride, search_size)
    x, y = np.meshgrid(axis, axis)
    return np.stack([x, y], axis=-1).astype(np.float32)


class _VisiblePart(NamedTuple):
    """The frame pixels that a crop can touch.

    Attributes:
        rows: Rows of the frame.
        columns: Columns of the frame.
        to_part: (2, 3) matrix from crop pixels to pixels of the part.
        zoom: Frame pixels per crop pixel.
        out_size: Side of the crop in pixels.
        hides_border: Whether the crop shows nothing of what is around the frame.
    """

    rows: slice
    columns: slice
    to_part: NDArray[np.float64]
    zoom: float
    out_size: int
    hides_border: bool

    @classmethod
    def of(cls, shape: Sequence[int], matrix: NDArray[np.float64], out_size: int) -> '_VisiblePart':
        """The part of a frame of a shape (H, W, ...), for a matrix from frame to crop."""
        to_part = invert(matrix)
        (a, b, x), (c, d, y) = to_part.tolist()
        middle, half = (out_size - 1) / 2, out_size / 2
        x1, x2, in_width = _span(x + (a + b) * middle, (abs(a) + abs(b)) * half, shape[1])
        y1, y2, in_height = _span(y + (c + d) * middle, (abs(c) + abs(d)) * half, shape[0])
        to_part[:, 2] -= x1, y1
        zoom = math.sqrt(abs(a * d - b * c))
        # Halving takes from the margin.
        is_inside = zoom < 2 and in_width and in_height
        return cls(slice(y1, y2), slice(x1, x2), to_part, zoom, out_size, is_inside)

    def cut(self, img: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """View of the part in a frame, or in a map of its size."""
        return img[self.rows, self.columns]


def _span(center: float, reach: float, limit: int) -> tuple[int, int, bool]:
    """Pixels from ``center - reach`` to ``center + reach`` and a margin, cut off at 0 and at a limit.

    Returns:
        The first, the one after the last, and whether nothing was cut off.
    """
    first = math.floor(center - reach) - _SLICE_MARGIN
    end = math.ceil(center + reach) + _SLICE_MARGIN + 1
    is_inside = first >= 0 and end <= limit
    return min(max(first, 0), limit), min(max(end, 0), limit), is_inside


def _warp_part(img: NDArray[np.uint8], part: _VisiblePart, border: Border) -> NDArray[np.uint8]:
    """See :func:`warp_image`."""
    color = np.broadcast_to(np.rint(border), img.shape[2:] or (1,))
    view, to_part, zoom = part.cut(img), part.to_part, part.zoom
    if view.size == 0:
        return np.full((part.out_size, part.out_size, *img.shape[2:]), color, dtype=np.uint8)
    while zoom >= 2 and min(view.shape[:2]) >= 2:
        view, to_part, zoom = _halve(view), _to_half(to_part), zoom / 2
    return _warp(view, to_part, part.out_size, cv2.INTER_LINEAR, color.tolist())


def _warp_mask_part(mask: NDArray[np.uint8], part: _VisiblePart) -> NDArray[np.uint8]:
    """See :func:`warp_mask`."""
    view = part.cut(mask)
    if view.size == 0:
        return np.zeros((part.out_size, part.out_size), dtype=np.uint8)
    return _warp(view, part.to_part, part.out_size, cv2.INTER_NEAREST, 0)


def _halve(img: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean of 2 x 2 pixels; an odd last row or column, under a crop pixel wide, is left out."""
    height, width = img.shape[0] // 2, img.shape[1] // 2
    half = np.empty((height, width, *img.shape[2:]), np.uint8)
    band = max(1, _SERIAL_PIXELS // width)
    for top in range(0, height, band):
        part = half[top : top + band]
        source = img[2 * top : 2 * (top + len(part)), : 2 * width]
        cv2.resize(source, (width, len(part)), dst=part, interpolation=cv2.INTER_AREA)
    return half


def _to_half(to_frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map into a frame of half the size: pixel i covers the old pixels 2i and 2i + 1."""
    half = to_frame / 2
    half[:, 2] -= 0.25
    return half


def _warp(
    img: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    out_size: int,
    interpolation: int,
    border: Border,
) -> NDArray[np.uint8]:
    return cv2.warpAffine(
        img,
        to_frame,
        (out_size, out_size),
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )
