"""Reads files that are damaged at random; run as a program, in a process with little memory.

It prints how many were read and refused, and ends with the traceback of the first file whose reader
raised anything but the documented errors, or gave anything but masks of 0 and 1.
"""

import io
import json
import logging
import re
import resource
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmpolar.datasets.converters import read_coco, read_cvat, read_labelme
from mmpolar.datasets.dataset_check import check_dataset
from mmpolar.registry import DATASETS
from mmpolar.utils.image import read_image, read_image_size, read_mask

SIZE = (12, 16)
#: What a reader may raise.
DOCUMENTED = (OSError, ValueError)
#: Memory beyond that of the libraries: 1 GiB, less than the smallest of the huge sizes needs.
MEMORY = 2**30
NUMBER = re.compile(rb'-?\d+(?:\.\d+)?')
VALUES = (
    b'0', b'-1', b'3', b'1e9', b'-1e30', b'1e400', b'NaN', b'Infinity', b'65536', b'200000',
    b'2147483648', b'9223372036854775807', b'18446744073709551616', b'9' * 50, b'null', b'true',
    b'"x"', b'[]', b'{}', b'', b'1,2', b'0.5', b'nan', b'inf',
)  # fmt: skip


def damage(data: bytes, rng: np.random.Generator, is_text: bool) -> bytes:
    """One to three changes: numbers replaced, bytes changed, parts lost, repeated or moved."""
    for _ in range(rng.integers(1, 4)):
        start, end = np.sort(rng.integers(0, len(data) + 1, 2)).tolist()
        kind = rng.integers(0, 10)
        numbers = list(NUMBER.finditer(data)) if is_text else []
        if numbers and kind < 6:
            found = numbers[rng.integers(len(numbers))]
            value = VALUES[rng.integers(len(VALUES))]
            data = data[: found.start()] + value + data[found.end() :]
        elif not is_text and kind < 5:
            width = int(rng.choice([1, 2, 4]))
            noise = rng.choice([b'\0' * width, b'\xff' * width, rng.bytes(width)])
            start = start if kind else min(start, 40)
            data = data[:start] + bytes(noise) + data[start + width :]
        elif kind < 7:
            data = data[:start]
        elif kind < 8:
            data = data[:start] + data[end:]
        elif kind < 9:
            data = data[:end] + data[start:end] * int(rng.choice([1, 50])) + data[end:]
        else:
            data = data[:start] + rng.bytes(1) + data[start + 1 :]
        data = data[: 2**20] or b'x'
    return data


def with_checksums(data: bytes) -> bytes:
    """A PNG file whose parts have the right checksums, so that what they say is looked at."""
    start, fixed = 8, bytearray(data)
    while start + 12 <= len(fixed):
        end = start + 8 + int.from_bytes(fixed[start : start + 4], 'big')
        fixed[end : end + 4] = zlib.crc32(fixed[start + 4 : end]).to_bytes(4, 'big')
        start = end + 4
    return bytes(fixed[: len(data)])


def masks_of(clips: Iterator) -> Iterator[np.ndarray]:
    for clip in clips:
        for frame in clip.frames:
            yield from (mask for _, mask in frame.objects)


def check_masks(masks: Iterator[np.ndarray]) -> None:
    for mask in masks:
        assert mask.ndim == 2
        assert mask.dtype == np.uint8
        assert mask.max(initial=0) <= 1


def read_dataset(**config: object) -> None:
    """Check a dataset, which raises nothing, then read its targets."""
    list(check_dataset(config))
    dataset = DATASETS.build(config)
    targets = (dataset.load_target(index, 0) for index in range(dataset.num_videos))
    check_masks(target.mask for target in targets if target is not None and target.mask is not None)


