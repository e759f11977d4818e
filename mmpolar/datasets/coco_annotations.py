"""Files in COCO's instances format, checked entry by entry, for the dataset and the converter."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pycocotools import mask as coco_mask

from mmpolar.datasets.annotation_errors import AnnotationError, AnnotationErrors, located
from mmpolar.datasets.left_out import LeftOut
from mmpolar.structures.boxes import turned_corners
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box, rasterize_polygon
from mmpolar.structures.rle import check_runs, decode_runs, unpack_runs
from mmpolar.utils.image_limits import check_coordinates, check_image_size
from mmpolar.utils.issues import ERROR
from mmpolar.utils.text_file import read_json

T = TypeVar('T')
#: Longest contour in pixels that pycocotools gets, which needs memory for five times as many points.
_LONGEST_CONTOUR = 2**20


@dataclass(frozen=True)
class CocoImage:
    """An image of the file.

    Attributes:
        file_name: Its path below the folder of the images, with slashes.
        size: Height and width that the file states.
    """

    file_name: str
    size: tuple[int, int]


@dataclass(frozen=True)
class CocoInstance:
    """An instance of the file, cleaned.

    Attributes:
        location: Where it is in the file, such as 'annotation 5'.
        id: Its id, or its index in the file where it has none.
        image: Its image.
        corners: Corners of its box, turned by its ``rotation``, (4, 2) float64 (x, y); pixel
            corners at integers.
        box_area: Area of the box in square pixels; 0 where a side is not positive.
        segmentation: Polygons with at least three corners each, or run lengths; None if there are
            none.
        values: All that the file says about it.
    """

    location: str
    id: Any
    image: CocoImage
    corners: np.ndarray
    box_area: float
    segmentation: list | dict | None
    values: dict


def read_coco_file(
    path: str | os.PathLike, errors: AnnotationErrors, left_out: LeftOut
) -> tuple[list[CocoImage], Iterator[CocoInstance]]:
    """Images and instances of a file in COCO's format.

    Crowds are left out, but not the brush masks that CVAT marks as crowds; so are polygons of
    fewer than three corners.

    Args:
        path: The JSON file.
        errors: Raises or collects what is wrong with an entry.
        left_out: Counts what is not used.

    Returns:
        The images, and an iterator over the instances.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not in COCO's format, or ``errors`` raises.
    """
    content = read_json(path)
    lists = [content.get(key) for key in ('images', 'annotations')] if _is_dict(content) else []
    if not lists or not all(isinstance(entries, list) for entries in lists):
        raise AnnotationError(
            f'{path} is not in COCO\'s instances format: it needs lists "images" and "annotations"'
        )
    images: dict[Any, CocoImage] = {}
    for index, entry in enumerate(lists[0]):
        location = f'{path}: image {_name(entry, index)}'
        for image_id, image in errors.attempt(_one, location, _read_image, entry, images):
            images[image_id] = image
    return list(images.values()), _instances(path, lists[1], images, errors, left_out)


def decode_segmentation(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """Mask of polygons or run lengths in COCO's form.

    Args:
        segmentation: List of polygons ``[x1, y1, x2, y2, ...]``, pixel corners at integers; or
            run lengths, compressed or not, of which zeros at the end may be left out.
        size: Height and width of the image.

    Returns:
        Mask of shape (H, W), uint8 with values 0 and 1; the union of the polygons.

    Raises:
        ValueError: If the run lengths do not fit the image.
    """
    if isinstance(segmentation, dict):
        runs = _runs(segmentation, size)
        return np.ascontiguousarray(decode_runs(runs, size[::-1]).T)  # column by column
    polygons = [np.asarray(polygon, dtype=np.float64).reshape(-1, 2) for polygon in segmentation]
    if _is_short(polygons):
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        return np.ascontiguousarray(coco_mask.decode(runs))
    masks = [rasterize_polygon(polygon - HALF_PIXEL, size) for polygon in polygons]
    return np.bitwise_or.reduce(masks)


def segmentation_area(segmentation: list | dict, size: tuple[int, int]) -> float:
    """Area in square pixels; polygons that overlap count twice."""
    if isinstance(segmentation, dict):
        return float(_runs(segmentation, size)[1::2].sum())
    areas = (_polygon_area(np.asarray(polygon, dtype=np.float64)) for polygon in segmentation)
    return float(sum(areas))


def _instances(
    path: str | os.PathLike,
    entries: list,
    images: dict[Any, CocoImage],
    errors: AnnotationErrors,
    left_out: LeftOut,
) -> Iterator[CocoInstance]:
    seen: set[Any] = set()
    for index, entry in enumerate(entries):
        name = f'annotation {_name(entry, index)}'
        if _is_dict(entry) and _is_crowd(entry):
            left_out.add('crowd', 'a group of objects', name)
            continue
        args = (entry, index, name, images, left_out)
        for instance in errors.attempt(_one, f'{path}: {name}', _read_instance, *args):
            if instance.id in seen:
                errors.note(f'{path}: two annotations have the id {instance.id}', ERROR)
            seen.add(instance.id)
            yield instance


def _one(location: str, read: Callable[..., T], *args: Any) -> list[T]:
    """What a function reads, in a list; errors say where it was."""
    with located(location):
        return [read(*args)]


def _name(entry: Any, index: int) -> str:
    found = entry.get('id') if _is_dict(entry) else None
    return f'at index {index}' if found is None else f'{found!r}'[:40]


def _is_dict(entry: Any) -> bool:
    return isinstance(entry, dict)


def _is_crowd(entry: dict) -> bool:
    """Whether an annotation is of a group; CVAT marks its brush masks likewise."""
    attributes = entry.get('attributes')
    return bool(entry.get('iscrowd')) and not (_is_dict(attributes) and 'occluded' in attributes)


def _read_image(entry: Any, images: dict[Any, CocoImage]) -> tuple[Any, CocoImage]:
    if not _is_dict(entry):
        raise ValueError(f'it must have keys and values, got {str(entry)[:40]}')
    missing = sorted({'id', 'file_name', 'height', 'width'} - entry.keys())
    if missing:
        raise ValueError(f'it lacks {missing}')
    name = entry['file_name']
    if not isinstance(name, str) or not name.strip() or '\0' in name:
        raise ValueError(f'"file_name" must be a path, got {str(name)[:40]!r}')
    if entry['id'] in images:
        raise ValueError(f'another image, {images[entry["id"]].file_name}, has the same id')
    size = check_image_size(entry['height'], entry['width'])
    return entry['id'], CocoImage(name.replace('\\', '/'), size)


def _read_instance(
    entry: Any, index: int, name: str, images: dict[Any, CocoImage], left_out: LeftOut
) -> CocoInstance:
    if not _is_dict(entry):
        raise ValueError(f'it must have keys and values, got {str(entry)[:40]}')
    image = images.get(entry.get('image_id'))
    if image is None:
        raise ValueError(
            f'belongs to image {entry.get("image_id")}, which the file does not list; add the '
            'image or take the annotation out'
        )
    segmentation = _clean(entry.get('segmentation'), image.size, name, left_out)
    corners, area = _corners(entry, segmentation, image.size)
    number = index if entry.get('id') is None else entry['id']
    hash(number)
    return CocoInstance(name, number, image, corners, area, segmentation, entry)


def _corners(
    entry: dict, segmentation: list | dict | None, size: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """Corners of the box that the file gives, else of the segmentation's, and its area."""
    box = entry.get('bbox')
    if not box and segmentation is not None:
        box = _box_around(segmentation, size)
    box = check_coordinates([] if box is None else box, '"bbox"')
    if box.shape != (4,):
        raise ValueError(
            f'needs a "bbox" of four numbers x, y, width, height, got {str(entry.get("bbox"))[:80]}'
        )
    x, y, width, height = box.tolist()
    attributes = entry.get('attributes')
    turn = attributes.get('rotation') if _is_dict(attributes) else None
    degrees = check_coordinates(turn or 0, '"rotation"').item()
    area = width * height if min(width, height) > 0 else 0.0
    return turned_corners(x, y, x + width, y + height, degrees), area


