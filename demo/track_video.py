"""Track targets in a video and draw their contours. See ``python demo/track_video.py --help``."""

import argparse
import itertools
import sys
from pathlib import Path

import cv2
import numpy as np

from mmpolar.apis import init_engine, track_targets
from mmpolar.cli.arguments import (
    add_box_argument,
    add_device_argument,
    join_box_words,
    read_boxes,
)
from mmpolar.cli.errors import report_error
from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.structures.combine_results import combine_results
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import Tracker
from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.image import read_mask
from mmpolar.utils.mask_file import encode_mask
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.video import count_frames, iter_frames
from mmpolar.visualization import VideoWriter, draw_results, fit_to_size

WINDOW = 'mmpolar'
EXAMPLES = """
examples:
  python demo/track_video.py video.mp4 --box 100,80,60,40 --out out.mp4
  python demo/track_video.py frames/ --mask first.png --out out.mp4
  python demo/track_video.py video.mp4 --box 100,80,60,40 --box 300,90,50,50 \\
      --out out.mp4 --masks masks      two targets, and their masks as files
  python demo/track_video.py 0 --show      a camera
  python demo/track_video.py video.mp4 --config C.py --checkpoint C.pth --out out.mp4    your own
"""


def main(argv: list[str] | None = None) -> int:
    """Track as the arguments say; returns the exit status."""
    args = parse_args(argv)
    try:
        track(args)
    except (FileNotFoundError, ValueError, TypeError, OSError) as error:
        return report_error(error)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Track targets through a video and draw their boxes and contours. Without '
        '--box and --mask a window opens in which a target is marked with the mouse.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', help='video file, folder of images, or number of a camera')
    parser.add_argument(
        '--model',
        metavar='NAME',
        help=f'trained tracker, one of mmpolar.apis.available_models() (default: {DEFAULT_MODEL})',
    )
    parser.add_argument('--config', help='config of a tracker of your own, instead of --model')
    parser.add_argument('--checkpoint', help='its weights')
    target = parser.add_mutually_exclusive_group()
    add_box_argument(target)
    target.add_argument('--mask', help='target in the first frame: an image, not black inside')
    parser.add_argument('--out', help='overlay video to write, for example out.mp4')
    parser.add_argument(
        '--masks',
        metavar='DIR',
        help='folder for a PNG file of each frame: 1 on the first target, 2 on the second, ...; '
        'where two overlap, the one with the higher score',
    )
    parser.add_argument('--show', action='store_true', help='show the frames; q ends')
    add_device_argument(parser)
    args = parser.parse_args(join_box_words(argv))
    if not args.out and not args.masks and not args.show:
        parser.error('nothing to do: give --out FILE, --masks DIR or --show')
    if bool(args.config) != bool(args.checkpoint):
        parser.error('a tracker of your own is --config and --checkpoint: give both')
    if args.model and args.config:
        parser.error('give --model, or --config and --checkpoint')
    return args


def track(args: argparse.Namespace) -> None:
    check_outputs(
        {'--out': args.out, '--masks': args.masks},
        {
            'the source': args.source,
            '--mask': args.mask,
            '--config': args.config,
            '--checkpoint': args.checkpoint,
        },
    )
    tracker = Tracker(init_engine(args.config or args.model, args.checkpoint, args.device))
    frames = iter_frames(args.source)
    first = next(frames)
    targets = read_targets(args, first)
    answers = track_targets(tracker, itertools.chain([first], frames), targets)
    answers = progress_bar(answers, total=count_frames(args.source), unit='frame')
    writer = None
    try:
        for number, (frame, results) in enumerate(answers):
            if args.masks:
                write_masks(Path(args.masks) / f'{number:05d}.png', results)
            drawn = draw_results(frame, results)
            if args.out and writer is None:
                writer = VideoWriter.like(args.out, args.source, frame)
            if writer is not None:
                writer.write(fit_to_size(drawn, writer.size))
            if args.show and not show(drawn):
                break
    finally:
        if writer is not None:
            writer.close()
            print(f'wrote {args.out}')


def read_targets(args: argparse.Namespace, frame: np.ndarray) -> list[np.ndarray]:
    """Boxes (4,) xyxy or a mask (H, W) from the arguments, or else a box from the mouse."""
    if args.mask:
        return [read_mask(args.mask)]
    if args.box:
        return list(read_boxes(args.box))
    x, y, width, height = select_box(frame)
    return [np.array([x, y, x + width, y + height])]


def write_masks(path: Path, results: list[TrackResult]) -> None:
    """Write which target each pixel belongs to."""
    with atomic_path(path, flush=False) as unfinished:
        unfinished.write_bytes(encode_mask(combine_results(results)))


def select_box(frame: np.ndarray) -> tuple[int, int, int, int]:
    """Let the user mark the target with the mouse."""
    try:
        box = cv2.selectROI(WINDOW, frame)
        cv2.destroyWindow(WINDOW)
    except cv2.error as error:
        raise OSError(
            'no window can be opened here to mark the target: give --box left,top,width,height'
        ) from error
    if box[2] == 0 or box[3] == 0:
        raise ValueError('no target was marked')
    return box


def show(frame: np.ndarray) -> bool:
    """Show a frame; False when the user wants to end."""
    cv2.imshow(WINDOW, frame)
    return cv2.waitKey(1) & 0xFF != ord('q')


if __name__ == '__main__':
    sys.exit(main())