def coco(root: Path) -> tuple[Path, Callable[[], None]]:
    runs = dict(size=list(SIZE), counts=[30, 4, 8, 4, 146])
    packed = dict(size=list(SIZE), counts='V148000000000b2')
    corner = dict(image_id=1, category_id=1, bbox=[2.5, 1, 8, 6])
    annotations = [
        dict(corner, id=1, segmentation=[[2, 1, 10, 1, 10, 7], [1, 1, 2, 2]], iscrowd=0),
        dict(corner, id=2, segmentation=runs, iscrowd=1, attributes=dict(occluded=False)),
        dict(corner, id=3, segmentation=packed, track_id=4),
        dict(corner, id=4, attributes=dict(rotation=30.5, track_id=7)),
    ]
    images = [dict(id=1, file_name='a.png', height=SIZE[0], width=SIZE[1])]
    path = root / 'annotations.json'
    path.write_text(json.dumps(dict(images=images, annotations=annotations)))

    def read() -> None:
        try:
            check_masks(masks_of(read_coco(path, root)))
        finally:
            read_dataset(
                type='CocoTrackDataset', data_root=str(root), data_prefix=dict(img_path='')
            )

    return path, read


def cvat(body: str) -> Callable[[Path], tuple[Path, Callable[[], None]]]:
    def make(root: Path) -> tuple[Path, Callable[[], None]]:
        meta = '<id>1</id><name>v</name><size>1</size><start_frame>0</start_frame>'
        meta += '<stop_frame>0</stop_frame><frame_filter>step=1</frame_filter>'
        path = root / 'annotations.xml'
        head = f'<?xml version="1.0"?><annotations><meta><task>{meta}</task></meta>'
        path.write_text(f'{head}{body}</annotations>')
        return path, lambda: check_masks(masks_of(read_cvat(path, root)))

    return make


SHAPES = (
    '<box {} xtl="1" ytl="1.5" xbr="9" ybr="7" rotation="20.0" z_order="1"/>'
    '<ellipse {} cx="8" cy="6" rx="5" ry="3" rotation="40"/>'
    '<polygon {} points="1,1;9.5,2;7,8"/><polyline {} points="1,2;3,4"/>'
    '<mask {} rle="3,4,5" left="2" top="1" width="4" height="3"/>'
)
ABOUT = f'id="0" name="a.png" width="{SIZE[1]}" height="{SIZE[0]}"'
IN_IMAGE, IN_TRACK = (
    SHAPES.replace('{}', 'label="a"'),
    SHAPES.replace('{}', 'frame="0" outside="0"'),
)
CVAT_IMAGES = f'<image {ABOUT}>{IN_IMAGE}</image>'
CVAT_VIDEO = f'<track id="0" label="a">{IN_TRACK}</track>'


def labelme(root: Path) -> tuple[Path, Callable[[], None]]:
    shapes = [
        dict(label='a', points=[[1, 1], [9, 2], [7, 8]], shape_type='polygon', group_id=None),
        dict(label='a', points=[[1, 1], [9, 8]], shape_type='rectangle', group_id=1),
        dict(label='b', points=[[5, 5], [8, 5]], shape_type='circle', group_id=1),
        dict(label='c', points=[[2, 3], [3, 4]], shape_type='mask', mask=MASK, group_id=1),
        dict(label='c', points=[[2, 3], [3, 4]], shape_type='line', group_id=1),
    ]
    content = dict(shapes=shapes, imagePath='a.png', imageHeight=SIZE[0], imageWidth=SIZE[1])
    path = root / 'a.json'
    path.write_text(json.dumps(content))
    return path, lambda: check_masks(masks_of(read_labelme(root)))


#: A PNG file of 2 x 2 pixels.
MASK = (
    'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACAQAAAABazTCJAAAADElEQVR4nGM4wMQAAAJIAMOA19R5AAAAAElFTkSuQmCC'
)


