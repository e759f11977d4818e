"""A small folder with images with a target, a pool of images without, and images to test with."""

import json
from pathlib import Path

import cv2
import numpy as np

IMAGE_SIZE = (96, 72)


def make_hard_negative_folder(root, num_positives=6, num_negatives=8, num_test=6):
    """Write ``train.json``, ``test.json`` and the images, as data/hard_negative holds them.

    The target is a bright square on noise. Every second image to test with has none.
    """
    root = Path(root)
    rng = np.random.default_rng(0)
    positives = [
        write_image(root, f'train/positives/{number}.jpg', rng, has_target=True)
        for number in range(num_positives)
    ]
    write_annotations(root / 'train.json', positives)
    for number in range(num_negatives):
        write_image(root, f'train/negatives/set{number % 2}/{number}.jpg', rng, has_target=False)
    tested = [
        write_image(
            root,
            f'test/{"negatives" if number % 2 else "positives"}/{number}.jpg',
            rng,
            has_target=number % 2 == 0,
        )
        for number in range(num_test)
    ]
    write_annotations(root / 'test.json', tested)


def write_image(root, name, rng, has_target):
    """Write an image; gives its name and the box of the target, x, y, width and height."""
    width, height = IMAGE_SIZE
    image = rng.integers(0, 150, (height, width, 3), dtype=np.uint8)
    box = None
    if has_target:
        x, y = (int(value) for value in rng.integers(0, 40, 2))
        box = [x, y, 30, 28]
        cv2.rectangle(image, (x, y), (x + 29, y + 27), (60, 220, 255), -1)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(root / name), image)
    return name, box


def write_annotations(path, images, category='target'):
    """Write a file in COCO's format for images of ``write_image``."""
    width, height = IMAGE_SIZE
    content = dict(
        categories=[dict(id=1, name=category)],
        images=[
            dict(id=number, file_name=name, width=width, height=height)
            for number, (name, _) in enumerate(images)
        ],
        annotations=[
            dict(
                id=number,
                image_id=number,
                category_id=1,
                bbox=box,
                area=box[2] * box[3],
                iscrowd=0,
            )
            for number, (_, box) in enumerate(images)
            if box is not None
        ],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
