"""Measure which alarms the tracker takes for steady: objects, and regions of the background."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmpolar.cli.arguments import tool_parser
from mmpolar.mining.suspects import TrackCheck
from mmpolar.mining.suspects.video_window import VideoWindow
from mmpolar.structures.polar import mask_to_box
from mmpolar.utils.image import list_images, read_image, read_mask

DESCRIPTION = """\
Measure which alarms the tracker takes for steady, in clips of DAVIS's layout with a mask on each frame.

In two frames of each clip the object is one alarm, and three random regions beside it, of half its size
to its whole size, are others: what a detector without any sense would find."""
EPILOG = """\
examples:
  python -m benchmarks.steady_alarms data/DAVIS"""
#: Share of a frame's side that a region of the background has at most, and its least side in pixels.
_LARGEST, _LEAST = 0.35, 24
_REGIONS = 3


def main(argv: list[str] | None = None) -> None:
    """Print the share of objects and of regions that are steady, for some limits of overlap."""
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.steady_alarms')
    parser.add_argument('data', type=Path, help='folder with JPEGImages/480p and Annotations/480p')
    parser.add_argument('--stride', type=int, default=2, help='frames from one to the next')
    args = parser.parse_args(argv)
    check = TrackCheck(stride=args.stride)
    rng = np.random.default_rng(0)
    found = dict(object=[], background=[])
    for folder in sorted((args.data / 'JPEGImages/480p').iterdir()):
        images = list_images(folder)
        masks = list_images(args.data / 'Annotations/480p' / folder.name)
        for number in np.linspace(len(images) / 4, len(images) * 3 / 4, 2).astype(int):
            mask = read_mask(masks[number])
            if not mask.any():
                continue
            window = window_of(images, number, check)
            box = np.asarray(mask_to_box(mask), np.float64)
            found['object'].append(check.evidence(window, box))
            for region in regions_beside(rng, box, mask.shape):
                found['background'].append(check.evidence(window, region))
        print(folder.name, {kind: len(entries) for kind, entries in found.items()}, flush=True)
    for overlap in (0.3, 0.4, 0.5, 0.6, 0.7):
        rule = TrackCheck(stride=args.stride, min_overlap=overlap)
        shares = {kind: np.mean([rule.accepts(e) for e in found[kind]]) for kind in found}
        print(f'min_overlap {overlap}:', {kind: f'{share:.2f}' for kind, share in shares.items()})


def window_of(images: list[str], number: int, check: TrackCheck) -> VideoWindow:
    """The frames around one."""
    steps = range(check.stride, check.num_frames * check.stride + 1, check.stride)
    before = [images[number - step] for step in steps if number >= step]
    after = [images[number + step] for step in steps if number + step < len(images)]
    return VideoWindow(
        read_image(images[number]), list(map(read_image, before)), list(map(read_image, after))
    )


def regions_beside(
    rng: np.random.Generator, box: NDArray, frame_size: tuple[int, int]
) -> list[NDArray]:
    """Boxes of the background, at most three, that do not touch the object's."""
    height, width = frame_size
    limits = np.array([width, height], np.float64)
    regions: list[NDArray] = []
    for _ in range(300):
        sides = np.minimum(box[2:] - box[:2], limits * _LARGEST) * rng.uniform(0.5, 1, 2)
        sides = np.maximum(sides, _LEAST)
        corner = rng.uniform(0, limits - sides)
        region = np.concatenate([corner, corner + sides])
        shared = np.minimum(region[2:], box[2:]) - np.maximum(region[:2], box[:2])
        if (shared <= 0).any():
            regions.append(region)
        if len(regions) == _REGIONS:
            break
    return regions


if __name__ == '__main__':
    main()
