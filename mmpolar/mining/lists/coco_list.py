"""Picks as images without annotations in a training file of COCO's format, beside the positives."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmpolar.mining.candidate import Candidate
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.image import ImageReadError, read_image_size
from mmpolar.utils.text_file import TextFileError, read_json

#: Lists of a file in COCO's format.
_LISTS = ('images', 'annotations', 'categories')


def read_coco(path: str | os.PathLike) -> dict[str, Any]:
    """Content of a file in COCO's format, as far as another one can be added to it.

    Raises:
        FileNotFoundError: If there is no such file.
        TextFileError: If a list, an id or the name of a category is missing or wrong.
    """
    content = read_json(path)
    for name in _LISTS:
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TextFileError(f'{path} is not in COCO\'s format: it needs a list "{name}"')
        wrong = [entry for entry in entries if not isinstance(entry.get('id'), int)]
        if wrong:
            raise TextFileError(f'{path}: an entry of "{name}" has no whole "id": {wrong[0]!r:.80}')
    if not all(isinstance(category.get('name'), str) for category in content['categories']):
        raise TextFileError(f'{path}: a category has no "name"')
    return content


def write_coco(
    path: str | os.PathLike,
    positives: Mapping[str, Any],
    targets: Mapping[str, Any],
    picks: Sequence[Candidate],
) -> list[str]:
    """Write a training file: the positives, the targets that reviewers saw, and the picks without a box.

    Names of the positives' images stay as they are, relative to their folder; those of targets and picks
    are absolute, which both torchvision and MMDetection find from any folder.

    Args:
        path: File to write, in one step.
        positives: Content of a file in COCO's format, see :func:`read_coco`; all of it is kept.
        targets: Likewise, its categories among those of ``positives`` by name.
        picks: The picks.

    Returns:
        Why each pick that cannot be read was left out.
    """
    images, annotations = list(positives['images']), list(positives['annotations'])
    next_image, next_annotation = _next_id(images), _next_id(annotations)
    category_ids = {category['name']: category['id'] for category in positives['categories']}
    names = {category['id']: category['name'] for category in targets['categories']}
    for entry in targets['images']:
        file_name = os.path.abspath(entry['file_name'])
        images.append({**entry, 'id': entry['id'] + next_image, 'file_name': file_name})
    for entry in targets['annotations']:
        ids = dict(
            id=entry['id'] + next_annotation,
            image_id=entry['image_id'] + next_image,
            category_id=category_ids[names[entry['category_id']]],
        )
        annotations.append({**entry, **ids})
    next_image, left_out = _next_id(images), []
    for pick in picks:
        file = os.path.abspath(pick.image)
        try:
            height, width = read_image_size(file)
        except (OSError, ImageReadError) as error:
            left_out.append(str(error))
            continue
        images.append(dict(id=next_image, file_name=file, width=width, height=height))
        next_image += 1
    content = {**positives, 'images': images, 'annotations': annotations}
    atomic_write(path, json.dumps(content, ensure_ascii=False))
    return left_out


def _next_id(entries: Iterable[Mapping[str, Any]]) -> int:
    """A number above those of all entries."""
    return max((entry['id'] for entry in entries), default=0) + 1
