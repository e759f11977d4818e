"""Targets that reviewers saw among the negatives, as annotated images in COCO's format."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmpolar.mining.review.decision import TARGET, Decision
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.image import ImageReadError, read_image_size


def write_targets(
    path: str | os.PathLike,
    decisions: Iterable[Decision],
    classes: Sequence[str] = ('target',),
    data_root: str | os.PathLike = '',
) -> dict[str, str]:
    """Write the images that were decided to show a target as a file in COCO's format, in one step.

    Paths of images stand in the file as they are in the decisions, so that MMDetection's
    ``CocoDataset`` with ``data_prefix=dict(img='')`` finds them. Boxes are x, y, width and height.

    Args:
        path: File to write.
        decisions: Decisions; those that are no target are left out.
        classes: Names of the detector's classes. A decision without a label is of the first one.
        data_root: Folder that relative paths of images start from.

    Returns:
        Why each of the targets was left out, by key: its image cannot be read, or its class is none
        of the classes.
    """
    images, annotations, left_out = [], [], {}
    for decision in (made for made in decisions if made.decision == TARGET):
        label = decision.label or classes[0]
        if label not in classes:
            left_out[decision.key] = f'{label!r} is none of the classes {", ".join(classes)}'
            continue
        try:
            height, width = read_image_size(Path(data_root) / decision.image)
        except (OSError, ImageReadError) as error:
            left_out[decision.key] = str(error)
            continue
        x1, y1, x2, y2 = decision.box
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if x2 <= x1 or y2 <= y1:
            left_out[decision.key] = f'its box lies outside the image of {width}x{height} pixels'
            continue
        number = len(images) + 1
        images.append(dict(id=number, file_name=decision.image, width=width, height=height))
        annotations.append(
            dict(
                id=number,
                image_id=number,
                category_id=classes.index(label) + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=0,
            )
        )
    categories = [dict(id=number, name=name) for number, name in enumerate(classes, 1)]
    content = dict(images=images, annotations=annotations, categories=categories)
    atomic_write(path, json.dumps(content, ensure_ascii=False))
    return left_out
