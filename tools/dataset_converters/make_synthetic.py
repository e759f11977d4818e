"""Make labelled videos without any download."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.utils.image import read_image, read_mask, write_image

DESCRIPTION = """\
Make labelled videos out of photographs that come inside installed packages (scikit-image,
scikit-learn, matplotlib): textured things of many shapes that move, turn, deform, pass behind
others and leave the frame, with an exact mask for every frame.

The folder written looks like DAVIS, so anything that reads DAVIS reads it:
  JPEGImages/480p/train-0000/00000.jpg    frames
  Annotations/480p/train-0000/00000.png   palette images, 1 is the target
  ImageSets/2017/{train,val}.txt          names of the sequences
  ImageSets/2016/{train,val}.txt          pairs of image and mask
  manifest.json                           the parameters

The same seed gives the same videos. Run the command again to finish an interrupted run, or with a
larger --train or --val to add sequences: what is complete is kept. Validation videos show other
photographs than training videos."""

EXAMPLES = """\
examples:
  a small set to try things out, about 10 seconds:
    python tools/dataset_converters/make_synthetic.py --out data/synthetic
  a larger one with two processes, and a contact sheet of it:
    python tools/dataset_converters/make_synthetic.py --out data/synthetic-large --train 1000 \\
        --val 50 --workers 2 --preview sheet.png
then train on it with
  dict(type='SyntheticDataset', data_root='data/synthetic', split='train')"""

_PREVIEW_VIDEOS = 12
_PREVIEW_FRAMES = 6
_PREVIEW_WIDTH = 240
_CONTOUR = (0, 255, 0)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = tool_parser(DESCRIPTION, EXAMPLES)
    parser.add_argument(
        '--out', required=True, help='folder to write to, for instance data/synthetic'
    )
    parser.add_argument('--train', type=int, default=48, help='training videos (default: 48)')
    parser.add_argument('--val', type=int, default=4, help='validation videos (default: 4)')
    parser.add_argument('--frames', type=int, default=24, help='frames a video (default: 24)')
    parser.add_argument(
        '--size', type=_size, default=(320, 240), help='width x height in pixels (default: 320x240)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='another seed, other videos (default: 0)'
    )
    parser.add_argument(
        '--difficulty',
        type=float,
        default=0.5,
        help='from 0, a target on its own, to 1, occlusion, exits, twins, camouflage (default: 0.5)',
    )
    parser.add_argument(
        '--workers', type=int, default=0, help='processes; 0 works in this one (default: 0)'
    )
    parser.add_argument(
        '--preview',
        metavar='FILE',
        type=_image_file,
        help='also write a contact sheet with the contours, a PNG or JPEG',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Generate, then draw the contact sheet if one is wanted."""
    args = parse_args(argv)
    try:
        root = generate_dataset(
            args.out,
            num_train=args.train,
            num_val=args.val,
            frames=args.frames,
            size=args.size,
            seed=args.seed,
            difficulty=args.difficulty,
            workers=args.workers,
        )
        if args.preview:
            write_preview(root, args.preview)
    except (ValueError, OSError) as error:
        usage_error(error)
    print(f'{args.train} training and {args.val} validation videos lie in {root}')


def write_preview(root: Path, file: Path) -> None:
    """Draw a few frames of a few videos of both splits with the target's contour.

    Args:
        root: Folder that :func:`generate_dataset` wrote.
        file: Image file to write.
    """
    folders = sorted((root / 'JPEGImages' / '480p').iterdir())
    chosen = np.linspace(0, len(folders) - 1, min(_PREVIEW_VIDEOS, len(folders))).round()
    rows = [_preview_row(root, folders[int(index)]) for index in chosen]
    write_image(file, np.concatenate(rows))


def _preview_row(root: Path, folder: Path) -> np.ndarray:
    """Frames of one video side by side."""
    frames = sorted(folder.glob('*.jpg'))
    chosen = np.linspace(0, len(frames) - 1, _PREVIEW_FRAMES).round()
    tiles = []
    for index in chosen:
        path = frames[int(index)]
        image = read_image(path)
        mask = read_mask(root / 'Annotations' / '480p' / folder.name / f'{path.stem}.png')
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, contours, -1, _CONTOUR, 1)
        height = round(_PREVIEW_WIDTH * image.shape[0] / image.shape[1])
        tiles.append(cv2.resize(image, (_PREVIEW_WIDTH, height), interpolation=cv2.INTER_AREA))
    cv2.putText(tiles[0], folder.name, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
    return np.concatenate(tiles, axis=1)


def _image_file(text: str) -> Path:
    if not cv2.haveImageWriter(text):
        raise argparse.ArgumentTypeError(f'expected a name that ends in .png or .jpg, got {text!r}')
    return Path(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition('x')
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f'expected WIDTHxHEIGHT such as 320x240, got {text!r}')
    return int(width), int(height)


if __name__ == '__main__':
    main()
