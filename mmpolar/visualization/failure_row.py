"""A row of a contact sheet about a sequence in which a tracker failed."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.evaluation.failures import Failure
from mmpolar.evaluation.functional import mean_of_known
from mmpolar.evaluation.replay import TrackReplay
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.structures.grid import resized
from mmpolar.utils.image import read_image
from mmpolar.visualization.draw import (
    GROUND_TRUTH_COLOR,
    PREDICTION_COLOR,
    SHEET_BACKGROUND,
    SHEET_TEXT_COLOR,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
)

#: A cell shows at least this share of the frame's width, so that the surroundings can be told.
_MIN_WINDOW = 1 / 3
#: Space around the boxes in a cell, as a share of the longer side of what both cover.
_MARGIN = 0.25
_FONT = cv2.FONT_HERSHEY_SIMPLEX
MARK_COLOR = (80, 80, 240)
_GRID_COLOR = (90, 90, 90)


def draw_row(
    failure: Failure, replay: TrackReplay, by: str, num_frames: int, cell_width: int
) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Cells of a sequence and their captions: the course, the first frame, the worst frames.

    Args:
        failure: The sequence and its worst frames.
        replay: Its frames with annotations and results.
        by: The metric that ranks, one of those in ``failure.values``.
        num_frames: Cells for worst frames; those without a frame stay blank.
        cell_width: Width of a cell in pixels.
    """
    cells, captions = [], []
    for frame in [0, *failure.frames]:
        cells.append(draw_cell(replay[frame], cell_width, gt_box_too=by == 'iou'))
        captions.append(describe(failure, replay[frame]))
    height = cells[0].shape[0]
    blank = np.full((height, cell_width, 3), SHEET_BACKGROUND, np.uint8)
    spare = num_frames - len(failure.frames)
    course = draw_course(failure, by, (cell_width, height))
    means = ', '.join(
        f'{name} {_short(mean_of_known(values.tolist()))}'
        for name, values in failure.values.items()
    )
    return [course, *cells, *[blank] * spare], [f'means: {means}', *captions, *[''] * spare]


def describe(failure: Failure, frame: TrackFrame) -> str:
    """Number and metrics of a frame."""
    if frame.frame_id == 0:
        return 'frame 0: the target'
    values_shown = [
        f'{name} {_short(values[frame.frame_id])}'
        for name, values in failure.values.items()
        if not math.isnan(values[frame.frame_id])
    ]
    if frame.annotated and frame.gt_box is None:
        values_shown.append('target absent')
    values_shown.append('nothing found' if frame.box is None else f'score {_short(frame.score)}')
    return f'frame {frame.frame_id}: {", ".join(values_shown)}'