def vot(root: Path) -> tuple[Path, Callable[[], None]]:
    folder = root / 'v'
    (folder / 'color').mkdir(parents=True)
    lines = ['1,2,5,6', 'm2,1,4,3,3,4,5', '1,1,9,2,7,8.5,2,6']
    for number in range(len(lines)):
        cv2.imwrite(str(folder / f'color/{number:08d}.png'), np.zeros((*SIZE, 3), np.uint8))
    path = folder / 'groundtruth.txt'
    path.write_text('\n'.join(lines))
    return path, lambda: read_dataset(type='VOTDataset', data_root=str(root))


def image(suffix: str, mode: str) -> Callable[[Path], tuple[Path, Callable[[], None]]]:
    def make(root: Path) -> tuple[Path, Callable[[], None]]:
        ids = np.zeros(SIZE, np.uint8)
        ids[2:6, 3:9] = 2
        picture = Image.fromarray(ids)
        if mode == 'P':
            picture.putpalette([(91 * i) % 256 for i in range(768)])
        exif = Image.Exif()
        exif[274] = 6
        file = io.BytesIO()
        picture = picture if mode in ('L', 'P') else picture.convert(mode)
        picture.save(
            file,
            Image.registered_extensions()[suffix],
            **({} if suffix == '.bmp' else dict(exif=exif)),
        )
        path = root / f'b{suffix}'
        path.write_bytes(file.getvalue())

        def read() -> None:
            try:
                read_image_size(path)
                assert read_image(path).dtype == np.uint8
            finally:
                assert read_mask(path).dtype == np.uint8

        return path, read

    return make


FORMATS = {
    'coco': (coco, True),
    'cvat images': (cvat(CVAT_IMAGES), True),
    'cvat video': (cvat(CVAT_VIDEO), True),
    'labelme': (labelme, True),
    'vot': (vot, True),
    'palette png': (image('.png', 'P'), False),
    'grey png': (image('.png', 'L'), False),
    'colour png': (image('.png', 'RGB'), False),
    'jpeg': (image('.jpg', 'RGB'), False),
    'tiff': (image('.tif', 'L'), False),
    'webp': (image('.webp', 'RGB'), False),
    'bmp': (image('.bmp', 'L'), False),
}


def limit_memory() -> None:
    """Let this process have MEMORY beyond what it has taken for its libraries."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def read_damaged(
    name: str,
    path: Path,
    change: Callable[[bytes, int], bytes],
    read: Callable[[], object],
    documented: tuple[type[Exception], ...],
    count: int,
) -> None:
    """Read a file, then ``count`` damaged ones in its place; print how many were read and refused.

    Args:
        name: What is printed for the file.
        path: The file.
        change: The damaged content, of the whole one and a seed.
        read: Reads it.
        documented: What that may raise.
        count: Number of seeds.
    """
    whole = path.read_bytes()
    read()  # the whole file is read without an error
    outcomes = Counter()
    for seed in range(count):
        path.write_bytes(change(whole, seed))
        try:
            read()
            outcomes['read'] += 1
        except documented:
            outcomes['refused'] += 1
        except BaseException:
            print(f'{name}, seed {seed}: {path.read_bytes()!r}'[:2000], file=sys.stderr)
            raise
    print(json.dumps([name, outcomes['read'], outcomes['refused']]), flush=True)


def damaged_once(number: int, is_text: bool, is_png: bool, whole: bytes, seed: int) -> bytes:
    """Damaged content of a file of format ``number``; most of PNG's have right checksums."""
    damaged = damage(whole, np.random.default_rng([number, seed]), is_text)
    return with_checksums(damaged) if is_png and seed % 4 else damaged


def main(root: Path, count: int) -> None:
    """Read ``count`` damaged files of each format below ``root``."""
    cv2.setLogLevel(0)
    limit_memory()
    for number, (name, (make, is_text)) in enumerate(FORMATS.items()):
        folder = root / str(number)
        folder.mkdir()
        cv2.imwrite(str(folder / 'a.png'), np.zeros((*SIZE, 3), np.uint8))
        path, read = make(folder)
        change = partial(damaged_once, number, is_text, path.suffix == '.png')
        read_damaged(name, path, change, read, DOCUMENTED, count)


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]))
