"""Text files with a box or a time a frame, as the box benchmarks want them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mmpolar.evaluation.functional import box_iou
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.utils.abridged import abridged
from mmpolar.utils.issues import ERROR, NOTE, Issue

#: A first box that overlaps the given one less than this is another box, or written otherwise.
_SAME_BOX = 0.5


def box_lines(boxes: np.ndarray) -> bytes:
    """Write boxes as ``x,y,width,height`` a line, pixel corners at integers.

    Args:
        boxes: (T, 4) xyxy, pixel centres at integers; a row with NaN becomes zeros, a box that
            overlaps nothing.

    Returns:
        The file, with four digits after the point.
    """
    return number_lines(np.nan_to_num(to_corner_xywh(boxes), nan=0.0), '%.4f')


def number_lines(rows: np.ndarray, form: str) -> bytes:
    """Write numbers (T, C) in the form of ``%``, commas between them, a row a line."""
    line = ','.join([form] * rows.shape[1])
    return ''.join(f'{line % tuple(row)}\n' for row in rows.tolist()).encode()


def check_box_lines(
    content: bytes, where: str, length: int, first_box: np.ndarray | None = None
) -> Iterator[Issue]:
    """Look for everything that is wrong in a file of boxes.

    Args:
        content: The file.
        where: Its name, for the issues.
        length: Number T of frames.
        first_box: Box that was given in the first frame, (4,) xyxy, pixel centres at integers.

    Yields:
        Another number of lines, lines that are not four numbers, numbers that are not finite,
        negative sizes, and a first box that is far from the given one; as notes boxes without area.
    """
    boxes = yield from _check_numbers(content, where, length, columns=4, what='x,y,width,height')
    if boxes is None:
        return
    sizes = boxes[:, 2:]
    negative, empty = (sizes < 0).any(axis=1), (sizes == 0).any(axis=1)
    if negative.any():
        message = f'width or height below 0 in lines {_line_numbers(negative)}'
        yield Issue(ERROR, 'negative size', where, message)
    if (empty & ~negative).any():
        message = f'boxes without area in lines {_line_numbers(empty)}'
        yield Issue(NOTE, 'empty box', where, message)
    yield from _check_first_box(boxes[0] if len(boxes) else None, where, first_box)


def check_time_lines(content: bytes, where: str, length: int, columns: int) -> Iterator[Issue]:
    """Look for everything that is wrong in a file of measured times.

    Args:
        content: The file.
        where: Its name, for the issues.
        length: Number T of frames.
        columns: Number of runs, each of which has a column.

    Yields:
        Another number of lines or columns, numbers that are not finite or not above 0; as a note
        times that are all the same, which no measurement gives.
    """
    what = 'a time in seconds' + (f' for each of {columns} runs' if columns > 1 else '')
    times = yield from _check_numbers(content, where, length, columns, what)
    if times is None:
        return
    wrong = (times <= 0).any(axis=1)
    if wrong.any():
        message = f'times that are not above 0 in lines {_line_numbers(wrong)}'
        yield Issue(ERROR, 'impossible time', where, message)
    elif len(times) > 2 and (times == times[0, 0]).all():
        message = f'every frame took {times[0, 0]:g} s: this was not measured'
        yield Issue(NOTE, 'constant time', where, message)


def _check_numbers(
    content: bytes, where: str, length: int, columns: int, what: str
) -> Iterator[Issue]:
    """Yields what is wrong and returns the numbers (T, columns), NaN-free, or None if any lacks."""
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        yield Issue(ERROR, 'no text', where, f'cannot be read as text ({error})')
        return None
    if len(lines) != length:
        message = f'{len(lines)} lines for {length} frames'
        yield Issue(ERROR, 'number of lines', where, message)
    rows, wrong = _parse(lines, columns)
    for kind, numbers in wrong.items():
        message = f'expected {what}, separated by commas, in lines {abridged(numbers)}'
        yield Issue(ERROR, kind, where, message)
    return None if wrong else np.array(rows, dtype=np.float64).reshape(-1, columns)


def _parse(lines: Sequence[str], columns: int) -> tuple[list[list[float]], dict[str, list[int]]]:
    """Numbers of the lines, and the numbers of those that hold something else, by kind."""
    rows: list[list[float]] = []
    wrong: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        try:
            row = [float(part) for part in line.split(',')]
        except ValueError:
            row = []
        if len(row) != columns:
            wrong['malformed line'].append(number)
        elif not np.isfinite(row).all():
            wrong['not finite'].append(number)
        rows.append(row)
    return rows, dict(wrong)


def _check_first_box(
    box: np.ndarray | None, where: str, given: np.ndarray | None
) -> Iterator[Issue]:
    if box is None or given is None:
        return
    start = box[:2] - HALF_PIXEL
    overlap = box_iou([[*start, *(start + box[2:])]], [given])[0]
    if overlap < _SAME_BOX:
        numbers = ','.join(f'{value:g}' for value in to_corner_xywh(given))
        message = (
            f'the first box overlaps the given one, {numbers}, by {overlap:.2f} only; a line is '
            'x,y,width,height, and the first is that of the frame in which the target is given'
        )
        yield Issue(ERROR, 'first box', where, message)


def _line_numbers(chosen: np.ndarray) -> str:
    return abridged(np.flatnonzero(chosen) + 1)
