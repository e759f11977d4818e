"""The images of a composite, with what of their annotations is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmdet.structures.bbox import BaseBoxes
from numpy.typing import NDArray

from mmpolar.utils.image import to_bgr_uint8


@dataclass(frozen=True)
class Source:
    """An image of a composite, and what of it may be learnt.

    Attributes:
        results: Results dictionary that the image comes from.
        is_negative: Whether it counts as without targets; then it has no boxes.
        image: Pixels, (h, w, 3) uint8.
        boxes: (B, 4) float32, xyxy in pixels, inside the image.
        labels: (B,) int64.
        ignored: (B,) bool, whether a box is to be ignored in training.
        masks: (B, h, w) uint8 of 0 and 1, or None where the dataset has no masks.
    """

    results: dict
    is_negative: bool
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    masks: NDArray[np.uint8] | None


def gather_sources(results: dict) -> list[Source]:
    """Images of a composite, the positives before the negatives.

    Args:
        results: ``positives`` and ``negatives``, lists of results as MMDetection's
            ``LoadImageFromFile`` and ``LoadAnnotations`` give them.

    Returns:
        The images. A negative's annotations are left out.

    Raises:
        ValueError: If there is no positive, or some positives have masks and others do not.
        KeyError: If the pixels of an image, or the boxes or labels of a positive, were not loaded.
        TypeError: If an image is no uint8 or uint16 array.
    """
    if not results['positives']:
        raise ValueError('a composite needs at least one positive, got none')
    positives = [_positive(image) for image in results['positives']]
    if len({source.masks is None for source in positives}) > 1:
        paths = [s.results.get('img_path') for s in positives if s.masks is None]
        raise ValueError(
            f'some positives of a composite have masks, but these do not: {paths}; '
            'set with_mask the same for all positives'
        )
    return positives + [_negative(image) for image in results['negatives']]


def clip_boxes(boxes: NDArray[np.float32], region: Sequence[float]) -> NDArray[np.float32]:
    """Boxes (B, 4) cut to a region, both xyxy; those outside are left without area."""
    x1, y1, x2, y2 = region
    return np.clip(boxes, (x1, y1, x1, y1), (x2, y2, x2, y2)).astype(np.float32)


def _positive(results: dict) -> Source:
    image = _image(results)
    for key in ('gt_bboxes', 'gt_bboxes_labels'):
        if key not in results:
            raise KeyError(
                f'positive "{results.get("img_path")}" has no "{key}"; '
                'load it with LoadAnnotations in the pipeline of the positives'
            )
    boxes = clip_boxes(_xyxy(results['gt_bboxes']), (0, 0, image.shape[1], image.shape[0]))
    ignored = results.get('gt_ignore_flags')
    return Source(
        results,
        is_negative=False,
        image=image,
        boxes=boxes,
        labels=np.asarray(results['gt_bboxes_labels'], dtype=np.int64),
        ignored=np.zeros(len(boxes), bool) if ignored is None else np.asarray(ignored, dtype=bool),
        masks=results['gt_masks'].to_ndarray() if 'gt_masks' in results else None,
    )


def _negative(results: dict) -> Source:
    return Source(
        results,
        is_negative=True,
        image=_image(results),
        boxes=np.zeros((0, 4), dtype=np.float32),
        labels=np.zeros(0, dtype=np.int64),
        ignored=np.zeros(0, dtype=bool),
        masks=None,
    )


def _image(results: dict) -> NDArray[np.uint8]:
    if 'img' not in results:
        raise KeyError(
            f'image "{results.get("img_path")}" has no "img"; load its pixels with '
            'LoadImageFromFile in the pipeline of its dataset'
        )
    try:
        return to_bgr_uint8(results['img'])
    except TypeError as error:
        raise TypeError(
            f'image "{results.get("img_path")}": {error}; put transforms that give other values, '
            'such as PhotoMetricDistortion, behind the composite'
        ) from error


def _xyxy(boxes: Any) -> NDArray[np.float32]:
    if isinstance(boxes, BaseBoxes):
        boxes = boxes.convert_to('hbox').numpy()
    return np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
