"""Picks and found targets as Ultralytics' YOLO trainings read them."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpolar.mining.candidate import Candidate
from mmpolar.utils.atomic_write import atomic_path

#: The list in the folder.
LIST_NAME = 'picks.txt'


def write_yolo(
    folder: str | os.PathLike,
    targets: Mapping[str, Any],
    picks: Sequence[Candidate],
) -> None:
    """Write the list of training images, ``picks.txt``, and the targets that reviewers saw.

    An image without a label file is a background image to YOLO, so picks need no more than a line.
    A target needs a label file, which YOLO looks for beside the folder ``images``: such images are
    copied to ``images`` and their labels, *class x y w h* in shares of the image, go to ``labels``. All
    paths in the list are absolute.

    Args:
        folder: Folder to write, in one step; an older one is replaced.
        targets: Images with targets in COCO's format; YOLO's classes are its categories in their order.
        picks: The picks.

    Raises:
        OSError: If an image of a target cannot be copied, or the folder is there and no list of picks.
    """
    folder = Path(os.path.abspath(folder))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / LIST_NAME).is_file():
        raise FileExistsError(
            f'{folder} holds files, and no {LIST_NAME} of an earlier round: it would be replaced. Give '
            'another folder'
        )
    numbers = {category['id']: i for i, category in enumerate(targets['categories'])}
    lines = [os.path.abspath(pick.image) for pick in picks]
    with atomic_path(folder) as unfinished:
        (unfinished / 'images').mkdir(parents=True)
        (unfinished / 'labels').mkdir()
        for image in targets['images']:
            source = Path(image['file_name'])
            # Numbered, as images of two folders may have one name.
            name = f'{image["id"]:05d}_{source.name}'
            shutil.copyfile(source, unfinished / 'images' / name)
            labels = [
                _label(numbers[entry['category_id']], entry['bbox'], image)
                for entry in targets['annotations']
                if entry['image_id'] == image['id']
            ]
            label_file = (unfinished / 'labels' / name).with_suffix('.txt')
            label_file.write_text('\n'.join(labels) + '\n')
            lines.append(str(folder / 'images' / name))
        (unfinished / LIST_NAME).write_text(''.join(f'{line}\n' for line in lines))


def _label(number: int, box: Sequence[float], image: Mapping[str, Any]) -> str:
    """The line of a label file: class, centre and size."""
    x, y, width, height = box
    shares = (
        (x + width / 2) / image['width'],
        (y + height / 2) / image['height'],
        width / image['width'],
        height / image['height'],
    )
    return ' '.join([str(number), *(f'{share:.6f}' for share in shares)])
