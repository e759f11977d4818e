"""Measure what labelling with a tracker's help costs a user, against marking each frame by hand.

See ``--help``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, write_report
from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets.synthetic import PHOTO_SCENES, make_scene, photo_scene
from mmpolar.evaluation.functional import mean_of_known, region_similarity
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project
from mmpolar.studio.store import ABSENT, MASK, Clip
from mmpolar.studio.tracking_plan import plan_runs
from mmpolar.utils.image import list_images, read_image, read_mask
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
A simulated user labels videos with mmpolar studio: marks the first frame in which the target is visible with
its true mask, tracks, corrects the worst frame with the true mask, tracks again, until every frame reaches a
J of --wanted. Given are the masks that this takes, in all and as a share of the frames, and the seconds of
computing. By hand, each frame takes one."""
EPILOG = """\
examples
  python -m benchmarks.studio
  python -m benchmarks.studio --data data/natural/val/DAVIS --clips 6"""
#: Generated videos beside those of photographs, and their size.
_GENERATED, _SIZE = 3, (320, 240)


@dataclass(frozen=True)
class LabelCost:
    """What a clip took.

    Attributes:
        name: Its name.
        frames: How many it has.
        marks: Frames that the user marked.
        seconds: Of tracking and writing.
        first_J: Mean J after the first mark alone.
        J: Mean J in the end.
    """

    name: str
    frames: int
    marks: int
    seconds: float
    first_J: float
    J: float


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    costs = []
    clips = list(named_clips(args))
    for name, frames, masks in progress_bar(clips, desc='labelling', unit='clip'):
        costs.append(label(name, frames(), masks(), args))
        one = costs[-1]
        print(
            f'{one.name:24}{one.frames:5} frames {one.marks:4} marks {one.seconds:7.1f} s  '
            f'J {one.first_J:.3f} -> {one.J:.3f}'
        )
    frames, marks = sum(one.frames for one in costs), sum(one.marks for one in costs)
    seconds = sum(one.seconds for one in costs)
    print(
        f'{len(costs)} clips: {marks} marks for {frames} frames ({marks / frames:.1%}), '
        f'{seconds / frames:.2f} s a frame; mean J after one mark {mean_of_known([one.first_J for one in costs]):.3f}'
    )
    write_report(args.out, {one.name: vars(one) for one in costs})
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.studio')
    add_model_arguments(parser)
    parser.add_argument(
        '--data', type=Path, help='folder in the layout of DAVIS (default: generated)'
    )
    parser.add_argument('--clips', type=int, help='at most so many')
    parser.add_argument('--frames', type=int, default=48, help='of each clip at most (default: 48)')
    parser.add_argument('--wanted', type=float, default=0.85, help='J of each frame (default: .85)')
    return parser.parse_args(argv)


def named_clips(args: argparse.Namespace) -> Iterator:
    """Names of clips, and what gives their frames and their true masks."""
    count = args.clips
    if args.data is not None:
        for folder in sorted((args.data / 'JPEGImages/480p').iterdir())[:count]:
            masks = args.data / 'Annotations/480p' / folder.name
            yield (
                folder.name,
                lambda folder=folder: [read_image(p) for p in list_images(folder)[: args.frames]],
                lambda masks=masks: [
                    (read_mask(p) > 0).astype(np.uint8) for p in list_images(masks)[: args.frames]
                ],
            )
        return
    scenes = {name: photo_scene(name, args.frames) for name in PHOTO_SCENES}
    for index in range(_GENERATED):
        scenes[f'val-{index:04d}'] = make_scene(0, 'val', index, args.frames, _SIZE)
    for name, scene in list(scenes.items())[:count]:
        parts = [scene.render(number) for number in range(len(scene))]
        yield (
            name,
            lambda parts=parts: [frame for frame, _ in parts],
            lambda parts=parts: [mask for _, mask in parts],
        )


def label(
    name: str, frames: list[NDArray], gt_masks: list[NDArray], args: argparse.Namespace
) -> LabelCost:
    """Label a clip as the simulated user does."""
    with tempfile.TemporaryDirectory() as folder:
        for number, frame in enumerate(frames):
            path = Path(folder, name, f'{number:05d}.png')
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), frame)
        project = Project(folder)
        user = SimulatedUser(project, project.open_clip(name), gt_masks, args)
        first_J, marks, seconds = user.work()
        J = float(np.mean(user.scores()))
        project.close()
    return LabelCost(name, len(frames), marks, seconds, first_J, J)


class SimulatedUser:
    """Marks frames of a clip with their true masks, the worst one first."""

    def __init__(
        self, project: Project, clip: Clip, gt_masks: list[NDArray], args: argparse.Namespace
    ) -> None:
        self.project, self.clip, self.gt_masks = project, clip, gt_masks
        self.wanted = args.wanted
        self.assistant = Assistant(project, args.model, args.threads)
        self.target = project.store.add_target(clip.id, 'target', '#ff8800').id

    def work(self) -> tuple[float, int, float]:
        """Mean J after the first mark, marks, and seconds."""
        start, marks = time.perf_counter(), 1
        self.mark(next(i for i, mask in enumerate(self.gt_masks) if mask.any()))
        self.track()
        first_J = float(np.mean(self.scores()))
        while min(scores := self.scores()) < self.wanted:
            self.mark(int(np.argmin(scores)))
            marks += 1
            self.track()
        return first_J, marks, time.perf_counter() - start

    def mark(self, frame: int) -> None:
        """Label a frame with its true mask, or as absent."""
        mask = self.gt_masks[frame]
        kind = MASK if mask.any() else ABSENT
        file = (
            self.project.save_mask(self.clip, self.target, frame, mask, True)
            if mask.any()
            else None
        )
        self.project.store.put_hand(self.target, [frame], kind, file, 0, 'mark')

    def track(self) -> None:
        """Track what is not up to date."""
        runs = plan_runs(self.project.store.labels(self.clip.id), self.clip.frames)
        self.assistant.track(self.clip, runs, 'tracking', JobState('track'))

    def scores(self) -> list[float]:
        """J of each frame; a frame in which the target is lost counts as one without it."""
        known = {one.frame: one for one in self.project.store.labels(self.clip.id)}
        return [
            region_similarity(self.project.mask(self.clip, known.get(frame)), mask)
            for frame, mask in enumerate(self.gt_masks)
        ]


if __name__ == '__main__':
    sys.exit(main())
