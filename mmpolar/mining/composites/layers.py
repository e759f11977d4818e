"""Placing images, with their boxes and masks, on the canvas of a composite."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.mining.composites.sources import Source, clip_boxes

#: Room for rounding where a visible share is compared with the least one.
_SHARE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Layer:
    """An image where it lies on the canvas.

    Attributes:
        source: The image.
        size: Width and height to which it is scaled, in pixels.
        offset: Where its left upper corner comes to lie, (x, y); outside the canvas perhaps.
        region: Canvas pixels that show it: columns x1 up to x2 - 1, rows y1 up to y2 - 1.
        weight: Share that it has in the colour of these pixels.
    """

    source: Source
    size: tuple[int, int]
    offset: tuple[int, int]
    region: tuple[int, int, int, int]
    weight: float = 1.0

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that show the image."""
        x1, y1, x2, y2 = self.region
        return slice(y1, y2), slice(x1, x2)

    @property
    def scale_factor(self) -> tuple[float, float]:
        """Width and height of a source pixel on the canvas."""
        height, width = self.source.image.shape[:2]
        return self.size[0] / width, self.size[1] / height

    def pixels(self) -> NDArray[np.uint8]:
        """The part of the scaled image that the canvas shows, of the shape of the window."""
        image = _resize(self.source.image, self.size)
        x1, y1, x2, y2 = self._visible
        return image[y1:y2, x1:x2]

    def masks(self, chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Chosen masks where the canvas shows them, of shape (C,) and the shape of the window."""
        x1, y1, x2, y2 = self._visible
        height, width = self.source.image.shape[:2]
        rows = _nearest(np.arange(y1, y2), self.size[1], height)
        columns = _nearest(np.arange(x1, x2), self.size[0], width)
        return self.source.masks[chosen].take(rows, axis=1).take(columns, axis=2)

    @property
    def _visible(self) -> NDArray[np.int64]:
        """The region, counted in pixels of the scaled image."""
        return np.subtract(self.region, (*self.offset, *self.offset))


def scaled_size(image: NDArray[np.uint8], room: tuple[int, int], scale: float) -> tuple[int, int]:
    """Size of an image that keeps its ratio.

    Args:
        image: Pixels, (h, w, 3).
        room: Width and height to fit it into.
        scale: Factor by which it is larger than what fits.

    Returns:
        Width and height in whole pixels, at least 1.
    """
    height, width = image.shape[:2]
    factor = min(room[0] / width, room[1] / height) * scale
    return max(round(width * factor), 1), max(round(height * factor), 1)


def place_image(
    source: Source, cell: Sequence[int], scale: float, rng: Generator, weight: float = 1.0
) -> Layer:
    """Put an image at a random position in a cell, which cuts off what sticks out.

    In each direction an image smaller than the cell lies inside it whole, and a larger one fills
    it. A larger positive is placed so that one of its boxes, chosen at random, stays in the cell as
    far as it fits there.

    Args:
        source: The image.
        cell: Canvas pixels it may cover, xyxy, the last ones not included.
        scale: Factor by which it is larger than what fits into the cell.
        rng: Random numbers.
        weight: Share that it has in the colour.
    """
    x1, y1, x2, y2 = (int(v) for v in cell)
    room = (x2 - x1, y2 - y1)
    size = scaled_size(source.image, room, scale)
    kept = _box_to_keep(source, rng) * np.divide(size, source.image.shape[1::-1])
    offsets = [
        start + _sample_shift(room[axis], size[axis], kept[:, axis], rng)
        for axis, start in enumerate((x1, y1))
    ]
    region = (
        max(x1, offsets[0]),
        max(y1, offsets[1]),
        min(x2, offsets[0] + size[0]),
        min(y2, offsets[1] + size[1]),
    )
    return Layer(source, size, (offsets[0], offsets[1]), region, weight)


def composite_results(
    results: dict, canvas: NDArray[np.uint8], layers: Sequence[Layer], min_visible: float = 0.0
) -> dict:
    """Results of the composite, as MMDetection's transforms take them.

    Args:
        results: What the composite was made from; all but its images is kept.
        canvas: Pixels of the composite, (H, W, 3) uint8.
        layers: Its images, the first of them a positive if there is one.
        min_visible: Boxes of which a smaller share is left than this are to be ignored.

    Returns:
        Results with the keys that ``StitchComposite`` and ``OverlayComposite`` describe.
    """
    height, width = canvas.shape[:2]
    kept = {key: results[key] for key in results if key not in ('positives', 'negatives')}
    first = layers[0].source.results
    return kept | dict(
        img=canvas,
        img_shape=(height, width),
        ori_shape=(height, width),
        scale_factor=(1.0, 1.0),
        flip=False,
        flip_direction=None,
        img_id=first.get('img_id'),
        img_path=first.get('img_path'),
        composite_sources=[_describe(layer) for layer in layers],
        **_annotations(layers, (height, width), min_visible),
    )


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)


def _box_to_keep(source: Source, rng: Generator) -> NDArray[np.float32]:
    """Corners of a box of the image chosen at random, (2, 2); of the image where it has none."""
    candidates = np.flatnonzero(~source.ignored & (_areas(source.boxes) > 0))
    if len(candidates):
        return source.boxes[rng.choice(candidates)].reshape(2, 2)
    height, width = source.image.shape[:2]
    return np.array([[0, 0], [width, height]], dtype=np.float32)


def _sample_shift(room: int, size: int, kept: NDArray[np.float64], rng: Generator) -> int:
    """How far along one axis the image's start lies behind the cell's.

    Args:
        room: Pixels of the cell.
        size: Pixels of the image.
        kept: Where the part begins and ends that should stay in the cell, (2,).
        rng: Random numbers.
    """
    if size <= room:
        return int(rng.integers(room - size, endpoint=True))
    shifts = np.sort([-kept[0], room - kept[1]])
    low, high = np.clip((np.ceil(shifts[0]), np.floor(shifts[1])), room - size, 0).astype(int)
    return int(rng.integers(low, max(low, high), endpoint=True))


def _resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale an image to a width and height so that each of its pixels counts.

    Exact halves and linear interpolation are many times faster than the mean over areas in
    general, which is left for sides that are odd.
    """
    while _is_under_half(image, size) and image.shape[0] % 2 == image.shape[1] % 2 == 0:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    if image.shape[1::-1] == tuple(size):
        return image
    interpolation = cv2.INTER_AREA if _is_under_half(image, size) else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=interpolation)


