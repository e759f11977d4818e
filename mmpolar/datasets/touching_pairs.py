"""Two annotated instances that touch, taken as one target: a rider and the horse."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets.coco_annotations import CocoInstance, decode_segmentation
from mmpolar.structures.boxes import turned_corners
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.rle import encode_rle

#: Instances within this distance of each other touch, in pixels.
REACH = 2
#: Area of the smaller instance in units of the larger one's, at least.
_SMALLEST_SHARE = 0.05


def touching_pairs(instances: Iterable[CocoInstance]) -> Iterator[CocoInstance]:
    """The pairs of instances of an image that touch along a line, each as one instance.

    The line is at least as long as half the side of a square of the smaller one's area. Pairs of
    which one is under a twentieth of the other are left out, as are instances without a mask.

    Args:
        instances: Those of a file, in any order.

    Yields:
        Instances with the union of two masks as run lengths, in the order of the first ones.
    """
    by_image: dict[str, list[CocoInstance]] = defaultdict(list)
    for instance in instances:
        if instance.segmentation is not None:
            by_image[instance.image.file_name].append(instance)
    for together in by_image.values():
        near = [pair for pair in combinations(range(len(together)), 2) if _meet(together, *pair)]
        masks = {
            number: decode_segmentation(together[number].segmentation, together[number].image.size)
            for number in set(chain(*near))
        }
        for one, other in near:
            if masks_touch(masks[one], masks[other]):
                yield _union(together[one], together[other], masks[one] | masks[other])


def masks_touch(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two masks (H, W) of 0 and 1 touch, see :func:`touching_pairs`."""
    areas = sorted((int(first.sum()), int(second.sum())))
    if not areas[0] or areas[0] < _SMALLEST_SHARE * areas[1]:
        return False
    kernel = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    contact = int((cv2.dilate(first, kernel) & second).sum())
    # The contact is a band of the reach's width along the line.
    return contact >= REACH * 0.5 * math.sqrt(areas[0])


def _meet(instances: list[CocoInstance], one: int, other: int) -> bool:
    """Whether the boxes of two instances lie within the reach of each other."""
    corners, others = instances[one].corners, instances[other].corners
    gap = np.maximum(corners.min(0), others.min(0)) - np.minimum(corners.max(0), others.max(0))
    return bool((gap < REACH).all())


def _union(first: CocoInstance, second: CocoInstance, mask: NDArray[np.uint8]) -> CocoInstance:
    x1, y1, x2, y2 = mask_to_box(mask) + HALF_PIXEL
    return CocoInstance(
        location=f'{first.location} and {second.location}',
        id=f'{first.id}+{second.id}',
        image=first.image,
        corners=turned_corners(x1, y1, x2, y2),
        box_area=float((x2 - x1) * (y2 - y1)),
        segmentation=encode_rle(mask),
        values={},
    )
