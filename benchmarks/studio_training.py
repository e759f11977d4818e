"""Measure what training on three labelled videos of a scene brings on a fourth.

See ``--help``.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, write_report
from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets.synthetic import PHOTO_SCENES, photo_scene
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.comparison import compare
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project
from mmpolar.studio.store import ABSENT, MASK
from mmpolar.studio.training import MASKS, PARTS, Training
from mmpolar.utils.image import list_images, read_image, read_mask

DESCRIPTION = """\
Labels all frames of four videos of a scene with their true masks in a project of mmpolar studio, trains on
the first three as its button Train does, and tracks the targets of the fourth, each from its first mask,
with the tracker from before and with the trained one. Given are J, F and the IoU of boxes on the fourth."""
EPILOG = """\
examples
  python -m benchmarks.studio_training --scene motorcycle-on-bricks
  python -m benchmarks.studio_training --data DAVIS --scene highway-1,highway-2,highway-3,highway-4
  the quarters of a clip as four videos:
    python -m benchmarks.studio_training --data DAVIS --scene flamingo

A training that was cut goes on, and one that has ended is not repeated: --work-dir keeps them."""
#: Name of the training and of the tracker that it makes.
_TUNED = 'tuned'


class LabelledVideo(NamedTuple):
    """A video with its true masks.

    Attributes:
        name: Its name.
        frames: Images (H, W, 3) uint8 BGR.
        ids: Mask (H, W) uint8 of each frame, 0 where no target is, else its number.
    """

    name: str
    frames: list[NDArray[np.uint8]]
    ids: list[NDArray[np.uint8]]


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    report = {}
    for scene in args.scene or ['motorcycle-on-bricks']:
        report[scene] = measure(args.work_dir / scene.replace(',', '+'), scene, args)
        print(f'{scene}, {report[scene][0]["frames"]} masks')
        for row in report[scene]:
            print(f'  {row["model"]:42} J {row["J"]:.3f}  F {row["F"]:.3f}  box {row["box"]:.3f}')
    write_report(args.out, report)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.studio_training')
    add_model_arguments(parser)
    parser.add_argument(
        '--scene',
        action='append',
        metavar='NAMES',
        help=f'one of {", ".join(PHOTO_SCENES)}; with --data a clip, or several with commas between',
    )
    parser.add_argument('--data', type=Path, help='folder in the layout of DAVIS')
    parser.add_argument(
        '--frames', type=int, default=32, help='of each video at most (default: 32)'
    )
    parser.add_argument(
        '--part', choices=tuple(PARTS), default=MASKS, help='what is trained (default: %(default)s)'
    )
    parser.add_argument('--epochs', type=int, default=2, help='(default: %(default)s)')
    parser.add_argument(
        '--samples', type=int, default=120, help='of an epoch (default: %(default)s)'
    )
    parser.add_argument('--batch-size', type=int, default=4, help='(default: %(default)s)')
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the training; of a generated scene another one gives other motion (default: 0)',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/studio_training'))
    return parser.parse_args(argv)


def measure(folder: Path, scene: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Label, train and compare; gives the rows of :func:`mmpolar.studio.comparison.compare`."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder)
    *train, judged = [label(project, video) for video in videos_of(scene, args)]
    if _TUNED not in project.models():
        fine_tune(project, train, args)
    assistant, models = Assistant(project, args.model, args.threads), [args.model, _TUNED]
    rows = compare(project, assistant, models, [judged], JobState('compare'))
    project.close()
    return rows


def videos_of(scene: str, args: argparse.Namespace) -> Iterator[LabelledVideo]:
    """The videos of a scene, generated, clips of a dataset, or the quarters of one clip."""
    if args.data is None:
        for take in range(4 * args.seed, 4 * args.seed + 4):
            found = photo_scene(scene, args.frames, take=take)
            frames, masks = zip(*map(found.render, range(len(found))), strict=True)
            yield LabelledVideo(f'take-{take}', list(frames), list(masks))
        return
    names = scene.split(',')
    clips = [read_clip(args.data, name) for name in names]
    if len(clips) == 1:
        cuts = np.linspace(0, len(clips[0].frames), 5).astype(int)
        clips = [
            LabelledVideo(f'part-{index}', clips[0].frames[a:b], clips[0].ids[a:b])
            for index, (a, b) in enumerate(zip(cuts[:-1], cuts[1:], strict=True))
        ]
    for name, frames, ids in clips:
        yield LabelledVideo(name, frames[: args.frames], ids[: args.frames])


def read_clip(root: Path, name: str) -> LabelledVideo:
    """A clip in the layout of DAVIS; each value of its masks but 0 and 255 is a target."""
    frames = [read_image(path) for path in list_images(root / 'JPEGImages/480p' / name)]
    masks = [read_mask(path) for path in list_images(root / 'Annotations/480p' / name)]
    return LabelledVideo(name, frames, [np.where(ids == 255, 0, ids) for ids in masks])


def label(project: Project, video: LabelledVideo) -> str:
    """Write a video into a project and label all of it, unless it is there; gives its name."""
    folder = project.folder / video.name
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(video.frames):
        path = folder / f'{number:05d}.png'
        if not path.exists():
            cv2.imwrite(str(path), frame)
    clip = project.open_clip(video.name)
    if project.store.targets(clip.id):
        return video.name
    for value in np.unique(np.concatenate([np.unique(ids) for ids in video.ids]))[1:]:
        target = project.store.add_target(clip.id, f'target {value}', '#ff8800').id
        for number, ids in enumerate(video.ids):
            mask = (ids == value).astype(np.uint8)
            kind = MASK if mask.any() else ABSENT
            file = project.save_mask(clip, target, number, mask, False) if mask.any() else None
            project.store.put_hand(target, [number], kind, file, 0, 'label')
    return video.name


def fine_tune(project: Project, clips: Sequence[str], args: argparse.Namespace) -> None:
    """Train on clips and export the tracker, as the button of the page does."""
    training, folder = Training(project), project.own / 'training' / _TUNED
    if _TUNED not in training.names():
        numbers = args.epochs, args.samples, args.batch_size
        training.prepare(_TUNED, clips, *numbers, part=args.part)
        with (folder / 'config.py').open('a') as config:
            config.write(f'randomness = dict(seed={args.seed})\n')
    words = [sys.executable, '-m', 'mmpolar.studio.training', str(folder)]
    with (folder / 'log.txt').open('ab') as log:
        subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, check=True, cwd=folder)


if __name__ == '__main__':
    sys.exit(main())
