"""A JSON file in COCO's format whose images are frames of videos."""

from collections.abc import Hashable, Iterator
from pathlib import Path

from mmpolar.datasets.annotation_errors import AnnotationErrors, located
from mmpolar.datasets.coco_annotations import (
    CocoImage,
    CocoInstance,
    decode_segmentation,
    read_coco_file,
)
from mmpolar.datasets.converters.clip import (
    Clip,
    ClipFrame,
    check_stated_size,
    find_image,
    group_into_clips,
    polygon_mask,
)
from mmpolar.datasets.left_out import LeftOut


def read_coco(
    json_file: Path, images: Path, id_key: str = 'track_id', left_out: LeftOut | None = None
) -> Iterator[Clip]:
    """Clips of a JSON file in COCO's instances format.

    An instance with ``id_key``, in itself or in its ``attributes`` as CVAT writes it, belongs to
    the object of that value; without, all instances of a category in a clip are one object. An
    instance without polygons or run lengths gets its box as mask, turned by its ``rotation``.
    Crowds are left out, but for the brush masks that CVAT marks as crowds.

    Args:
        json_file: The file.
        images: Folder that the file names start from.
        id_key: What tells objects apart.
        left_out: Counts what is not used.

    Yields:
        A clip for each folder in the file names, or one named after the JSON file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not in COCO's format; the message names the entry.
    """
    left_out = LeftOut() if left_out is None else left_out
    listed, instances = read_coco_file(json_file, AnnotationErrors(), left_out)
    clips = group_into_clips(listed, lambda image: image.file_name, json_file.stem)
    of_image: dict[int, list[CocoInstance]] = {}
    for instance in instances:
        of_image.setdefault(id(instance.image), []).append(instance)
    for name, found in clips.items():
        frames = (
            _frame(json_file, image, of_image.get(id(image), []), images, id_key, left_out)
            for image in found
        )
        yield Clip(name, frames)


def _frame(
    json_file: Path,
    image: CocoImage,
    instances: list[CocoInstance],
    images: Path,
    id_key: str,
    left_out: LeftOut,
) -> ClipFrame:
    path = find_image(images, image.file_name)
    if instances:
        with located(f'{json_file}: image {image.file_name!r}'):
            check_stated_size(path, *image.size)
    objects = []
    for instance in instances:
        with located(f'{json_file}: {instance.location}'):
            key = _key(instance.values, id_key)
            hash(key)
            if instance.segmentation is not None:
                mask = decode_segmentation(instance.segmentation, image.size)
            elif instance.box_area > 0:
                mask = polygon_mask(instance.corners, image.size)
            else:
                left_out.add('box', 'no area', instance.location)
                continue
        objects.append((key, mask))
    return ClipFrame(path, objects)


def _key(values: dict, id_key: str) -> Hashable:
    number = values.get(id_key, (values.get('attributes') or {}).get(id_key))
    return ('category', values.get('category_id')) if number is None else ('object', number)
