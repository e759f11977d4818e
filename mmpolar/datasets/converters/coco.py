"""A JSON file in COCO's format whose images are frames of videos."""

import json
from collections import Counter
from collections.abc import Hashable, Iterator
from operator import itemgetter
from pathlib import Path

from mmpolar.datasets.coco_track_dataset import decode_segmentation
from mmpolar.datasets.converters.clip import Clip, ClipFrame, box_mask, group_into_clips


def read_coco(
    json_file: Path, images: Path, id_key: str = 'track_id', skipped: Counter | None = None
) -> Iterator[Clip]:
    """Clips of a JSON file in COCO's instances format.

    An instance with ``id_key``, in itself or in its ``attributes`` as CVAT writes it, belongs to
    the object of that value; without, all instances of a category in a clip are one object. An
    instance without polygons or run lengths gets its box as mask. Crowds are left out.

    Args:
        json_file: The file.
        images: Folder that the file names start from.
        id_key: What tells objects apart.
        skipped: Counts the crowds.

    Yields:
        A clip for each folder in the file names, or one named after the JSON file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not in COCO's format.
    """
    if not json_file.is_file():
        raise FileNotFoundError(f'{json_file} does not exist')
    skipped = Counter() if skipped is None else skipped
    try:
        content = json.loads(json_file.read_text(encoding='utf-8'))
        clips = group_into_clips(content['images'], itemgetter('file_name'), json_file.stem)
        instances: dict[int, list[dict]] = {}
        for instance in content['annotations']:
            if instance.get('iscrowd'):
                skipped['crowd'] += 1
            else:
                instances.setdefault(instance['image_id'], []).append(instance)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{json_file} is not in COCO's instances format: {error!r}") from error
    for name, found in clips.items():
        frames = (_frame(image, instances.get(image['id'], []), images, id_key) for image in found)
        yield Clip(name, frames)


def _frame(image: dict, instances: list[dict], images: Path, id_key: str) -> ClipFrame:
    size = image['height'], image['width']
    objects = []
    for instance in instances:
        segmentation = instance.get('segmentation')
        if segmentation:
            mask = decode_segmentation(segmentation, size)
        else:
            x, y, width, height = instance['bbox']
            mask = box_mask(x, y, x + width, y + height, size)
        objects.append((_key(instance, id_key), mask))
    return ClipFrame(images / image['file_name'], objects)


def _key(instance: dict, id_key: str) -> Hashable:
    number = instance.get(id_key, (instance.get('attributes') or {}).get(id_key))
    return ('category', instance.get('category_id')) if number is None else ('object', number)
