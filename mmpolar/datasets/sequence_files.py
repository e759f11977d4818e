"""Reading the text files and folders that tracking benchmarks have in common."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.vot_region import parse_region, region_box
from mmpolar.utils.abridged import abridged
from mmpolar.utils.image import list_images
from mmpolar.utils.text_file import read_text

#: Numbers in a row of DarkLabel and of MOT: frame, object, box, and what is known of it.
_NUMBERED_COLUMNS = ({6}, {8}, {10})
_SEPARATORS = re.compile(r'[,\s]+')


def read_names(path: str | os.PathLike) -> list[str]:
    """Names of a list file, one a line; blank lines are skipped.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'list file {path} does not exist; check data_root and split, or give ann_file'
        )
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def list_folders(folder: str | os.PathLike) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'folder {folder} does not exist; check data_root')
    with os.scandir(folder) as entries:
        return sorted(
            entry.name for entry in entries if entry.is_dir() and entry.name[0] not in '._'
        )


def read_boxes(path: str | os.PathLike, one_based: bool = False) -> np.ndarray:
    """Read a box file of single-object tracking.

    Args:
        path: Text file with a line a frame: ``x, y, width, height``, the corners of a polygon, of
            which the smallest upright box is taken, or one of VOT's masks; separated by commas,
            tabs or spaces. Rows that start with the frame's number, as those of MOT and DarkLabel,
            are refused.
        one_based: Whether the first pixel has the coordinate 1.

    Returns:
        Boxes of shape (T, 4), float64 xyxy, pixel centres at integers; NaN where the file has it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line cannot be read; all of them are named.
    """
    lines = _read_text(path).rstrip().splitlines()
    _check_columns(lines, path)
    boxes, broken = [], {}
    for number, line in enumerate(lines, start=1):
        try:
            boxes.append(region_box(parse_region(line)))
        except ValueError as error:
            broken[number] = str(error)
    if broken:
        first, *others = broken
        more = f' (also in line {abridged(others)})' if others else ''
        raise ValueError(f'{path}, line {first}: {broken[first]}{more}')
    return np.array(boxes, dtype=np.float64).reshape(-1, 4) - (1 if one_based else 0)


def write_boxes(path: str | os.PathLike, boxes: np.ndarray, one_based: bool = False) -> None:
    """Write a box file that :func:`read_boxes` reads.

    Args:
        path: File to write, ``x,y,width,height`` a line.
        boxes: Boxes of shape (T, 4), xyxy, pixel centres at integers; NaN where there is none.
        one_based: Whether the first pixel gets the coordinate 1.
    """
    rows = to_corner_xywh(np.asarray(boxes, dtype=np.float64))
    rows[:, :2] += 1 if one_based else 0
    np.savetxt(path, rows, fmt='%.4f', delimiter=',')


def read_flags(path: str | os.PathLike, length: int) -> np.ndarray:
    """Read a number for each frame.

    Args:
        path: Text file; numbers on lines of their own or separated by commas, tabs or spaces. What
            it lacks at the end counts as 0.
        length: Number of frames.

    Returns:
        Numbers of shape (length,): uint8 where all are whole and in 0..255, else float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else, or more than ``length`` numbers.
    """
    parts = [part for part in _SEPARATORS.split(_read_text(path)) if part]
    try:
        values = np.array(parts, dtype=np.float32)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if len(values) > length:
        raise ValueError(f'{path} has {len(values)} numbers for {length} frames')
    values = np.pad(values, (0, length - len(values)))
    small = values.astype(np.uint8)
    return small if np.array_equal(small, values) else values


def match_by_stem(frames: Iterable[str], folder: str | os.PathLike) -> list[str | None]:
    """Mask of each frame: the image in a folder that has its name but for the ending.

    Args:
        frames: Paths of the frames.
        folder: Folder of the masks.

    Returns:
        Paths of the masks; None where there is none.
    """
    masks = {Path(path).stem: path for path in list_images(folder)}
    return [masks.get(Path(path).stem) for path in frames]


def frame_number(path: str) -> int:
    """Number at the end of an image's name, whatever its digits: 12 for ``img/0012.jpg``.

    Raises:
        ValueError: If the name ends in no number.
    """
    match = re.search(r'([0-9]+)$', Path(path).stem)
    if match is None:
        raise ValueError(
            f'the name of image {path} has no number; name the frames 1.jpg, 2.jpg, ...'
        )
    return int(match.group(1))


def frames_between(paths: Iterable[str], first: int, last: int) -> list[str]:
    """Those images whose number lies in ``first..last``, both included."""
    return [path for path in paths if first <= frame_number(path) <= last]


def _read_text(path: str | os.PathLike) -> str:
    if not os.path.isfile(path):
        raise FileNotFoundError(f'annotation file {path} does not exist')
    return read_text(path)


def _check_columns(lines: list[str], path: str | os.PathLike) -> None:
    """Refuse rows with the numbers of frame and object before the box, which look like polygons."""
    rows = [_SEPARATORS.split(line.strip()) for line in lines]
    if {len(row) for row in rows} not in _NUMBERED_COLUMNS:
        return
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        return
    is_mot = values.shape[1] == 10 and (values[:, -1] == -1).all()
    if is_mot or (_counts_frames(values) and (len(rows) == 1 or not _moves_as_one(values))):
        raise ValueError(
            f'{path} has rows of {len(rows[0])} numbers that start with those of frame and object, '
            'as MOT and DarkLabel write them; write a file for each object, with x, y, width, '
            'height of a frame on each line'
        )


def _counts_frames(values: np.ndarray) -> bool:
    """Whether rows start with numbers of frames, each once or more often, and of objects."""
    steps, ids = np.diff(values[:, 0]), values[:, 1]
    is_whole = (values[:, :2] == np.floor(values[:, :2])).all()
    if len(values) == 1:  # nothing has triangles that start in a corner of the image
        return bool(is_whole and values.shape[1] == 6 and values[0, 0] in (0, 1))
    is_counted = np.isin(steps, (0, 1)).all() and (steps == 1).any()
    starts = values[0, 0] in (0, 1) or (steps == 1).all()
    has_ids = len(np.unique(ids)) <= max(len(ids) // 2, 1)
    return bool(is_whole and is_counted and starts and has_ids and values[0, 0] >= 0)


def _moves_as_one(values: np.ndarray) -> bool:
    """Whether all corners of polygons move alike from row to row."""
    steps = np.diff(values.reshape(len(values), -1, 2), axis=0)
    return bool((steps == steps[:, :1]).all())