def draw_cell(frame: TrackFrame, width: int, gt_box_too: bool = False) -> NDArray[np.uint8]:
    """The part of a frame that holds the ground truth and the prediction, both drawn in.

    Args:
        frame: The frame.
        width: Width of the cell in pixels.
        gt_box_too: Whether to draw the ground-truth box where there is a mask, too.

    Returns:
        The cell, in the proportions of the frame.
    """
    image = read_image(frame.img_path)
    full_height, full_width = image.shape[:2]
    height = max(1, round(width * full_height / full_width))
    boxes = [box for box in (frame.gt_box, frame.box) if box is not None]
    x1, y1, x2, y2 = find_window(boxes, (full_width, full_height))
    part = image[y1:y2, x1:x2]
    zoom = np.array([width / part.shape[1], height / part.shape[0]])
    shrinks = zoom.max() < 1
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cell = cv2.resize(part, (width, height), interpolation=interpolation)

    def shown(points: NDArray) -> NDArray[np.float64]:
        # Integers are pixel centres in the frame and in the cell.
        corners = np.asarray(points).reshape(-1, 2) - (x1, y1)
        return resized(corners, zoom).reshape(np.shape(points))

    def shown_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.resize(mask[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_NEAREST)

    if frame.mask is not None:
        cell = draw_mask(cell, shown_mask(frame.mask), PREDICTION_COLOR, alpha=0.3)
    if frame.gt_mask is not None:
        cell = draw_mask_contour(cell, shown_mask(frame.gt_mask), GROUND_TRUTH_COLOR)
    if frame.gt_box is not None and (gt_box_too or frame.gt_mask is None):
        cell = draw_box(cell, shown(frame.gt_box), GROUND_TRUTH_COLOR, thickness=2)
    if frame.polygon is not None:
        cell = draw_polygon(cell, shown(frame.polygon), PREDICTION_COLOR, thickness=1)
    if frame.box is not None:
        cell = draw_box(cell, shown(frame.box), PREDICTION_COLOR, thickness=1)
    return cell


def find_window(
    boxes: Sequence[NDArray[np.float64]], frame_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of a frame to show: all boxes and a margin, in the frame's own proportions.

    Args:
        boxes: (4,) xyxy each; without any the whole frame is shown.
        frame_size: Width and height of the frame.

    Returns:
        First and last (excluded) column and row: x1, y1, x2, y2.
    """
    full = np.array(frame_size)
    if not len(boxes):
        return 0, 0, *frame_size
    corners = np.array(boxes)
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    extent = high - low + 1 + 2 * _MARGIN * (high - low).max()
    share = np.clip((extent / full).max(), _MIN_WINDOW, 1)
    size = np.maximum(1, np.rint(full * share)).astype(int)
    start = np.rint((low + high + 1 - size) / 2).clip(0, full - size).astype(int)
    (x1, y1), (x2, y2) = start.tolist(), (start + size).tolist()
    return x1, y1, x2, y2


def draw_course(failure: Failure, by: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The ranking metric over the frames, those shown marked, under the sequence's name."""
    width, height = size
    image = np.full((height, width, 3), SHEET_BACKGROUND, np.uint8)
    left, right, top, bottom = 34, width - 8, 44, height - 22
    values = failure.values[by]
    x = left + (right - left) * np.arange(len(values)) / max(1, len(values) - 1)
    y = bottom - (bottom - top) * values
    for level in (0, 0.5, 1):
        row = round(bottom - (bottom - top) * level)
        cv2.line(image, (left, row), (right, row), _GRID_COLOR, 1)
        _write(image, f'{level:g}', (4, row + 4), 0.36)
    for points in _unbroken(x, y):
        cv2.polylines(image, [points], False, PREDICTION_COLOR, 1, cv2.LINE_AA)
    for frame in failure.frames:
        point = (round(x[frame]), round(y[frame]))
        cv2.circle(image, point, 3, MARK_COLOR, cv2.FILLED, cv2.LINE_AA)
    _write(image, failure.name, (6, 18), 0.5)
    _write(image, f'{by} {_short(failure.mean)}', (6, 36), 0.42)
    last = str(len(values) - 1)
    _write(image, '0', (left, height - 6), 0.36)
    _write(image, last, (right - 7 * len(last), height - 6), 0.36)
    return image


def _unbroken(x: NDArray, y: NDArray) -> Iterator[NDArray[np.int32]]:
    """Runs of points without NaN, each (N, 1, 2)."""
    known = np.flatnonzero(~np.isnan(y))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if run.size:
            yield np.rint(np.stack([x[run], y[run]], axis=1)).astype(np.int32)[:, None]


def _write(image: NDArray[np.uint8], text: str, position: tuple[int, int], scale: float) -> None:
    width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1, (image.shape[1] - position[0] - 2) / max(width, 1))
    cv2.putText(image, text, position, _FONT, scale, SHEET_TEXT_COLOR, 1, cv2.LINE_AA)


def _short(value: float) -> str:
    """Two digits, without the zero before the point."""
    return '-' if math.isnan(value) else f'{value:.2f}'.removeprefix('0')