def _box_around(segmentation: list | dict, size: tuple[int, int]) -> list[float]:
    if isinstance(segmentation, dict):
        found = mask_to_box(decode_segmentation(segmentation, size))
        low, high = np.zeros((2, 2)) if found is None else found.reshape(2, 2) + HALF_PIXEL
    else:
        points = np.concatenate(segmentation).reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def _clean(
    segmentation: Any, size: tuple[int, int], name: str, left_out: LeftOut
) -> list | dict | None:
    """A segmentation without degenerate polygons; None if nothing is left.

    Raises:
        ValueError: If it is no segmentation, or does not fit the image.
    """
    if _is_dict(segmentation) and segmentation:
        if _runs(segmentation, size).sum() < size[0] * size[1]:
            left_out.add('end of run lengths', 'taken as background', name)
        return {'size': list(size), 'counts': segmentation['counts']}
    if not segmentation and not isinstance(segmentation, str):
        return None
    if not isinstance(segmentation, list) or not all(isinstance(p, list) for p in segmentation):
        raise ValueError(
            '"segmentation" must be a list of polygons [x1, y1, x2, y2, ...] or run lengths, got '
            f'{str(segmentation)[:80]}'
        )
    kept = []
    for polygon in segmentation:
        points = check_coordinates(polygon, 'the coordinates of a polygon')
        if points.ndim != 1 or len(points) % 2:
            raise ValueError(
                f'a polygon must be x1, y1, x2, y2, ... in one list, got {str(polygon)[:80]}'
            )
        if len(points) < 6:
            left_out.add('polygon', 'fewer than three corners', name)
        else:
            kept.append(polygon)
    return kept or None


def _runs(segmentation: dict, size: tuple[int, int]) -> np.ndarray:
    """Run lengths (R,) int64, zeros first, that fit the image.

    Raises:
        ValueError: If they do not, or are no run lengths.
    """
    stated = segmentation.get('size')
    if not isinstance(stated, list | tuple) or list(stated) != list(size):
        raise ValueError(
            f'its run lengths are for height and width {stated}, the image is said to have '
            f'{list(size)}'
        )
    counts = segmentation.get('counts')
    if isinstance(counts, str | bytes):
        counts = unpack_runs(counts)
    return check_runs(counts, size)


def _is_short(polygons: list[np.ndarray]) -> bool:
    """Whether polygons lie near the image and have contours of bearable length."""
    points = np.concatenate(polygons)
    steps = (np.abs(p - np.roll(p, 1, axis=0)).max(axis=1).sum() for p in polygons)
    return bool(np.abs(points).max() <= _LONGEST_CONTOUR and sum(steps) <= _LONGEST_CONTOUR)


def _polygon_area(polygon: np.ndarray) -> float:
    """Area by the shoelace formula of a polygon of shape (2 V,)."""
    x, y = polygon[0::2], polygon[1::2]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
