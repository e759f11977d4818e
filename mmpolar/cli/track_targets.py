"""The targets of ``mmpolar track`` in the first frame, from whatever way they are given."""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.cli.arguments import add_box_argument, read_boxes, read_numbers
from mmpolar.structures import result_formats
from mmpolar.tracking import TrackEngine
from mmpolar.tracking.point_target import find_object
from mmpolar.utils.image import read_mask

WINDOW = 'mmpolar: mark the target, then Enter'


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the ways to give targets; they can be mixed, and repeated."""
    group = parser.add_argument_group(
        'targets, in the first frame; without any a window opens to mark one'
    )
    add_box_argument(group)
    group.add_argument(
        '--point',
        action='append',
        metavar='X,Y',
        help='a pixel of the target: the object around it that the mask stage is surest of',
    )
    group.add_argument(
        '--mask',
        metavar='IMAGE',
        help='image of the size of a frame: each value above 0, or else what is white, is a target',
    )
    group.add_argument(
        '--detections',
        metavar='FILE',
        help="results of a detector: COCO's .json, or .txt of MOTChallenge; those of the first image",
    )
    group.add_argument(
        '--min-score',
        type=float,
        default=0.5,
        metavar='S',
        help='leave out detections below this score (default: %(default)s)',
    )


def read_targets(
    args: argparse.Namespace, engine: TrackEngine, frame: NDArray[np.uint8]
) -> list[NDArray]:
    """Boxes (4,) xyxy and masks (H, W) that the arguments give, or a box from the mouse.

    Raises:
        FileNotFoundError: If a file does not exist.
        OSError: If no window can be opened.
        ValueError: If something given cannot be understood, or gives no target.
    """
    targets = list(read_boxes(args.box)) if args.box else []
    for text in args.point or ():
        targets.append(find_object(engine, frame, read_numbers(text, 2, '--point', 'x,y')))
    if args.mask:
        targets += read_mask_targets(args.mask, frame.shape[:2])
    if args.detections:
        targets += read_detections(Path(args.detections), args.min_score)
    return targets or [select_box(frame)]


def read_mask_targets(path: str, frame_size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """A mask for each value in an image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is black, or not of the size of the frame.
    """
    ids = read_mask(path)
    if ids.shape != frame_size:
        (height, width), (rows, columns) = ids.shape, frame_size
        raise ValueError(
            f'mask {path} has {width}x{height} pixels and the frame {columns}x{rows}: scale it to those'
        )
    values = [int(value) for value in np.unique(ids) if value]
    if not values:
        raise ValueError(f'mask {path} is black: mark the target with values above 0')
    return [(ids == value).astype(np.uint8) for value in values]


def read_detections(path: Path, min_score: float) -> list[NDArray]:
    """Masks, or boxes where there are none, of the first image in a file of results.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or no detection has the score.
    """
    if not path.is_file():
        raise FileNotFoundError(f'there is no file of detections {path}')
    text = path.read_text(errors='replace')
    try:
        if path.suffix.lower() == '.json':
            content = json.loads(text)
            entries = content['annotations'] if isinstance(content, dict) else content
            images = result_formats.from_coco(entries)
        else:
            images = result_formats.from_mot(text)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'detections {path} cannot be read: {error!r}') from error
    found = images[min(images)] if images else {}
    chosen = [result for result in found.values() if result.score >= min_score]
    if not chosen:
        raise ValueError(
            f'the first image in {path} has no detection with a score of at least {min_score}, of '
            f'{len(found)}; lower --min-score'
        )
    return [result.box if result.mask is None else result.mask for result in chosen]


def select_box(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Let the user mark the target with the mouse: a box (4,) xyxy.

    Raises:
        OSError: If no window can be opened.
        ValueError: If nothing was marked.
    """
    try:
        x, y, width, height = cv2.selectROI(WINDOW, frame, printNotice=False)
        cv2.destroyWindow(WINDOW)
    except cv2.error as error:
        raise OSError(
            'no target was given, and no window can be opened here to mark one: give --box '
            'left,top,width,height or --point x,y'
        ) from error
    if width == 0 or height == 0:
        raise ValueError('no target was marked')
    return np.array([x, y, x + width, y + height], np.float64)
