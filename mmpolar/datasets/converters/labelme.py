"""JSON files of LabelMe, and of the programs that write its format, one for each frame."""

import base64
import math
from collections.abc import Hashable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mmpolar.datasets.annotation_errors import located
from mmpolar.datasets.converters.clip import (
    Clip,
    ClipFrame,
    check_stated_size,
    ellipse_mask,
    find_image,
    group_into_clips,
    polygon_mask,
)
from mmpolar.datasets.left_out import LeftOut
from mmpolar.structures.boxes import turned_corners
from mmpolar.structures.vot_region import MaskRegion, region_mask
from mmpolar.utils.image import decode_mask, read_image_size
from mmpolar.utils.image_limits import check_coordinates
from mmpolar.utils.text_file import read_json

#: Shapes whose points are the corners of an area, among them the turned ones of other programs.
_POLYGONS = ('polygon', 'rotation', 'quadrilateral', 'oriented_rectangle')
_NO_AREA = ('line', 'linestrip', 'point', 'points')


def read_labelme(folder: Path, left_out: LeftOut | None = None) -> Iterator[Clip]:
    """Clips of LabelMe's JSON files.

    Polygons, rectangles, turned rectangles, circles and masks are read. Shapes of a clip with the
    same label and ``group_id`` are one object, and so are those with the same label and none. The
    image is the file that ``imagePath`` names, from the JSON file or beside it, else the one with
    the name of the JSON file; images inside the JSON file are not used.

    Args:
        folder: Folder with ``*.json`` and images, which is one clip; or a folder of such folders.
        left_out: Counts the shapes that are not used.

    Yields:
        A clip for each folder that has JSON files.

    Raises:
        FileNotFoundError: If there is no JSON file in or below the folder.
        ValueError: If a file is not LabelMe's; the message names file and shape.
    """
    left_out = LeftOut() if left_out is None else left_out
    files = sorted(folder.rglob('*.json'), key=lambda path: (path.parent, path.name))
    if not files:
        raise FileNotFoundError(f'no *.json in {folder} or the folders below it')
    default = folder.resolve().name
    clips = group_into_clips(files, lambda path: path.relative_to(folder).as_posix(), default)
    for name, found in clips.items():
        yield Clip(name, (_frame(path, left_out) for path in found))


def _frame(path: Path, left_out: LeftOut) -> ClipFrame:
    content = read_json(path)
    with located(f'{path} is not a file of LabelMe'):
        image = _image_of(path, content.get('imagePath'))
        shapes, size = content['shapes'], (content['imageHeight'], content['imageWidth'])
        if not isinstance(shapes, list):
            raise ValueError('"shapes" is no list')
    with located(str(path)):
        size = read_image_size(image) if size == (None, None) else check_stated_size(image, *size)
    objects = []
    for index, shape in enumerate(shapes):
        location = f'{path}: shape {index}'
        with located(location):
            kind = shape.get('shape_type') or 'polygon'
            key, mask = _key(shape), _mask(shape, kind, size, location, left_out)
        if mask is not None and left_out.keeps(mask, kind, location):
            objects.append((key, mask))
    return ClipFrame(image, objects)


def _image_of(path: Path, stated: Any) -> Path:
    """The image of a JSON file, which may have been moved since it was written."""
    if isinstance(stated, str) and stated:
        beside = PurePosixPath(stated.replace('\\', '/')).name
        for name in (stated, beside):
            image = find_image(path.parent, name)
            if image.is_file():
                return image
    image = find_image(path.parent, path.stem)
    return image if image.is_file() or not isinstance(stated, str) else path.parent / stated


def _key(shape: dict) -> Hashable:
    label, group = shape['label'], shape.get('group_id')
    if not isinstance(label, str):
        raise ValueError(f'its label must be text, got {str(label)[:40]}')
    hash(group)
    return label, group


def _mask(
    shape: dict, kind: str, size: tuple[int, int], location: str, left_out: LeftOut
) -> np.ndarray | None:
    """Mask of a shape; None for a kind that has no area, or is not known."""
    if kind in _NO_AREA:
        left_out.add(kind, 'no area', location)
        return None
    points = check_coordinates(shape['points'], 'its points')
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'its points must be pairs x, y, got {str(shape["points"])[:80]}')
    if kind == 'mask':
        return _pasted(shape['mask'], points, size)
    fewest = 3 if kind in _POLYGONS else 2
    if len(points) < fewest:
        left_out.add(kind, f'fewer than {fewest} points', location)
        return None
    if kind in _POLYGONS:
        return polygon_mask(points, size)
    if kind == 'rectangle':
        return polygon_mask(turned_corners(*points.min(axis=0), *points.max(axis=0)), size)
    if kind == 'circle':
        radius = math.dist(points[0], points[1])
        return ellipse_mask(*points[0], radius, radius, 0, size)
    left_out.add(str(kind)[:40], 'a kind that is not known', location)
    return None


def _pasted(encoded: str, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask of a PNG file in the JSON file, whose upper left corner is given."""
    ids = decode_mask(base64.b64decode(encoded), 'its mask').ids
    x, y = points.min(axis=0).round().astype(int).tolist()
    return region_mask(MaskRegion(x, y, (ids != 0).astype(np.uint8)), size)