def _is_under_half(image: NDArray[np.uint8], size: tuple[int, int]) -> bool:
    return 2 * size[0] < image.shape[1] and 2 * size[1] < image.shape[0]


def _nearest(pixels: NDArray[np.int64], scaled: int, original: int) -> NDArray[np.int64]:
    """Source pixels that hold the centres of pixels of the scaled image."""
    return (2 * pixels + 1) * original // (2 * scaled)


def _annotations(layers: Sequence[Layer], shape: tuple[int, int], min_visible: float) -> dict:
    positives = [layer for layer in layers if not layer.source.is_negative]
    has_masks = layers[0].source.masks is not None
    boxes, labels = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)]
    ignored, masks = [np.zeros(0, bool)], [np.zeros((0, *shape), np.uint8)]
    for layer in positives:
        whole = _on_canvas(layer)
        seen = clip_boxes(whole, layer.region)
        is_left = _areas(seen) > 0
        if has_masks:
            seen_masks = _masks_on_canvas(layer, is_left, shape)
            was_empty = ~layer.source.masks[is_left].any(axis=(1, 2))
            is_mask_left = seen_masks.any(axis=(1, 2)) | was_empty
            masks.append(seen_masks[is_mask_left])
            is_left[is_left] = is_mask_left
        share = _areas(seen)[is_left] / _areas(whole)[is_left]
        boxes.append(seen[is_left])
        labels.append(layer.source.labels[is_left])
        ignored.append(layer.source.ignored[is_left] | (share < min_visible - _SHARE_TOLERANCE))
    annotations = dict(
        gt_bboxes=HorizontalBoxes(torch.from_numpy(np.concatenate(boxes))),
        gt_bboxes_labels=np.concatenate(labels),
        gt_ignore_flags=np.concatenate(ignored),
    )
    if has_masks:
        annotations['gt_masks'] = BitmapMasks(np.concatenate(masks), *shape)
    return annotations


def _on_canvas(layer: Layer) -> NDArray[np.float32]:
    boxes = layer.source.boxes * np.tile(layer.scale_factor, 2) + np.tile(layer.offset, 2)
    return boxes.astype(np.float32)


def _masks_on_canvas(
    layer: Layer, chosen: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    masks = np.zeros((np.count_nonzero(chosen), *shape), dtype=np.uint8)
    rows, columns = layer.window
    masks[:, rows, columns] = layer.masks(chosen)
    return masks


def _describe(layer: Layer) -> dict:
    return dict(
        img_path=layer.source.results.get('img_path'),
        is_negative=layer.source.is_negative,
        region=layer.region,
        offset=layer.offset,
        scale_factor=layer.scale_factor,
        weight=layer.weight,
    )
