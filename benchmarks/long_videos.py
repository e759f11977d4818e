"""Measure drift and memory over thousands of frames.

See ``--help``.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, write_report
from benchmarks.speed.growth_worker import MEBIBYTE
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.datasets.synthetic.video_generator import make_scene
from mmpolar.evaluation.functional import mean_of_known, quarter_means, region_similarity
from mmpolar.evaluation.one_pass import davis2016
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.boxes import box_overlap
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking import Tracker
from mmpolar.utils.image import read_image, read_target_mask

DESCRIPTION = """\
Track clips forwards, backwards, forwards again and so on, until each has --frames frames, and print the
overlap of the box, J and the share of frames in which the target is said to be lost, by quarter of this long
video: they fall where a tracker drifts. Every 5,000 frames the resident memory of the process is printed.

With --first-frame-alone the mask stage gets no recent reference, and the online model learns from the first
frame alone."""

EPILOG = """\
examples
  python -m benchmarks.long_videos --data data/DAVIS --frames 3000
  python -m benchmarks.long_videos --data data/DAVIS --frames 3000 --first-frame-alone
  python -m benchmarks.long_videos --videos 1 --frames 100000 --width 320 --threads 1"""

SIZE, CLIP_LENGTH, FIRST_SEED = (480, 270), 60, 3000
#: Frames between two values of the memory.
MEMORY_INTERVAL = 5000


class Clip(NamedTuple):
    """A video with a true mask for every frame.

    Attributes:
        name: Its name.
        frames: (H, W, 3) uint8 BGR each.
        masks: (H, W) uint8 of 0 and 1 each.
    """

    name: str
    frames: list[NDArray[np.uint8]]
    masks: list[NDArray[np.uint8]]


#: What is told of a frame: overlap of the box (NaN without a target), J, and whether it is lost.
VALUES = ('box_iou', 'J', 'lost')


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    cv2.setNumThreads(1)
    tracker = Tracker(OnnxEngine(args.model, threads=args.threads))
    if args.first_frame_alone:
        tracker.params = replace(tracker.params, online_rate=0.0)
    clips = generated_clips(args.videos) if args.data is None else read_clips(args.data)
    rows, memory = {}, {}
    for clip in clips:
        steps, memory[clip.name] = follow(
            tracker, resized(clip, args.width), args.frames, args.first_frame_alone
        )
        rows[clip.name] = {
            name: quarter_means(column) for name, column in zip(VALUES, steps.T, strict=True)
        }
        print(format_row(clip.name, rows[clip.name]), flush=True)
    mean = {
        name: [
            mean_of_known(column)
            for column in zip(*(row[name] for row in rows.values()), strict=True)
        ]
        for name in VALUES
    }
    print(format_row(f'mean of {len(rows)}', mean))
    report = dict(model=str(args.model), frames=args.frames, quarters=rows, mean=mean)
    write_report(args.out, report | dict(memory=memory))
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.long_videos')
    add_model_arguments(parser)
    parser.add_argument(
        '--data', type=Path, metavar='DIR', help='folder of DAVIS 2016 (default: generated clips)'
    )
    parser.add_argument('--videos', type=int, default=4, help='generated clips (default: 4)')
    parser.add_argument(
        '--frames', type=int, default=3000, help='of each long video (default: %(default)s)'
    )
    parser.add_argument('--width', type=int, help='of the frames in pixels (default: as they are)')
    parser.add_argument(
        '--first-frame-alone', action='store_true', help='learn nothing from later frames'
    )
    args = parser.parse_args(argv)
    check_counts(args, parser, 'videos')
    if args.frames < 4:
        parser.error(f'--frames must be at least 4, one a quarter, got {args.frames}')
    if args.width is not None and args.width < 32:
        parser.error(f'--width must be at least 32, got {args.width}')
    return args


def generated_clips(count: int) -> Iterator[Clip]:
    """Generated clips whose target neither leaves nor hides."""
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        scene = make_scene(seed, 'val', 0, CLIP_LENGTH, SIZE, difficulty=0.0)
        frames, masks = zip(*map(scene.render, range(CLIP_LENGTH)), strict=True)
        yield Clip(f'seed {seed}', list(frames), list(masks))


def read_clips(folder: Path) -> Iterator[Clip]:
    """The validation clips of DAVIS 2016."""
    for video in davis2016(folder):
        masks = [read_target_mask(path) for path in video.masks]
        yield Clip(video.name, [read_image(path) for path in video.frames], masks)


def resized(clip: Clip, width: int | None) -> Clip:
    """A clip whose frames have this width; as it is for None."""
    if width is None:
        return clip
    height = round(clip.frames[0].shape[0] * width / clip.frames[0].shape[1])
    frames = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in clip.frames]
    masks = [
        cv2.resize(one, (width, height), interpolation=cv2.INTER_NEAREST) for one in clip.masks
    ]
    return Clip(clip.name, frames, masks)


def there_and_back(length: int, count: int) -> Iterator[int]:
    """``count`` frames of a clip of this length: 0, 1, ..., length - 1, length - 2, ..., 0, 1, ..."""
    period = max(2 * (length - 1), 1)
    for number in range(count):
        at = number % period
        yield min(at, period - at)


def follow(
    tracker: Tracker, clip: Clip, count: int, first_frame_alone: bool
) -> tuple[NDArray[np.float64], dict[int, float]]:
    """Track a clip from the first frame's box, there and back.

    Args:
        tracker: The tracker.
        clip: The clip.
        count: Frames of the long video.
        first_frame_alone: Whether the mask stage has the first frame as its only reference.

    Returns:
        ``VALUES`` of the frames after the first, (count - 1, 3), and the resident memory in MiB by number
        of the frame.
    """
    process, memory = psutil.Process(), {}
    steps = np.full((count - 1, len(VALUES)), np.nan)  # all at once: nothing here grows
    boxes = [mask_to_box(mask) for mask in clip.masks]
    [state], _ = tracker.start(clip.frames[0], [boxes[0]])
    for number, at in islice(enumerate(there_and_back(len(clip.frames), count)), 1, None):
        [result] = tracker.find(clip.frames[at], [state])
        if first_frame_alone:
            state.mask_memory.recent = state.mask_memory.first
        overlap = np.nan if boxes[at] is None else box_overlap(result.box, boxes[at])
        region = region_similarity(result.mask, clip.masks[at])
        steps[number - 1] = overlap, region, result.lost
        if number % MEMORY_INTERVAL == 0:
            memory[number] = process.memory_info().rss / MEBIBYTE
            print(f'{clip.name}, frame {number}: {memory[number]:.1f} MiB', flush=True)
    return steps, memory


def format_row(name: str, quarters: dict[str, list[float]]) -> str:
    """A line with the quarters of each value."""
    parts = [
        f'{key} {" ".join(f"{value:.3f}" for value in values)}' for key, values in quarters.items()
    ]
    return f'{name:20} {"   ".join(parts)}'


if __name__ == '__main__':
    sys.exit(main())
