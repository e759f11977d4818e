"""The object at a point of a frame, found by the mask stage: a click is enough to start a track."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.crop import CROP_RULES
from mmpolar.structures.grid import frame_limits
from mmpolar.tracking.engine import TrackEngine, run_mask_stage
from mmpolar.tracking.mask_stage import FoundMask, MaskMemory, cut_mask_inputs, read_masks
from mmpolar.utils.image import to_bgr_uint8

#: Sides of the first boxes around the point: the smallest in pixels, the ratio from one to the next, the
#: largest as a share of the frame's shorter side.
_SMALLEST, _RATIO, _LARGEST = 16.0, 1.5, 0.9
#: Their widths and heights as shares of the side. With tall and wide boxes a click need not be in the middle
#: of its object: chosen on 39 objects of photographs.
_SHAPES = ((1.0, 1.0), (0.6, 1.5), (1.5, 0.6))
#: So many of the masks are looked into again.
_REFINED = 8


def find_object(engine: TrackEngine, frame: NDArray, point: ArrayLike) -> NDArray[np.uint8]:
    """The object around a point that the mask stage is surest of.

    Boxes of several sizes and shapes around the point are given to the mask stage, and the boxes around the
    best masks are given to it again. Of all masks that hold the point, the one of which the stage expects the
    highest IoU is taken.

    Args:
        engine: A network with a mask stage.
        frame: Image as for :meth:`mmpolar.tracking.Tracker.init`.
        point: x, y in pixels.

    Returns:
        Its mask (H, W) of 0 and 1, a target for :meth:`mmpolar.tracking.Tracker.init`.

    Raises:
        ValueError: If the point lies outside the frame, the engine has no mask stage, or nothing is found
            at the point.

    Example:
        >>> from mmpolar.apis import init_engine
        >>> from mmpolar.datasets.synthetic import photo_scene
        >>> from mmpolar.structures.polar import mass_center
        >>> from mmpolar.tracking.point_target import find_object
        >>> frame, flower = photo_scene('flower-on-grass', 2).render(0)
        >>> mask = find_object(init_engine(engine='onnx'), frame, mass_center(flower))
        >>> bool(mask[flower > 0].mean() > 0.9)
        True
    """
    frame = to_bgr_uint8(frame)
    point = np.asarray(point, np.float64)
    limits = frame_limits(frame.shape[:2])
    if point.shape != (2,) or not ((point >= limits[:2]) & (point <= limits[2:])).all():
        height, width = frame.shape[:2]
        raise ValueError(
            f'the point {point.tolist()} is not x, y in the frame of {width}x{height} pixels'
        )
    if getattr(engine, 'mask_params', None) is None:
        raise ValueError('a point needs a model with a mask stage: give a box instead')
    found = _masks_at(engine, frame, point, _boxes_around(point, frame.shape[:2]))
    if not found:
        raise ValueError(f'no object is found at the point {point.tolist()}: give a box instead')
    best = sorted(found, key=lambda one: one.quality, reverse=True)[:_REFINED]
    found += _masks_at(engine, frame, point, [one.box for one in best])
    return max(found, key=lambda one: one.quality).mask


def _boxes_around(point: NDArray[np.float64], frame_size: tuple[int, int]) -> list[NDArray]:
    """Boxes of several sizes and shapes around the point, cut at the border of the frame."""
    limits = frame_limits(frame_size)
    sides = [_SMALLEST]
    while sides[-1] * _RATIO <= _LARGEST * min(frame_size):
        sides.append(sides[-1] * _RATIO)
    halves = [side * np.array(shape) / 2 for side in sides for shape in _SHAPES]
    boxes = [np.concatenate([point - half, point + half]) for half in halves]
    return [np.clip(box, np.tile(limits[:2], 2), np.tile(limits[2:], 2)) for box in boxes]


def _masks_at(
    engine: TrackEngine,
    frame: NDArray[np.uint8],
    point: NDArray[np.float64],
    boxes: Sequence[NDArray],
) -> list[FoundMask]:
    """What the mask stage sees in each box, without a contour and without memory, if it holds the point."""
    params, count = engine.mask_params, len(boxes)
    border = CROP_RULES[engine.params.crop].border(frame)
    x, y = np.clip(np.rint(point).astype(int), 0, np.array(frame.shape[1::-1]) - 1)
    inputs = cut_mask_inputs(
        [frame] * count, boxes, [None] * count, [MaskMemory()] * count, [border] * count, params
    )
    maps = run_mask_stage(engine, inputs)
    masks = read_masks(maps, inputs.crops, boxes, [frame.shape[:2]] * count, params)
    return [one for one in masks if one.mask[y, x]]
