"""The mask stage outside its network: crops, priors, references, and masks of frame size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.crop import Border, crop_image, crop_matrix

#: Pixels of a crop that an output cell covers along a side.
MASK_STRIDE = 2
# Targets are at least this many pixels long, so that a crop is no part of a pixel.
_MIN_SIDE = 2.0
# Subpixel bits of OpenCV's polygons.
_SHIFT = 4


@dataclass(frozen=True)
class MaskParams:
    """How a mask stage is used.

    Attributes:
        crop_size: Side X of its crops in pixels.
        context: Side of a crop in units of the longer side of the target's box.
        memory_quality: A mask whose expected IoU is at least this becomes the recent reference.

    Raises:
        ValueError: If a value is out of its range.
    """

    crop_size: int = 160
    context: float = 1.75
    memory_quality: float = 0.6

    def __post_init__(self) -> None:
        if self.crop_size < 32 or self.crop_size % 32:
            raise ValueError(f'crop_size must be a multiple of 32, got {self.crop_size}')
        if not self.context >= 1:
            raise ValueError(f'context must be at least 1, got {self.context}')
        if not 0 <= self.memory_quality <= 1:
            raise ValueError(f'memory_quality must lie in [0, 1], got {self.memory_quality}')

    @property
    def cells(self) -> int:
        """Output cells along a side of a crop."""
        return self.crop_size // MASK_STRIDE


class MaskReference(NamedTuple):
    """A crop in which target and background are known.

    Attributes:
        keys: Features for comparisons, (K, R), as the network gave them.
        mask: Share of the target in each output cell, (h, w) float32 in [0, 1].
    """

    keys: NDArray[np.float32]
    mask: NDArray[np.float32]


@dataclass
class MaskMemory:
    """What the mask stage remembers of a target: the first frame, and a recent one."""

    first: MaskReference | None = None
    recent: MaskReference | None = None


class MaskMaps(NamedTuple):
    """What a mask stage says about the crops of T targets.

    Attributes:
        logits: Logit of each output cell being the target, (T, h, w).
        quality: Expected IoU of each mask with the ground truth, (T,) in [0, 1].
        keys: Features of each crop for later comparisons, (T, K, R).
    """

    logits: NDArray[np.float32]
    quality: NDArray[np.float32]
    keys: NDArray[np.float32]


class MaskInputs(NamedTuple):
    """What a mask stage needs of T targets.

    Attributes:
        crops: Crops around their boxes, (T, X, X, 3) uint8 BGR.
        priors: Box, contour and the recent mask, (T, 3, h, w) float32 in [0, 1].
        references: Of each target the first and the recent one, None where there is none.
    """

    crops: NDArray[np.uint8]
    priors: NDArray[np.float32]
    references: Sequence[tuple[MaskReference | None, MaskReference | None]]


def mask_matrix(box: NDArray, params: MaskParams) -> NDArray[np.float64]:
    """(2, 3) matrix from frame to the crop of a mask stage around a box (4,)."""
    longer = max(box[2] - box[0], box[3] - box[1], _MIN_SIDE)
    return crop_matrix((box[:2] + box[2:]) / 2, params.context * longer, params.crop_size)


def cut_mask_inputs(
    frame: NDArray[np.uint8],
    boxes: Sequence[NDArray],
    polygons: Sequence[NDArray | None],
    memories: Sequence[MaskMemory],
    borders: Sequence[Border],
    params: MaskParams,
) -> MaskInputs:
    """Cut out the crops of targets, and render what is known of them.

    Args:
        frame: Image, (H, W, 3) uint8 BGR.
        boxes: The targets' boxes, (4,) xyxy in pixels each.
        polygons: Their contours in pixels of the frame, (n, 2), or None.
        memories: Their references.
        borders: Colour outside the frame for each target.
        params: How the stage is used.
    """
    crops, priors = [], []
    for box, polygon, memory, border in zip(boxes, polygons, memories, borders, strict=True):
        longer = max(box[2] - box[0], box[3] - box[1], _MIN_SIDE)
        side, center = params.context * longer, (box[:2] + box[2:]) / 2
        matrix = crop_matrix(center, side, params.crop_size)
        crops.append(crop_image(frame, center, side, params.crop_size, border))
        if polygon is not None:
            polygon = polygon @ matrix[:, :2].T + matrix[:, 2]
        sides = (box[2:] - box[:2]) * (params.crop_size / side)
        recent = memory.recent.mask if memory.recent is not None else np.zeros((params.cells,) * 2)
        priors.append(
            np.stack(
                [
                    box_coverage(sides, params.cells) / np.float32(255),
                    render_region(polygon, params.cells) / np.float32(255),
                    recent.astype(np.float32),
                ]
            )
        )
    references = [(memory.first, memory.recent) for memory in memories]
    return MaskInputs(np.stack(crops), np.stack(priors), references)


def mask_to_frame(
    logits: NDArray[np.float32], matrix: NDArray[np.float64], frame_size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Bring a mask from its crop to the frame.

    Args:
        logits: Logits of the output cells, (h, w).
        matrix: (2, 3) matrix from frame to crop, see :func:`mask_matrix`.
        frame_size: Height and width of the frame in pixels.

    Returns:
        (H, W) uint8, 1 where the interpolated logit is above 0.
    """
    height, width = frame_size
    mask = np.zeros((height, width), np.uint8)
    # Cell i covers the pixels 2i and 2i + 1 of the crop.
    to_cells = matrix / MASK_STRIDE
    to_cells[:, 2] -= (MASK_STRIDE - 1) / 2 / MASK_STRIDE
    scale = to_cells[0, 0]
    first = np.floor((-0.5 - to_cells[:, 2]) / scale).astype(int)
    last = np.ceil((logits.shape[0] - 0.5 - to_cells[:, 2]) / scale).astype(int) + 1
    x1, y1 = np.clip(first, 0, (width, height))
    x2, y2 = np.clip(last, 0, (width, height))
    if x1 >= x2 or y1 >= y2:
        return mask
    to_cells[:, 2] += scale * np.array([x1, y1])
    part = cv2.warpAffine(
        np.ascontiguousarray(logits, dtype=np.float32),
        to_cells,
        (int(x2 - x1), int(y2 - y1)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-1.0,
    )
    mask[y1:y2, x1:x2] = part > 0
    return mask


def mask_to_cells(
    mask: NDArray, matrix: NDArray[np.float64], params: MaskParams
) -> NDArray[np.float32]:
    """Share of a frame's mask (H, W), not zero inside, in each output cell: (h, w) float32."""
    size = params.crop_size
    inside = np.where(mask != 0, np.float32(1), np.float32(0))
    zoom = 1 / matrix[0, 0]
    if zoom > 1:
        kernel = round(zoom)
        inside = cv2.blur(inside, (kernel, kernel), borderType=cv2.BORDER_CONSTANT)
    crop = cv2.warpAffine(inside, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return cv2.resize(crop, (params.cells,) * 2, interpolation=cv2.INTER_AREA)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logistic function, without overflow."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


def box_coverage(sides: NDArray, cells: int) -> NDArray[np.uint8]:
    """Share of each output cell that a box in the middle of a crop covers.

    Args:
        sides: Width and height of the box in pixels of the crop.
        cells: Output cells along a side.

    Returns:
        (cells, cells) uint8, 255 for cells that are covered.
    """
    edges = np.arange(cells + 1) * MASK_STRIDE
    middle = cells * MASK_STRIDE / 2
    columns, rows = (
        np.diff(np.clip(edges, middle - side / 2, middle + side / 2)) / MASK_STRIDE
        for side in sides
    )
    return np.rint(np.outer(rows, columns) * 255).astype(np.uint8)


def render_region(
    polygon: NDArray | None, cells: int, stride: int = MASK_STRIDE
) -> NDArray[np.uint8]:
    """Inside of a polygon, antialiased.

    Args:
        polygon: Points (n, 2) in pixels of the crop; None for nothing.
        cells: Cells along a side.
        stride: Pixels of a cell along a side.

    Returns:
        (cells, cells) uint8 of 0 to 255.
    """
    canvas = np.zeros((cells * stride,) * 2, np.uint8)
    if polygon is not None:
        fixed = np.rint(np.clip(polygon, -1e4, 1e4) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(canvas, [fixed], 255, shift=_SHIFT)
    return cv2.resize(canvas, (cells, cells), interpolation=cv2.INTER_AREA)
