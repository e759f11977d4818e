"""The mask stage outside its network: crops, priors, references, and masks of frame size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.crop import Border, crop_image, crop_matrix
from mmpolar.structures.grid import frame_limits
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking.params import MAX_SIDE

#: Pixels of a crop that an output cell covers along a side.
MASK_STRIDE = 2
#: Pixels of a crop that a key stands for along a side.
KEY_STRIDE = 8
#: What a given box may be too small by, as a share of its sides.
BOX_ERROR = 0.02
#: Side of the close crops of a given box, in units of its longer side: it needs no room for drift.
CLOSE_CONTEXT = 1.2
#: What presence may be computed from, see :func:`mmpolar.tracking.presence.presence_features`.
PRESENCE_FEATURES = (
    'bias',
    'score',
    'confidence',
    'likeness',
    'contrast',
    'online',
    'completeness',
    'quality',
    'color',
)
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
        key_channels: Channels K of the keys that its network compares.
        memory_quality: A mask whose expected IoU, and whose target's score, are at least this
            becomes the recent reference, and its box may count.
        box_agreement: The box of a mask counts if its IoU with the tracker's is at least this. Of a
            target that something hides, the visible part is no measure.
        box_share: The box of a result is a mean of the tracker's and of the mask's; this is the
            share of the second, in [0, 1].
        search_share: The same share in the box around which the next frame is searched.
        binary_references: Whether references that the stage has made are binary masks, as in training,
            instead of probabilities: better where masks are good, as in larger crops, and worse where
            they are not.
        presence: Weights by name with which the score of a result is computed, see
            :func:`mmpolar.tracking.presence.target_presence`; none to keep the tracker's score. 5 or 6
            weights in the order of the first names of :data:`PRESENCE_FEATURES`, as in releases up to 0.1,
            get their names.

    Raises:
        ValueError: If a value is out of its range, or a weight has an unknown name.

    Example:
        >>> from mmpolar.tracking import MaskParams
        >>> params = MaskParams(crop_size=192, box_share=0.5)
        >>> params.cells, params.key_count
        (96, 576)
    """

    crop_size: int = 160
    context: float = 1.75
    key_channels: int = 48
    memory_quality: float = 0.6
    box_agreement: float = 0.7
    box_share: float = 0.0
    search_share: float = 0.0
    binary_references: bool = False
    presence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 32 <= self.crop_size <= MAX_SIDE or self.crop_size % 32:
            raise ValueError(
                f'crop_size must be a multiple of 32 up to {MAX_SIDE}, got {self.crop_size}'
            )
        if not 1 <= self.context < math.inf:
            raise ValueError(f'context must be at least 1 and finite, got {self.context}')
        if not 1 <= self.key_channels <= MAX_SIDE:
            raise ValueError(f'key_channels must lie in [1, {MAX_SIDE}], got {self.key_channels}')
        for name in ('memory_quality', 'box_agreement', 'box_share', 'search_share'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {getattr(self, name)}')
        object.__setattr__(self, 'presence', _named_weights(self.presence))

    @property
    def needs_online(self) -> bool:
        """Whether presence is computed from an online model too."""
        return 'online' in self.presence

    @property
    def compares_colors(self) -> bool:
        """Whether colours have a weight in presence, or it has no weights, so that they may be fitted."""
        return not self.presence or 'color' in self.presence

    @property
    def close(self) -> 'MaskParams':
        """The same for close crops of a given box."""
        return replace(self, context=min(self.context, CLOSE_CONTEXT))

    @property
    def cells(self) -> int:
        """Output cells along a side of a crop."""
        return self.crop_size // MASK_STRIDE

    @property
    def key_count(self) -> int:
        """Keys R of a crop."""
        return (self.crop_size // KEY_STRIDE) ** 2


class MaskReference(NamedTuple):
    """A crop in which target and background are known.

    Attributes:
        keys: Features for comparisons, (K, R), as the network gave them.
        mask: Share of the target in each output cell, (h, w) float32 in [0, 1].
    """

    keys: NDArray[np.float32]
    mask: NDArray[np.float32]

    def binary(self) -> 'MaskReference':
        """The same with a binary mask."""
        return self._replace(mask=(self.mask > 0.5).astype(np.float32))


@dataclass
class MaskMemory:
    """What the mask stage remembers of a target.

    Attributes:
        first: The frame in which the target was given.
        recent: The last frame with a confident mask.
        colors: The target's colours in the first, see :func:`mmpolar.tracking.colors.color_histogram`; None
            if they are not compared.
    """

    first: MaskReference | None = None
    recent: MaskReference | None = None
    colors: NDArray[np.float32] | None = None


class MaskMaps(NamedTuple):
    """What a mask stage says about the crops of T targets.

    Attributes:
        logits: Logit of each output cell being the target, (T, h, w).
        quality: Expected IoU of each mask with the ground truth, (T,) in [0, 1].
        keys: Features of each crop for later comparisons, (T, K, R).

    Example:
        >>> import numpy as np
        >>> from mmpolar.tracking import MaskMaps
        >>> maps = MaskMaps(np.zeros((1, 80, 80)), np.ones(1), np.zeros((1, 48, 400)))
        >>> maps.logits.shape
        (1, 80, 80)
    """

    logits: NDArray[np.float32]
    quality: NDArray[np.float32]
    keys: NDArray[np.float32]


@dataclass(frozen=True)
class FoundMask:
    """The mask of one target in a frame.

    Attributes:
        mask: (H, W) uint8 of 0 and 1.
        quality: Expected IoU with the ground truth, in [0, 1].
        reference: The crop as a reference for later frames.
        crop: The crop itself, (X, X, 3) uint8 BGR.
    """

    mask: NDArray[np.uint8]
    quality: float
    reference: MaskReference
    crop: NDArray[np.uint8]

    @cached_property
    def box(self) -> NDArray[np.float32] | None:
        """Smallest box (4,) around the mask; None if it is empty."""
        return mask_to_box(self.mask)


class MaskInputs(NamedTuple):
    """What a mask stage needs of T targets.

    Attributes:
        crops: Crops around their boxes, (T, X, X, 3) uint8 BGR.
        priors: Box, contour and the recent mask, (T, 3, h, w) float32 in [0, 1].
        reference_keys: Keys of the first and of the recent reference, (T, 2, K, R) float32.
        reference_masks: Their masks, (T, 2, h, w) float32 in [0, 1]; all zero where there is no
            reference.

    Example:
        >>> import numpy as np
        >>> from mmpolar.tracking import MaskInputs
        >>> inputs = MaskInputs(
        ...     np.zeros((1, 160, 160, 3), np.uint8),
        ...     np.zeros((1, 3, 80, 80), np.float32),
        ...     np.zeros((1, 2, 48, 400), np.float32),
        ...     np.zeros((1, 2, 80, 80), np.float32),
        ... )
        >>> len(inputs.crops)
        1
    """

    crops: NDArray[np.uint8]
    priors: NDArray[np.float32]
    reference_keys: NDArray[np.float32]
    reference_masks: NDArray[np.float32]

    def mirrored(self) -> 'MaskInputs':
        """Left and right of crops and priors swapped; for inputs without references."""
        crops, priors = (
            np.ascontiguousarray(a) for a in (self.crops[:, :, ::-1], self.priors[..., ::-1])
        )
        return self._replace(crops=crops, priors=priors)


def mask_matrix(box: NDArray, params: MaskParams) -> NDArray[np.float64]:
    """(2, 3) matrix from frame to the crop of a mask stage around a box (4,)."""
    return crop_matrix((box[:2] + box[2:]) / 2, _crop_side(box, params), params.crop_size)


def cut_mask_inputs(
    frames: Sequence[NDArray[np.uint8]],
    boxes: Sequence[NDArray],
    polygons: Sequence[NDArray | None],
    memories: Sequence[MaskMemory],
    borders: Sequence[Border],
    params: MaskParams,
) -> MaskInputs:
    """Cut out the crops of targets, and render what is known of them.

    Args:
        frames: The image that each target is in, (H, W, 3) uint8 BGR.
        boxes: The targets' boxes, (4,) xyxy in pixels each.
        polygons: Their contours in pixels of the frame, (n, 2), or None.
        memories: Their references.
        borders: Colour outside the frame for each target.
        params: How the stage is used.
    """
    crops, priors = [], []
    for frame, box, polygon, border in zip(frames, boxes, polygons, borders, strict=True):
        side, center = _crop_side(box, params), (box[:2] + box[2:]) / 2
        crops.append(crop_image(frame, center, side, params.crop_size, border))
        if polygon is not None:
            matrix = mask_matrix(box, params)
            polygon = polygon @ matrix[:, :2].T + matrix[:, 2]
        known = [
            box_coverage((box[2:] - box[:2]) * (params.crop_size / side), params.cells),
            render_region(polygon, params.cells),
        ]
        priors.append(np.stack(known) / np.float32(255))
    slots = [_known(reference, params) for m in memories for reference in (m.first, m.recent)]
    keys, masks = (
        np.stack(parts).reshape(len(memories), 2, *parts[0].shape)
        for parts in zip(*slots, strict=True)
    )
    return MaskInputs(
        np.stack(crops), np.concatenate([np.stack(priors), masks[:, 1:]], 1), keys, masks
    )


def read_masks(
    maps: MaskMaps,
    crops: NDArray[np.uint8],
    boxes: Sequence[NDArray],
    frame_sizes: Sequence[tuple[int, int]],
    params: MaskParams,
) -> list[FoundMask]:
    """Bring what a mask stage says to the frame.

    Args:
        maps: Output of the network for T targets.
        crops: The crops that it saw, (T, X, X, 3) uint8 BGR.
        boxes: The boxes that their crops lie around, (4,) xyxy in pixels each.
        frame_sizes: Height and width of each target's frame in pixels.
        params: How the stage is used.
    """
    return [
        FoundMask(
            mask_to_frame(logits, mask_matrix(box, params), size),
            float(quality),
            MaskReference(keys, sigmoid(logits)),
            crop,
        )
        for logits, quality, keys, crop, box, size in zip(
            *maps, crops, boxes, frame_sizes, strict=True
        )
    ]


def join_views(
    wide: NDArray[np.float32],
    close: NDArray[np.float32],
    mirrored: NDArray[np.float32],
    params: MaskParams,
) -> NDArray[np.float32]:
    """The mean of what the mask stage says about three views of one given box.

    Args:
        wide: Logits (h, w) in the crop of ``params``.
        close: Logits in the crop of ``params.close``.
        mirrored: Logits in that crop with left and right swapped.
        params: How the stage is used.

    Returns:
        Logits (h, w) in the crop of ``params.close``.
    """
    return (_to_crop(wide, params, params.close) + close + mirrored[:, ::-1]) / np.float32(3)


def own_reference(
    keys: NDArray[np.float32],
    wide: NDArray[np.float32],
    joined: NDArray[np.float32],
    box: NDArray,
    params: MaskParams,
) -> MaskReference:
    """The crop of a given box as a reference, with what the stage sees inside of the box.

    Args:
        keys: Features of the crop, (K, R).
        wide: Logits (h, w) in that crop, whose probabilities count if references are not binary.
        joined: Logits (h, w) of :func:`join_views`, whose mask counts if it is.
        box: The box, (4,) xyxy in pixels.
        params: How the stage is used.
    """
    sides = (1 + 2 * BOX_ERROR) * (box[2:] - box[:2])
    coverage = box_coverage(sides * (params.crop_size / _crop_side(box, params)), params.cells)
    if params.binary_references:
        shares = (_to_crop(joined, params.close, params) > 0).astype(np.float32)
    else:
        shares = sigmoid(wide)
    return MaskReference(keys, shares * (coverage / np.float32(255)))


def _to_crop(logits: NDArray[np.float32], old: MaskParams, new: MaskParams) -> NDArray[np.float32]:
    """Logits (h, w) in a crop of a box, brought to another crop of it; -1 outside of the first."""
    zoom = new.context / old.context
    shift = (1 - zoom) * (old.cells - 1) / 2
    return cv2.warpAffine(
        np.ascontiguousarray(logits),
        np.array([[zoom, 0, shift], [0, zoom, shift]]),
        (old.cells, old.cells),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-1.0,
    )


def keep_inside(mask: NDArray[np.uint8], box: NDArray) -> NDArray[np.uint8]:
    """A mask (H, W) without what lies outside a box that is known to hold all of the target.

    Args:
        mask: The mask, 1 inside.
        box: The box, (4,) xyxy in pixels; it may be too small by :data:`BOX_ERROR` of its sides.
    """
    margin = BOX_ERROR * (box[2:] - box[:2])
    x1, y1 = np.maximum(np.ceil(box[:2] - margin), 0).astype(int)
    x2, y2 = np.maximum(np.floor(box[2:] + margin) + 1, 0).astype(int)
    inside = np.zeros_like(mask)
    inside[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    return inside


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
    # Farther than a cell from those above 0 no interpolated logit is.
    x, y, columns, rows = cv2.boundingRect((logits > 0).astype(np.uint8))
    limits = frame_limits(logits.shape)
    low = np.maximum((x - 1, y - 1), limits[:2])
    high = np.minimum((x + columns, y + rows), limits[2:])
    first = np.floor((low - to_cells[:, 2]) / scale).astype(int)
    last = np.ceil((high - to_cells[:, 2]) / scale).astype(int) + 1
    x1, y1 = np.clip(first, 0, (width, height))
    x2, y2 = np.clip(last, 0, (width, height))
    if columns == 0 or x1 >= x2 or y1 >= y2:
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


def _named_weights(weights: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    """Weights of presence by name.

    Raises:
        ValueError: If one is not finite or has an unknown name, or if there are none, 5 or 6 without names.
    """
    if not isinstance(weights, Mapping):
        if len(weights) not in (0, 5, 6):
            raise ValueError(
                f'presence must be weights by name, or 5 or 6 of them without, got {weights}'
            )
        weights = dict(zip(PRESENCE_FEATURES, weights, strict=False))
    unknown = [name for name in weights if name not in PRESENCE_FEATURES]
    if unknown:
        raise ValueError(
            f'presence has no weight {unknown[0]!r}: there are {", ".join(PRESENCE_FEATURES)}'
        )
    if not all(math.isfinite(weight) for weight in weights.values()):
        raise ValueError(f'the weights of presence must be finite, got {dict(weights)}')
    return {name: float(weight) for name, weight in weights.items()}


def _crop_side(box: NDArray, params: MaskParams) -> float:
    """Side of the crop around a box in pixels of the frame."""
    return params.context * max(box[2] - box[0], box[3] - box[1], _MIN_SIDE)


def _known(reference: MaskReference | None, params: MaskParams) -> MaskReference:
    """A reference, or one that says nothing."""
    if reference is not None:
        return reference
    keys = np.zeros((params.key_channels, params.key_count), np.float32)
    return MaskReference(keys, np.zeros((params.cells, params.cells), np.float32))
