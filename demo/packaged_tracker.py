"""See a trained tracker at work: no training, no data, no PyTorch, less than a minute.

It follows targets in videos that are made on the spot, so that the true contour is known: generated
shapes, and real things cut out of, or filmed in, photographs that come inside Python packages.
See ``python demo/packaged_tracker.py --help``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import add_old_option
from mmpolar.datasets.synthetic import PHOTO_SCENES, Scene, make_scene, photo_scene
from mmpolar.evaluation.functional import mean_of_known
from mmpolar.evaluation.video_score import VideoScore
from mmpolar.model_zoo import DEFAULT_FOLDER, ModelNotFoundError
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.progress import shows_progress
from mmpolar.visualization import (
    GROUND_TRUTH_COLOR,
    VideoWriter,
    contact_sheet,
    draw_mask_contour,
    draw_results,
)

#: The columns of the table: values of VideoScore, and what they are called.
COLUMNS = {
    'iou': 'box',
    'J': 'J',
    'F': 'F',
    'J_box': 'filled box',
    'static_iou': 'static box',
    'ceiling': 'ceiling',
}
LEGEND = """\
box: overlap with the true one; J: overlap of the masks; F: agreement of their contours; filled box: J
of the tracker's box; static box: overlap of a box that never moves; ceiling: J of a perfect contour
of as many rays, which the mask stage can exceed. Frame 0, where the target is given, counts nowhere."""
#: Images of a video on the contact sheet, and width and height of each, pixels.
SHEET_COLUMNS, SHEET_CELL = 5, (240, 180)
FPS = 25
#: The scene that is written without anything drawn in, to try the command on.
PLAIN = 'coffee-over-lake'
NEXT = """\
Now you. This works as it is; the box is the target's left, top, width and height in the first frame:
  {command} track {video} --box {box} --out {tracked}
