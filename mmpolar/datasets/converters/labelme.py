"""JSON files of LabelMe, one for each frame."""

import base64
import io
import json
import math
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mmpolar.datasets.converters.clip import (
    Clip,
    ClipFrame,
    box_mask,
    circle_mask,
    polygon_mask,
)
from mmpolar.structures.vot_region import MaskRegion, region_mask


def read_labelme(folder: Path, skipped: Counter | None = None) -> Iterator[Clip]:
    """Clips of LabelMe's JSON files.

    Polygons, rectangles, circles and masks are read. Shapes of a clip with the same ``group_id``
    are one object; without one, those with the same label are. The image is the file that
    ``imagePath`` names beside the JSON file; images inside the JSON file are not used.

    Args:
        folder: Folder with ``*.json`` and images, which is one clip; or a folder of such folders.
        skipped: Counts the shapes of other kinds.

    Yields:
        A clip for each folder that has JSON files.

    Raises:
        FileNotFoundError: If there is no JSON file in or below the folder.
        ValueError: If a file is not LabelMe's.
    """
    skipped = Counter() if skipped is None else skipped
    folders = sorted({path.parent for path in folder.rglob('*.json')})
    if not folders:
        raise FileNotFoundError(f'no *.json in {folder} or the folders below it')
    for found in folders:
        name = '_'.join(found.relative_to(folder).parts) or folder.resolve().name
        files = sorted(found.glob('*.json'))
        yield Clip(name, (_frame(path, skipped) for path in files))


def _frame(path: Path, skipped: Counter) -> ClipFrame:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        size = content['imageHeight'], content['imageWidth']
        found = [(_key(shape), _mask(shape, size)) for shape in content['shapes']]
        kinds = [shape.get('shape_type', 'polygon') for shape in content['shapes']]
        image = path.parent / content['imagePath'].replace('\\', '/')
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is not a file of LabelMe: {error!r}') from error
    skipped.update(kind for kind, (_, mask) in zip(kinds, found, strict=True) if mask is None)
    return ClipFrame(image, [(key, mask) for key, mask in found if mask is not None])


def _key(shape: dict) -> Hashable:
    group = shape.get('group_id')
    return ('label', shape['label']) if group is None else ('group', group)


def _mask(shape: dict, size: tuple[int, int]) -> np.ndarray | None:
    """Mask of a shape; None for a kind that has no area."""
    kind = shape.get('shape_type', 'polygon')
    points = np.asarray(shape['points'], dtype=np.float64).reshape(-1, 2)
    if kind == 'polygon':
        return polygon_mask(points, size)
    if kind == 'rectangle':
        return box_mask(*points.min(axis=0), *points.max(axis=0), size)
    if kind == 'circle':
        return circle_mask(*points[0], math.dist(points[0], points[1]), size)
    if kind == 'mask':
        with Image.open(io.BytesIO(base64.b64decode(shape['mask']))) as opened:
            mask = (np.asarray(opened) != 0).astype(np.uint8)
        x, y = points.min(axis=0).round().astype(int).tolist()
        return region_mask(MaskRegion(x, y, mask), size)
    return None
