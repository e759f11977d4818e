"""Make a dataset to study false alarms on: few images with a target, a large pool without."""

import argparse
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.cli.errors import usage_error
from mmpolar.datasets.synthetic import make_scene
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.image import read_image
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Make a dataset to study false alarms on: some images with a target, and a large pool of images
without, most of which nothing would take for the target while a few are easily mistaken for it.

With --data, photographs and generated scenes. The target is the dog. Images with a dog are the
positives; every other photograph (cats, bears, otters, streets, kitchens, tools, ...) is a
negative. As many negatives again are generated scenes.
Without --data, generated scenes alone. The target is a figure of three parts: a body, a head and
limbs. Nine negatives in ten are empty backgrounds, one in ten shows things of another shape.

--data names a folder of folders, one a set, each with images/ and annotations.json (COCO instances
with all its objects of the target's class annotated, in this folder or in its images/).

Half-hidden duplicates are found by a hash of what an image shows: of two images that look the same
one is kept, so that none is on both sides. A hash of its name decides for ever on which side an image
is: three fifths train, two fifths test. Images are made smaller, which saves most of the time of
reading them.

The folder written:
  train/positives/*.jpg, train.json    COCO boxes of the one class "target"
  train/negatives/<set>/*.jpg          the pool: a folder of images, no annotation
  test/positives, test/negatives       likewise
  test.json                            all test images; those without a box are the negatives
  manifest.json                        how it was made and how many images there are of each set"""

EPILOG = """\
examples:
  python tools/dataset_converters/make_hard_negative_data.py --out data/hard_negative
  python tools/dataset_converters/make_hard_negative_data.py --out data/hard_negative \\
      --data data/natural"""

# In the pets of Oxford-IIIT the breeds of dogs are written in lower case, those of cats are not.
DOGS = (
    'dog',
    'american_bulldog',
    'american_pit_bull_terrier',
    'basset_hound',
    'beagle',
    'boxer',
    'chihuahua',
    'english_cocker_spaniel',
    'english_setter',
    'german_shorthaired',
    'great_pyrenees',
    'havanese',
    'japanese_chin',
    'keeshond',
    'leonberger',
    'miniature_pinscher',
    'newfoundland',
    'pomeranian',
    'pug',
    'saint_bernard',
    'samoyed',
    'scottish_terrier',
    'shiba_inu',
    'staffordshire_bull_terrier',
    'wheaten_terrier',
    'yorkshire_terrier',
)
SPLITS = ('train', 'test')
TRAIN_FIFTHS = 3
MANIFEST = 'manifest.json'
VERSION = 1  # to be raised whenever the same options give other images

JPEG_QUALITY = 92
HASH_SIDE = 8
HASH_DISTANCE = 4  # bits in which two pictures of the same may differ
GENERATED = 'generated'
GENERATED_SIZE = (192, 144)
DIFFICULTY = 0.5
FIGURE_PARTS = 3  # limbs, body, head
SHAPES_EVERY = 10  # one in so many negatives without --data
SCENE_SPLIT = dict(train='train', test='val')  # other photographs in the test scenes
SCENE_SEEDS = dict(negatives=11, positives=12)


@dataclass(frozen=True)
class Picture:
    """One image before it is written.

    Attributes:
        group: The set that it comes from.
        name: Unique within the set.
        image: uint8 BGR of shape (H, W, 3).
        boxes: Targets, float (N, 4) xyxy; none for a negative.
    """

    group: str
    name: str
    image: NDArray[np.uint8]
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))


def main(argv: list[str] | None = None) -> None:
    """Make the dataset, unless it is there already."""
    args = parse_args(argv)
    try:
        manifest = make_data(args)
    except (ValueError, OSError) as error:
        usage_error(error)
    for split in SPLITS:
        counts = manifest['counts'][split]
        print(f'{split}: {sum(counts["positives"].values())} images with a target, '
              f'{sum(counts["negatives"].values())} without')  # fmt: skip
    print(f'the data lies in {args.out}')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', required=True, type=Path, help='folder to write to')
    parser.add_argument(
        '--data', type=Path, help='folder of annotated sets; without it, generated scenes alone'
    )
    parser.add_argument(
        '--target',
        nargs='+',
        default=DOGS,
        metavar='CLASS',
        help='names of the classes that are the target (default: dog and 25 breeds)',
    )
    parser.add_argument(
        '--leave-out',
        nargs='*',
        default=['coco_person', 'human_seg'],
        metavar='SET',
        help='sets whose images may show a target that is not annotated '
        '(default: coco_person human_seg)',
    )
    parser.add_argument(
        '--positives',
        type=int,
        default=300,
        help='images with a target without --data; with it there are as many as are found '
        '(default: 300)',
    )
    parser.add_argument(
        '--negatives',
        type=int,
        help='generated images without a target (default: 2500, with --data as many as photographs)',
    )
    parser.add_argument(
        '--fold',
        type=int,
        default=0,
        choices=range(5),
        help='another fold, another two fifths for the test, to choose settings with (default: 0)',
    )
    parser.add_argument(
        '--side', type=int, default=192, help='longer side of the images, px (default: 192)'
    )
    args = parser.parse_args(argv)
    for name in ('positives', 'negatives', 'side'):
        value = getattr(args, name)
        if value is not None and value < 10:
            parser.error(f'--{name} must be at least 10, got {value}')
    return args


def make_data(args: argparse.Namespace) -> dict:
    """Write the dataset of the options and give its manifest; what is complete is left alone.

    Raises:
        ValueError: If the folder holds something else, or the sets hold no target or nothing else.
        FileNotFoundError: If there is no annotated set below ``--data``.
    """
    recipe = dict(
        version=VERSION,
        sets=[] if args.data is None else [path.name for path in find_sets(args)],
        target=list(args.target),
        positives=args.positives,
        negatives=args.negatives,
        side=args.side,
        fold=args.fold,
    )
    path = args.out / MANIFEST
    if path.is_file():
        manifest = json.loads(path.read_text())
        if manifest['recipe'] != recipe:
            raise ValueError(
                f'{args.out} was made with other options; give another --out, or delete it'
            )
        return manifest
    if args.out.exists() and any(args.out.iterdir()) and not (args.out / 'unfinished').exists():
        raise ValueError(f'{args.out} is not empty and has no {MANIFEST}; give another --out')
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / 'unfinished').touch()
    counts = write_pictures(args)
    (args.out / 'unfinished').unlink()
    manifest = dict(recipe=recipe, counts=counts)
    atomic_write(path, json.dumps(manifest, indent=2) + '\n')
    return manifest


def write_pictures(args: argparse.Namespace) -> dict:
    """Write all images and both annotation files; gives counts by split, kind and set."""
    for split in SPLITS:
        shutil.rmtree(args.out / split, ignore_errors=True)
    counts = {split: dict(positives=Counter(), negatives=Counter()) for split in SPLITS}
    records: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for picture in all_pictures(args):
        split = split_of(picture, args.fold)
        kind = 'positives' if len(picture.boxes) else 'negatives'
        counts[split][kind][picture.group] += 1
        records[split].append(write_picture(picture, args.out, Path(split, kind), args.side))
    for split in SPLITS:
        if not (counts[split]['positives'] and counts[split]['negatives']):
            raise ValueError(
                f'the {split} images lack positives or negatives; '
                f'are the names of --target right? They are {", ".join(args.target)}'
            )
        kept = [r for r in records[split] if split == 'test' or r['boxes']]
        write_annotations(kept, args.out / f'{split}.json')
    return counts


def all_pictures(args: argparse.Namespace) -> Iterator[Picture]:
    """The images to be written, in a fixed order."""
    if args.data is None:
        yield from generate_figures(args.positives, args.fold)
        yield from generate_negatives(args.negatives or 2500, args.fold, figures=False)
        return
    photographs = 0
    for picture in without_duplicates(read_photographs(args)):
        photographs += not len(picture.boxes)
        yield picture
    yield from generate_negatives(args.negatives or photographs, args.fold, figures=True)


def split_of(picture: Picture, fold: int) -> str:
    """The side of an image: in the name of a generated one, else by a hash of the name."""
    if picture.group == GENERATED:
        return picture.name.split('-')[0]
    digest = hashlib.md5(f'{picture.group}/{picture.name}'.encode()).digest()
    return split_of_number(digest[0], fold)


def split_of_number(number: int, fold: int) -> str:
    """Three numbers in five are for training; which ones depends on the fold."""
    return SPLITS[(number + fold) % 5 >= TRAIN_FIFTHS]


# photographs


def find_sets(args: argparse.Namespace) -> list[Path]:
    """Folders with annotations below ``--data``, without those left out."""
    roots = (args.data / 'images', args.data)
    found = [path.parent for root in roots for path in sorted(root.glob('*/annotations.json'))]
    kept = [path for path in found if path.name not in args.leave_out]
    if not kept:
        raise FileNotFoundError(f'no <set>/annotations.json in {args.data} or {roots[0]}')
    return kept


def read_photographs(args: argparse.Namespace) -> Iterator[Picture]:
    """All photographs of all sets: first those with a target, so that duplicates of them go."""
    entries = [entry for folder in find_sets(args) for entry in read_set(folder, args.target)]
    entries.sort(key=lambda entry: not len(entry[1]))
    for path, boxes in progress_bar(entries, desc='photographs', unit='image'):
        yield Picture(path.parents[1].name, path.stem, read_image(path), boxes)


def read_set(folder: Path, target: Iterable[str]) -> Iterator[tuple[Path, NDArray[np.float64]]]:
    """Paths of a set's images with the boxes (N, 4) xyxy of the target.

    An image whose only target is a crowd region has neither a usable box nor is it a negative.
    """
    content = json.loads((folder / 'annotations.json').read_text())
    wanted = {c['id'] for c in content['categories'] if c['name'].strip() in set(target)}
    boxes: dict[int, list] = {image['id']: [] for image in content['images']}
    crowded = set()
    for annotation in content['annotations']:
        if annotation['category_id'] in wanted:
            x, y, width, height = annotation['bbox']
            boxes[annotation['image_id']].append((x, y, x + width, y + height))
            if annotation.get('iscrowd'):
                crowded.add(annotation['image_id'])
    for image in content['images']:
        if image['id'] not in crowded:
            found = np.array(boxes[image['id']], float).reshape(-1, 4)
            yield folder / 'images' / image['file_name'], found


def without_duplicates(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Leave out what looks like an earlier picture."""
    known = np.zeros((0, HASH_SIDE * HASH_SIDE), bool)
    for picture in pictures:
        code = look_hash(picture.image)
        if not ((known != code).sum(1) <= HASH_DISTANCE).any():
            known = np.concatenate([known, code[None]])
            yield picture


def look_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a thumbnail gets brighter from left to right, HASH_SIDE**2 bits."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    thumbnail = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return (thumbnail[:, 1:] > thumbnail[:, :-1]).ravel()


# generated scenes


def generate_negatives(count: int, fold: int, figures: bool) -> Iterator[Picture]:
    """Scenes without a target.

    Args:
        count: Number of scenes.
        fold: See ``--fold``.
        figures: Whether anything may be in them. Otherwise most show a background alone, and
            one in ``SHAPES_EVERY`` things that are no figures.
    """
    for split, index in progress_bar(
        numbered(count, fold), desc='generated negatives', unit='image'
    ):
        name = f'{split}-{index:05d}'
        scene = make_scene(
            SCENE_SEEDS['negatives'], SCENE_SPLIT[split], index, 2, GENERATED_SIZE, DIFFICULTY
        )
        if not figures:
            shapes = [s for s in scene.sprites if len(s.layers) < FIGURE_PARTS]
            scene.sprites = shapes if has_shapes(index) else []
        scene.target = -1
        yield Picture(GENERATED, name, scene.render(0)[0])


def has_shapes(index: int) -> bool:
    """Whether a generated negative shows things; spread evenly over both splits."""
    return index // 5 % SHAPES_EVERY == 0


def generate_figures(count: int, fold: int) -> Iterator[Picture]:
    """Scenes whose target is a figure of body, head and limbs, and the only one."""
    for split, index in progress_bar(
        numbered(count, fold), desc='generated positives', unit='image'
    ):
        for attempt in range(1000):
            scene = make_scene(
                SCENE_SEEDS['positives'] + 1000 * index,
                SCENE_SPLIT[split],
                attempt,
                2,
                GENERATED_SIZE,
                DIFFICULTY,
            )
            figures = [len(sprite.layers) >= FIGURE_PARTS for sprite in scene.sprites]
            if figures[scene.target] and sum(figures) == 1:
                break
        image, mask = scene.render(0)
        x, y, width, height = cv2.boundingRect(mask)
        box = np.array([[x, y, x + width, y + height]], float)
        yield Picture(GENERATED, f'{split}-{index:05d}', image, box)


def numbered(count: int, fold: int) -> list[tuple[str, int]]:
    """Split and number of so many scenes."""
    return [(split_of_number(index, fold), index) for index in range(count)]


# writing


def write_picture(picture: Picture, out: Path, folder: Path, side: int) -> dict:
    """Write a smaller image; gives what the annotation file needs to know of it."""
    is_negative = not len(picture.boxes)
    name = f'{picture.group}/{picture.name}.jpg' if is_negative else (
        f'{picture.group}-{picture.name}.jpg'
    )  # fmt: skip
    height, width = picture.image.shape[:2]
    scale = min(side / max(height, width), 1)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    path = out / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise OSError(f'cannot write {path}; is the disk full?')
    factors = np.array([size[0] / width, size[1] / height] * 2)
    return dict(
        file_name=str(folder / name),
        width=size[0],
        height=size[1],
        boxes=(picture.boxes * factors).round(2).tolist(),
    )


def write_annotations(records: list[dict], path: Path) -> None:
    """Write images and boxes in COCO's format."""
    images, annotations = [], []
    for number, record in enumerate(records):
        boxes = record.pop('boxes')
        images.append(dict(id=number, **record))
        for x0, y0, x1, y1 in boxes:
            width, height = x1 - x0, y1 - y0
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=number,
                    category_id=0,
                    bbox=[x0, y0, width, height],
                    area=width * height,
                    iscrowd=0,
                )
            )
    categories = [dict(id=0, name='target')]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


if __name__ == '__main__':
    main()