and so does a click in place of the box: --point {point}. Then take a video of your own.
To see a tracker being trained: make quickstart"""


@dataclass
class Video:
    """A video that was tracked.

    Attributes:
        name: Its name.
        values: What the tracker reached, see VideoScore.
        seconds: Time that the tracker took for the frames after the first.
        frames: How many those are.
        shown: Images for the contact sheet.
        captions: Texts under them.
    """

    name: str
    values: dict[str, float]
    seconds: float
    frames: int
    shown: list[np.ndarray] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


def main(argv: list[str] | None = None) -> int:
    """Track and show as the arguments say; returns the exit status."""
    args = parse_args(argv)
    try:
        show(args)
    except (ModelNotFoundError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument(
        '--model', default=DEFAULT_FOLDER, metavar='NAME', help='(default: %(default)s)'
    )
    out = parser.add_argument(
        '--out', default='work_dirs/demo', help='where videos and images go (default: %(default)s)'
    )
    add_old_option(parser, '--work-dir', out)
    parser.add_argument(
        '--generated', type=int, default=3, help='generated videos (default: %(default)s)'
    )
    parser.add_argument(
        '--frames', type=int, default=24, help='frames of each other video (default: %(default)s)'
    )
    args = parser.parse_args(argv)
    if args.generated < 1 or args.frames < 2:
        parser.error('--generated must be at least 1, --frames at least 2')
    return args


def show(args: argparse.Namespace) -> None:
    """Make the videos, track the targets, print the values, and say where the images are."""
    start = time.time()
    # One thread: with more, which wait for each other, a busy machine is slower, not faster.
    tracker = init_tracker(args.model, engine='onnx', threads=1)
    folder = Path(args.out)
    kinds = {
        'generated shapes': {
            f'val-{index:04d}': make_scene(0, 'val', index) for index in range(args.generated)
        },
        'real things': {name: photo_scene(name, args.frames) for name in PHOTO_SCENES},
    }
    tracked = {
        kind: [
            track(tracker, name, scene, folder / kind.replace(' ', '_'))
            for name, scene in scenes.items()
        ]
        for kind, scenes in kinds.items()
    }
    for kind, videos in tracked.items():
        print_values(kind, videos)
    report = {kind: {one.name: one.values for one in videos} for kind, videos in tracked.items()}
    atomic_write(folder / 'values.json', json.dumps(report, indent=1))
    sheet = folder / 'contact_sheet.jpg'
    write_sheet(sheet, [one for videos in tracked.values() for one in videos])
    print(f'{LEGEND}\n')
    print(f'all of it at a glance: {sheet}')
    print(f'videos with box and contour drawn in (green: the ground truth): {folder}/*/*.mp4')
    print(f'the table as a file: {folder}/values.json')
    print(f'Done in {time.time() - start:.0f} seconds with {args.model}.\n')
    print(say_next(folder, args.frames))


def say_next(folder: Path, frames: int) -> str:
    """Write a video to try the command on, and give the text that says how."""
    scene = photo_scene(PLAIN, frames)
    with VideoWriter(folder / 'video.mp4', FPS, scene.size) as writer:
        for frame, _ in rendered(scene):
            writer.write(frame)
    first = scene.render(0)[1]
    left, top, width, height = to_corner_xywh(mask_to_box(first)).round().astype(int).tolist()
    return NEXT.format(
        command=os.path.relpath(Path(sys.executable).parent / 'mmpolar'),
        video=folder / 'video.mp4',
        tracked=folder / 'tracked.mp4',
        box=f'{left},{top},{width},{height}',
        point=f'{left + width // 2},{top + height // 2}',
    )


def track(tracker: SingleTargetTracker, name: str, scene: Scene, folder: Path) -> Video:
    """Follow the target of a scene from its first box, score, and write a video."""
    if shows_progress():
        print(f'\rtracking {name:24}', end='\r', file=sys.stderr)
    first = scene.render(0)[1]
    score = VideoScore(first, tracker.engine.n_rays)
    chosen = np.linspace(0, len(scene) - 1, SHEET_COLUMNS).round().astype(int).tolist()
    video = Video(name, {}, 0.0, len(scene) - 1)
    width, height = scene.size
    with VideoWriter(folder / f'{name}.mp4', FPS, (width, height)) as writer:
        for number, (frame, gt_mask) in enumerate(rendered(scene)):
            begin = time.perf_counter()
            result = tracker.step(frame) if number else tracker.init(frame, score.first_box)
            if number:
                video.seconds += time.perf_counter() - begin
                score.add(result, gt_mask)
            drawn = draw(frame, result, gt_mask)
            writer.write(drawn)
            times = chosen.count(number)  # more than once in a short video
            video.shown += [drawn] * times
            video.captions += [f'frame {number}'] * times
    video.values = score.values()
    video.captions[0] = f'{name}: box {video.values["iou"]:.2f}, J {video.values["J"]:.2f}'
    return video


def rendered(scene: Scene) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The frames of a scene, each with its true mask."""
    return (scene.render(number) for number in range(len(scene)))


def draw(frame: np.ndarray, result: TrackResult, gt_mask: np.ndarray) -> np.ndarray:
    """What the tracker found, and thinly in green what was to be found."""
    return draw_mask_contour(draw_results(frame, [result]), gt_mask, GROUND_TRUTH_COLOR)


def print_values(kind: str, videos: list[Video]) -> None:
    """A row a video, and the means."""
    mean = {name: mean_of_known([one.values[name] for one in videos]) for name in COLUMNS}
    print(f'\n{kind:24}' + ''.join(f'{title:>12}' for title in COLUMNS.values()))
    for one in videos:
        print(table_row(one.name, one.values))
    print(table_row('mean', mean))
    frames, seconds = sum(one.frames for one in videos), sum(one.seconds for one in videos)
    print(f'{frames / seconds:.0f} frames a second, reading and drawing left out\n')


def table_row(name: str, values: Mapping[str, float]) -> str:
    return f'{name:24}' + ''.join(f'{values[column]:12.3f}' for column in COLUMNS)


def write_sheet(path: Path, videos: list[Video]) -> None:
    images = [image for one in videos for image in one.shown]
    captions = [caption for one in videos for caption in one.captions]
    sheet = contact_sheet(images, SHEET_COLUMNS, captions, SHEET_CELL)
    atomic_write(path, cv2.imencode('.jpg', sheet)[1].tobytes())


if __name__ == '__main__':
    sys.exit(main())
