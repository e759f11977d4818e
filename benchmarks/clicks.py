"""Measure what a click finds: the IoU of the mask around a random point of an object with its true mask."""

import time
from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.apis import init_engine
from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets import BaseTrackDataset, CocoTrackDataset, DavisDataset
from mmpolar.datasets.synthetic import PHOTO_SCENES, make_scene, photo_scene
from mmpolar.evaluation.functional import region_similarity
from mmpolar.tracking import TrackEngine
from mmpolar.tracking.point_target import find_object
from mmpolar.utils.image import read_image

DESCRIPTION = """\
Measure what a click finds. In each object a random point is clicked that lies at least a quarter as far inside
as the innermost one does; a click that finds nothing has IoU 0. Without data, on scenes of the generator."""
EPILOG = """\
examples:
  python -m benchmarks.clicks
  python -m benchmarks.clicks --coco data/ecssd data/voc_sbd --davis data/DAVIS"""
#: Share of the image that an object may cover.
_SHARES = (0.005, 0.6)
#: How far inside a point lies at least, as a share of the largest distance to the border.
_INSIDE = 0.25
_GOOD = 0.7

Frame = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main(argv: list[str] | None = None) -> None:
    """Print mean IoU, the share of good masks, and the seconds of a click, for each set."""
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.clicks')
    parser.add_argument('--coco', nargs='+', default=[], help='folders of CocoTrackDataset')
    parser.add_argument('--davis', nargs='+', default=[], help='folders of DavisDataset')
    parser.add_argument('--objects', type=int, default=20, help='of a set (default: %(default)s)')
    parser.add_argument('--model', help='see "mmpolar models"')
    args = parser.parse_args(argv)
    engine = init_engine(args.model, engine='onnx', threads=1)
    sets = {folder: frames_of(CocoTrackDataset(folder)) for folder in args.coco}
    sets |= {folder: frames_of(DavisDataset(folder)) for folder in args.davis}
    everything: list[tuple[float, float]] = []
    for name, frames in (sets or {'generator': scenes()}).items():
        found = [click(engine, *frame) for frame in islice(filter(is_usable, frames), args.objects)]
        print_row(name, found)
        everything += found
    if len(sets) > 1:
        print_row('all', everything)


def frames_of(dataset: BaseTrackDataset) -> Iterator[Frame]:
    """An image and the mask of an object in it, of each track in random order."""
    rng = np.random.default_rng(0)
    for number in rng.permutation(dataset.num_videos):
        track = dataset.get_track(int(number))
        frame = int(rng.integers(len(track)))
        target = dataset.read_target(track, frame)
        if target is not None:
            yield read_image(track.frames[frame]), target.mask


def scenes() -> Iterator[Frame]:
    """The photographs of the video generator, and generated shapes."""
    for name in PHOTO_SCENES:
        yield photo_scene(name, 2).render(0)
    for index in range(100):
        yield make_scene(0, 'val', index).render(0)


def is_usable(frame: Frame) -> bool:
    """Whether the object is neither tiny nor all of the image."""
    return _SHARES[0] <= frame[1].mean() <= _SHARES[1]


def click(
    engine: TrackEngine, image: NDArray[np.uint8], gt_mask: NDArray[np.uint8]
) -> tuple[float, float]:
    """IoU of what is found at a random point, and the seconds that it took."""
    depth = cv2.distanceTransform(np.pad(gt_mask, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    points = np.argwhere(depth >= _INSIDE * depth.max())[:, ::-1]
    point = points[np.random.default_rng(int(gt_mask.sum())).integers(len(points))]
    start = time.perf_counter()
    try:
        found = find_object(engine, image, point)
    except ValueError:  # nothing there
        found = np.zeros_like(gt_mask)
    return region_similarity(found, gt_mask), time.perf_counter() - start


def print_row(name: str, found: list[tuple[float, float]]) -> None:
    """Print the values of a set."""
    ious, seconds = np.array(found).T
    good = (ious >= _GOOD).mean()
    print(
        f'{name}: {len(ious)} objects, mean IoU {ious.mean():.3f}, '
        f'{good:.2f} at least {_GOOD}, {np.median(seconds):.2f} s a click',
        flush=True,
    )


if __name__ == '__main__':
    main()
