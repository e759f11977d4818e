"""Make a dataset to study false alarms on: few images with a target, a large pool without."""

import argparse
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.datasets.synthetic import make_scene
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.image import read_image, write_image
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Make a dataset to study false alarms on: some images with a target, and a large pool of images
without, most of which nothing would take for the target while a few are easily mistaken for it.

With --data, photographs and generated scenes. The target is the dog. Images with a dog are the
positives; every other photograph (cats, bears, otters, streets, kitchens, tools, ...) is a
negative. As many negatives again are generated scenes.
Without --data, generated scenes alone. The target has three parts: a body, a head and
limbs. Nine negatives in ten are empty backgrounds, one in ten shows things of another shape.

--data names a folder of folders, one a set, each with images/ and annotations.json (COCO instances
with all its objects of the target's class annotated, in this folder or in its images/).

Half-hidden duplicates are found by a hash of what an image shows: of two images that look the same
one is kept, so that none is on both sides. A hash of its name decides for ever on which side an image
is: three fifths train, two fifths test. With --held-out whole sets decide instead: those named are for
the test, all others for training. Images are made smaller, which saves most of the time of reading them.

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
      --data data/natural
  python tools/dataset_converters/make_hard_negative_data.py --out data/hard_negative_bear \\
      --data data/natural --target bear --held-out coco_mini coco_multi"""

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
#: Sets whose images may show a dog that is not annotated as one.
LEAVE_OUT = (
    'ccp_person',
    'coco_person',
    'coco_val_person1',
    'dutomron18',
    'ecssd',
    'human_seg',
    'msrc_cows',
    'voc_sbd',
    'vsb_stills',
    'weizmann_horses',
)
SPLITS = ('train', 'test')
TRAIN_FIFTHS = 3
MANIFEST = 'manifest.json'
VERSION = 1  # to be raised whenever the same options give other images
JPEG_QUALITY = 92
HASH_SIDE = 8
HASH_DISTANCE = 4  # bits in which two images of the same may differ
GENERATED = 'generated'
GENERATED_SIZE = (192, 144)
DIFFICULTY = 0.5
TARGET_PARTS = 3  # limbs, body, head
SHAPES_EVERY = 10  # one in so many negatives without photographs
SCENE_SPLIT = dict(train='train', test='val')  # other photographs in the test scenes
SCENE_SEEDS = dict(negatives=11, positives=12)


def main(argv: list[str] | None = None) -> None:
    """Make the dataset, unless it is there already."""
    args = parse_args(argv)
    try:
        check_outputs({'--out': args.out}, {'--data': args.data})
        manifest = make_data(StudyOptions(**vars(args)))
    except (ValueError, OSError) as error:
        usage_error(error)
    for split in SPLITS:
        counts = manifest['counts'][split]
        print(f'{split}: {sum(counts["positives"].values())} images with a target, '
              f'{sum(counts["negatives"].values())} without')  # fmt: skip
    print(f'the data lies in {args.out}')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(DESCRIPTION, EPILOG)
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
        default=LEAVE_OUT,
        metavar='SET',
        help='sets whose images may show a target that is not annotated '
        f'(default: {" ".join(LEAVE_OUT)})',
    )
    parser.add_argument(
        '--held-out',
        nargs='+',
        default=(),
        metavar='SET',
        help='sets that are the test, and no image of which is trained on; generated scenes are split '
        'as always (default: two fifths of each set)',
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
    if args.held_out and args.data is None:
        parser.error('--held-out names sets of --data; give --data too')
    return args


@dataclass(frozen=True)
class StudyOptions:
    """How the dataset is made.

    Attributes:
        out: Folder to write to.
        data: Folder of annotated sets; None makes generated scenes alone.
        target: Names of the classes that are the target.
        leave_out: Sets whose images may show a target that is not annotated.
        held_out: Sets that are the test; none splits each set.
        positives: Images with a target, without ``data``; with it there are as many as are found.
        negatives: Generated images without a target; None makes 2500, with ``data`` as many as
            photographs.
        fold: 0 to 4; another one, another two fifths for the test.
        side: Longer side of the images in pixels.
    """

    out: Path
    data: Path | None = None
    target: Sequence[str] = DOGS
    leave_out: Sequence[str] = LEAVE_OUT
    held_out: Sequence[str] = ()
    positives: int = 300
    negatives: int | None = None
    fold: int = 0
    side: int = 192


@dataclass(frozen=True)
class StudyImage:
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


def make_data(options: StudyOptions) -> dict:
    """Write the dataset of these options and give its manifest; what is complete is left alone.

    Raises:
        ValueError: If the folder holds something else, the sets hold no target or nothing else, or a
            set that is held out is not among them.
        FileNotFoundError: If there is no annotated set below ``data``.
    """
    recipe = dict(
        version=VERSION,
        sets=[] if options.data is None else [path.name for path in find_sets(options)],
        target=list(options.target),
        positives=options.positives,
        negatives=options.negatives,
        side=options.side,
        fold=options.fold,
    )
    if options.held_out:  # left out otherwise, as folders of before have no such entry
        recipe['held_out'] = sorted(options.held_out)
    path = options.out / MANIFEST
    if path.is_file():
        manifest = json.loads(path.read_text())
        if manifest['recipe'] != recipe:
            raise ValueError(
                f'{options.out} was made with other options; give another --out, or delete it'
            )
        return manifest
    if (
        options.out.exists()
        and any(options.out.iterdir())
        and not (options.out / 'unfinished').exists()
    ):
        raise ValueError(f'{options.out} is not empty and has no {MANIFEST}; give another --out')
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / 'unfinished').touch()
    counts = write_images(options)
    (options.out / 'unfinished').unlink()
    manifest = dict(recipe=recipe, counts=counts)
    atomic_write(path, json.dumps(manifest, indent=2) + '\n')
    return manifest


def write_images(options: StudyOptions) -> dict:
    """Write all images and both annotation files; gives counts by split, kind and set."""
    for split in SPLITS:
        shutil.rmtree(options.out / split, ignore_errors=True)
    counts = {split: dict(positives=Counter(), negatives=Counter()) for split in SPLITS}
    records: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for item in all_images(options):
        split = split_of(item, options.fold, options.held_out)
        kind = 'positives' if len(item.boxes) else 'negatives'
        counts[split][kind][item.group] += 1
        records[split].append(write_study_image(item, options.out, Path(split, kind), options.side))
    for split in SPLITS:
        if not (counts[split]['positives'] and counts[split]['negatives']):
            raise ValueError(
                f'the {split} images lack positives or negatives; '
                f'are the names of --target right? They are {", ".join(options.target)}'
            )
        kept = [r for r in records[split] if split == 'test' or r['boxes']]
        write_annotations(kept, options.out / f'{split}.json')
    return counts


def all_images(options: StudyOptions) -> Iterator[StudyImage]:
    """The images to be written, in a fixed order."""
    if options.data is None:
        yield from generate_positives(options.positives, options.fold)
        yield from generate_negatives(options.negatives or 2500, options.fold, anything=False)
        return
    photographs = 0
    for item in without_duplicates(read_photographs(options)):
        photographs += not len(item.boxes)
        yield item
    yield from generate_negatives(options.negatives or photographs, options.fold, anything=True)


def split_of(item: StudyImage, fold: int, held_out: Sequence[str] = ()) -> str:
    """The side of an image: in the name of a generated one, else by its set or a hash of the name."""
    if item.group == GENERATED:
        return item.name.split('-')[0]
    if held_out:
        return SPLITS[item.group in held_out]
    digest = hashlib.md5(f'{item.group}/{item.name}'.encode()).digest()
    return split_of_number(digest[0], fold)


def split_of_number(number: int, fold: int) -> str:
    """Three numbers in five are for training; which ones depends on the fold."""
    return SPLITS[(number + fold) % 5 >= TRAIN_FIFTHS]


def find_sets(options: StudyOptions) -> list[Path]:
    """Folders with annotations below ``data``, without those left out."""
    roots = (options.data / 'images', options.data)
    found = [path.parent for root in roots for path in sorted(root.glob('*/annotations.json'))]
    kept = [path for path in found if path.name not in options.leave_out]
    if not kept:
        raise FileNotFoundError(f'no <set>/annotations.json in {options.data} or {roots[0]}')
    unknown = set(options.held_out) - {path.name for path in kept}
    if unknown:
        raise ValueError(
            f'--held-out names {", ".join(sorted(unknown))}, but the sets are '
            f'{", ".join(path.name for path in kept)}'
        )
    return kept


def read_photographs(options: StudyOptions) -> Iterator[StudyImage]:
    """All photographs of all sets: first those with a target, so that duplicates of them go."""
    entries = [entry for folder in find_sets(options) for entry in read_set(folder, options.target)]
    entries.sort(key=lambda entry: not len(entry[1]))
    for path, boxes in progress_bar(entries, desc='photographs', unit='image'):
        yield StudyImage(path.parents[1].name, path.stem, read_image(path), boxes)


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


def without_duplicates(images: Iterable[StudyImage]) -> Iterator[StudyImage]:
    """Leave out what looks like an earlier image."""
    known = np.zeros((0, HASH_SIDE * HASH_SIDE), bool)
    for item in images:
        code = look_hash(item.image)
        if not ((known != code).sum(1) <= HASH_DISTANCE).any():
            known = np.concatenate([known, code[None]])
            yield item


def look_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a thumbnail gets brighter from left to right, HASH_SIDE**2 bits."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    thumbnail = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return (thumbnail[:, 1:] > thumbnail[:, :-1]).ravel()


def generate_negatives(count: int, fold: int, anything: bool) -> Iterator[StudyImage]:
    """Scenes without a target.

    Args:
        count: Number of scenes.
        fold: See :class:`StudyOptions`.
        anything: Whether any thing may be in them. Otherwise most show a background alone, and
            one in ``SHAPES_EVERY`` things with fewer parts than a target.
    """
    for split, index in progress_bar(
        numbered(count, fold), desc='generated negatives', unit='image'
    ):
        name = f'{split}-{index:05d}'
        scene = make_scene(
            SCENE_SEEDS['negatives'], SCENE_SPLIT[split], index, 2, GENERATED_SIZE, DIFFICULTY
        )
        if not anything:
            shapes = [s for s in scene.sprites if len(s.layers) < TARGET_PARTS]
            scene.sprites = shapes if has_shapes(index) else []
        scene.target = -1
        yield StudyImage(GENERATED, name, scene.render(0)[0])


def has_shapes(index: int) -> bool:
    """Whether a generated negative shows things; spread evenly over both splits."""
    return index // 5 % SHAPES_EVERY == 0


def generate_positives(count: int, fold: int) -> Iterator[StudyImage]:
    """Scenes whose target has a body, a head and limbs, as nothing else in them has."""
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
            is_target = [len(sprite.layers) >= TARGET_PARTS for sprite in scene.sprites]
            if is_target[scene.target] and sum(is_target) == 1:
                break
        image, mask = scene.render(0)
        x, y, width, height = cv2.boundingRect(mask)
        box = np.array([[x, y, x + width, y + height]], float)
        yield StudyImage(GENERATED, f'{split}-{index:05d}', image, box)


def numbered(count: int, fold: int) -> list[tuple[str, int]]:
    """Split and number of so many scenes."""
    return [(split_of_number(index, fold), index) for index in range(count)]


def write_study_image(item: StudyImage, out: Path, folder: Path, side: int) -> dict:
    """Write a smaller image; gives what the annotation file needs to know of it."""
    is_negative = not len(item.boxes)
    name = f'{item.group}/{item.name}.jpg' if is_negative else (
        f'{item.group}-{item.name}.jpg'
    )  # fmt: skip
    height, width = item.image.shape[:2]
    scale = min(side / max(height, width), 1)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(item.image, size, interpolation=cv2.INTER_AREA)
    path = out / folder / name
    write_image(path, image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    factors = np.array([size[0] / width, size[1] / height] * 2)
    return dict(
        file_name=str(folder / name),
        width=size[0],
        height=size[1],
        boxes=(item.boxes * factors).round(2).tolist(),
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
    atomic_write(
        path, json.dumps(dict(images=images, annotations=annotations, categories=categories))
    )


if __name__ == '__main__':
    main()
