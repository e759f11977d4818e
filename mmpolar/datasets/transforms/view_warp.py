"""Crop and bend an image together with its mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.crop import mean_color
from mmpolar.structures.grid import resized

# Image pixels a crop pixel from which plain bilinear sampling would skip too many.
_SAMPLED_ZOOM = 1.8


def warp_view(
    img: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    field: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crop an image and its mask by an affine matrix, and bend the crop.

    Args:
        img: Image, (H, W, 3) uint8.
        mask: Mask, (H, W) uint8, not zero inside.
        matrix: (2, 3) matrix from image to crop.
        size: Side X of the crop in pixels.
        field: Displacements in crop pixels, (X, X, 2); None for none.

    Returns:
        The crop (X, X, 3), the image's mean colour outside the image, and the mask (X, X) of 0 and
        255.
    """
    color = mean_color(img)
    img, mask, matrix = _visible_part(img, mask, matrix, size, 0 if field is None else field)
    mask = np.where(mask != 0, np.uint8(255), np.uint8(0))
    zoom = 1 / np.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-12))
    if zoom >= _SAMPLED_ZOOM:
        small = tuple(max(1, round(side / zoom)) for side in img.shape[1::-1])
        scale = np.array(small) / img.shape[1::-1]
        img = cv2.resize(img, small, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
        to_full = np.column_stack([np.diag(1 / scale), resized(np.zeros(2), 1 / scale)])
        matrix = compose(matrix, to_full)
    inverse = cv2.invertAffineTransform(matrix)
    if field is None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shape = (size, size)
        crop = cv2.warpAffine(img, inverse, shape, flags=flags, borderValue=color)
        cut = cv2.warpAffine(mask, inverse, shape, flags=flags)
    else:
        ys, xs = np.mgrid[:size, :size].astype(np.float32)
        xs, ys = xs + field[..., 0], ys + field[..., 1]
        inverse = inverse.astype(np.float32)
        map_x = inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]
        map_y = inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]
        crop = cv2.remap(img, map_x, map_y, cv2.INTER_LINEAR, borderValue=color)
        cut = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)
    return crop, cv2.compare(cut, 127, cv2.CMP_GT)


def _visible_part(
    img: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    field: NDArray[np.float32] | float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """The part of an image that a crop shows, its mask, and the matrix from there to the crop."""
    low, high = np.min(field) - 2, np.max(field) + size + 1
    corners = np.array([[low, low], [low, high], [high, low], [high, high]])
    inverse = cv2.invertAffineTransform(matrix)
    corners = corners @ inverse[:, :2].T + inverse[:, 2]
    limits = np.array(img.shape[1::-1])
    first = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, limits - 1)
    last = np.clip(np.ceil(corners.max(0)).astype(int) + 3, first + 1, limits)
    (x1, y1), (x2, y2) = first, last
    to_whole = np.array([[1.0, 0, x1], [0, 1.0, y1]])
    return img[y1:y2, x1:x2], mask[y1:y2, x1:x2], compose(matrix, to_whole)


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) matrix that applies ``inner`` first."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.hstack([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]])


def halve(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The means of the 2 x 2 blocks of a map: from (X, X) to (X / 2, X / 2) uint8."""
    size = len(mask) // 2
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
