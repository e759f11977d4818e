"""Make a dataset to study false alarms on: few images with a target, a large pool without."""

import argparse
from pathlib import Path

from mmpolar.cli.errors import usage_error
from mmpolar.mining.study_data import DOGS, SPLITS, StudyOptions, make_data
from mmpolar.utils.outputs import check_outputs

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


if __name__ == '__main__':
    main()
