"""Measure how a tracker does on small targets, on fast ones, and at low frame rates.

See ``--help``.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, add_online_argument, write_report
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.datasets.synthetic.video_generator import make_scene
from mmpolar.evaluation.functional import mean_of_known
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.boxes import box_center, box_overlap
from mmpolar.structures.grid import resized
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Measure the overlap of the box by the target's size, by its motion from frame to frame, and on every fifth
frame. Each generated video is tracked several times: with the target at its own size, and with the
frames made smaller so that the root of its first area is 30, 22 and 16 pixels; all of the frames, and every fifth.

With --network-alone there are no mask stage, lost state, second peak and online model: what search and
smoothing do by themselves."""

EPILOG = """\
examples
  python -m benchmarks.small_and_fast --model ocean-polar_effnet-lite0-tiny_natural
  python -m benchmarks.small_and_fast --online-share 0 --videos 4
  python -m benchmarks.small_and_fast --network-alone"""

SIZE, FRAMES = (480, 360), 60
FIRST_SEED = 2000
#: Root of the target's area in the first frame in pixels; None for as it is.
SIDES = (None, 30, 22, 16)
STEPS = (1, 5)
#: Motion from frame to frame in sides of the target: ends of the bins.
MOTIONS = (0.0, 0.1, 0.25, 0.5, np.inf)
#: Overlap from which a frame counts as a hit.
HIT = 0.5


class Frame(NamedTuple):
    """A frame of a video that was tracked.

    Attributes:
        side: Side of the target in the first frame that was asked for; None for its own.
        step: Frames of the video from one that was tracked to the next.
        motion: Way of the target's centre since the last frame, in sides of the target.
        overlap: Overlap of the box with the true one.
        seconds: Time of the tracker's step.
    """

    side: int | None
    step: int
    motion: float
    overlap: float
    seconds: float


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    cv2.setNumThreads(1)
    engine = OnnxEngine(args.model, threads=args.threads)
    if args.network_alone:
        engine.manifest = replace(engine.manifest, mask_params=None)
    tracker = SingleTargetTracker(engine, replace(engine.params, **changed_params(args)))
    seeds = range(FIRST_SEED, FIRST_SEED + args.videos)
    frames = [
        frame for seed in progress_bar(seeds, desc='videos') for frame in follow(tracker, seed)
    ]
    tables = dict(size=by_size(frames), motion=by_motion(frames), time=step_time(frames))
    print('\n\n'.join(format_table(name, rows) for name, rows in tables.items()))
    write_report(args.out, dict(model=str(args.model), videos=args.videos) | tables)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.small_and_fast')
    add_model_arguments(parser)
    parser.add_argument('--videos', type=int, default=12, help='generated videos (default: 12)')
    add_online_argument(parser)
    parser.add_argument(
        '--network-alone', action='store_true', help='without all that is told by later frames'
    )
    args = parser.parse_args(argv)
    check_counts(args, parser, 'videos')
    if args.network_alone and args.online_share is not None:
        parser.error('--network-alone has no online model; leave out --online-share')
    return args


def changed_params(args: argparse.Namespace) -> dict[str, float]:
    """Parameters of tracking that the arguments change."""
    if args.network_alone:
        return dict(lost_score=0.0, online_share=0.0)
    return {} if args.online_share is None else dict(online_share=args.online_share)


def follow(tracker: SingleTargetTracker, seed: int) -> Iterator[Frame]:
    """Track a generated video from the first frame's box at each size and step."""
    scene = make_scene(seed, 'val', 0, FRAMES, SIZE, difficulty=0.0)
    rendered = [scene.render(number) for number in range(FRAMES)]
    boxes = [mask_to_box(mask) for _, mask in rendered]
    for side in SIDES:
        zoom = 1.0 if side is None else side / side_of(boxes[0])
        smaller = [
            shrunk(frame, box, zoom) for (frame, _), box in zip(rendered, boxes, strict=True)
        ]
        for step in STEPS:
            yield from track(tracker, smaller[::step], side, step)


def track(
    tracker: SingleTargetTracker,
    video: Sequence[tuple[NDArray[np.uint8], NDArray | None]],
    side: int | None,
    step: int,
) -> Iterator[Frame]:
    """Track frames with true boxes; those without the target are not given."""
    last = video[0][1]
    tracker.init(*video[0])
    for frame, box in video[1:]:
        start = time.perf_counter()
        found = tracker.step(frame).box
        seconds = time.perf_counter() - start
        if box is not None and last is not None:
            motion = np.linalg.norm(box_center(box) - box_center(last)) / side_of(last)
            yield Frame(side, step, float(motion), box_overlap(found, box), seconds)
        last = box


def shrunk(
    frame: NDArray[np.uint8], box: NDArray | None, zoom: float
) -> tuple[NDArray[np.uint8], NDArray | None]:
    """A frame and the target's box at another size."""
    if zoom == 1:
        return frame, box
    size = tuple(max(round(side * zoom), 1) for side in frame.shape[1::-1])
    scale = np.tile(np.array(size) / frame.shape[1::-1], 2)
    smaller = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return smaller, None if box is None else resized(box, scale)


def side_of(box: NDArray) -> float:
    """Root of a box's area."""
    return float(np.sqrt(np.prod(box[2:] - box[:2])))


def by_size(frames: Sequence[Frame]) -> dict[str, dict[str, float]]:
    """Overlap and share of hits by size and step."""
    return {
        f'{"own size" if side is None else f"{side} px"}, {_STEP_NAMES[step]}': scores(
            frames, lambda one, side=side, step=step: (one.side, one.step) == (side, step)
        )
        for step in STEPS
        for side in SIDES
    }


def by_motion(frames: Sequence[Frame]) -> dict[str, dict[str, float]]:
    """The same by motion, over all sizes and steps."""
    return {
        f'{low:g} to {high:g} sides a frame': scores(
            frames, lambda one, low=low, high=high: low <= one.motion < high
        )
        for low, high in zip(MOTIONS[:-1], MOTIONS[1:], strict=True)
    }


def scores(frames: Sequence[Frame], is_used: Callable[[Frame], bool]) -> dict[str, float]:
    """Number of the used frames, mean overlap of the box, and share of hits."""
    overlaps = np.array([frame.overlap for frame in frames if is_used(frame)])
    return dict(
        frames=len(overlaps), box_iou=mean_of_known(overlaps), hits=mean_of_known(overlaps >= HIT)
    )


def step_time(frames: Sequence[Frame]) -> dict[str, dict[str, float]]:
    """Percentiles of the time of a step in milliseconds."""
    milliseconds = 1e3 * np.array([frame.seconds for frame in frames])
    return {'ms a frame': {f'p{q}': float(np.percentile(milliseconds, q)) for q in (50, 95, 99)}}


def format_table(name: str, rows: dict[str, dict[str, float]]) -> str:
    """A row a group, in Markdown."""
    columns = list(next(iter(rows.values())))
    lines = [f'| {name} | {" | ".join(columns)} |', '|---' * (len(columns) + 1) + '|']
    for key, values in rows.items():
        cells = (f'{v:.3f}' if isinstance(v, float) else json.dumps(v) for v in values.values())
        lines.append(f'| {key} | {" | ".join(cells)} |')
    return '\n'.join(lines)


_STEP_NAMES = {1: 'every frame', 5: 'every 5th frame'}


if __name__ == '__main__':
    sys.exit(main())
