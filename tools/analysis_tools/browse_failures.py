"""Look at where a tracker fails: the worst frames of the worst sequences. See ``--help``."""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.cli.arguments import add_old_option
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import (
    add_input_arguments,
    build_dataset,
    open_results,
    read_plain_config,
    tool_parser,
)
from mmpolar.cli.tables import text_table, write_csv
from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.metrics import DavisMetric, OPEMetric
from mmpolar.evaluation.replay import Summary, TrackReplay, has_masks, score_results
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.sequence_report import mean_of_known
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.utils.image import read_image
from mmpolar.utils.progress import progress_bar
from mmpolar.visualization import (
    GROUND_TRUTH_COLOR,
    PREDICTION_COLOR,
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
)
from mmpolar.visualization.draw import SHEET_BACKGROUND, SHEET_TEXT_COLOR

MEASURES = ('iou', 'J', 'F')
#: A cell shows at least this share of the frame's width, so that the surroundings can be told.
_MIN_WINDOW = 1 / 3
#: Space around the boxes in a cell, as a share of the longer side of what both cover.
_MARGIN = 0.25
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MARK_COLOR = (80, 80, 240)
_GRID_COLOR = (90, 90, 90)

DESCRIPTION = """\
Draw the worst frames of the worst sequences as a contact sheet, a row a sequence: the course of the
figure over the frames with those shown marked in red, the frame in which the target was given, and the
worst frames in order of time. A cell shows the part of the frame that holds both targets.

green    ground truth: contour of the mask, and box where boxes rank or are all there is
orange   the tracker: box, contour, tinted mask

A sequence ranks by its mean figure, a frame by its own. Frames next to a worse one are passed over
(--gap), as they show the same failure. Beside the sheet: failures.csv, the figures of the frames shown."""

EPILOG = """\
examples:
  python tools/test.py CONFIG CHECKPOINT --out results/a
  python tools/analysis_tools/browse_failures.py CONFIG results/a
  contours rather than boxes, more of them, one file a sequence:
    python tools/analysis_tools/browse_failures.py CONFIG results/a --by F --sequences 20 \\
        --frames 6 --single
  only the sequences named:
    python tools/analysis_tools/browse_failures.py CONFIG results/a --only bear camel

what to look for
  A figure that falls at once and stays at 0: the tracker went over to something else; look at the
  first frame of the fall. One that sags now and then: the box holds, the contour does not. Marks all
  over a level line: nothing is wrong here but the figure's own ceiling (docs/metrics.md)."""


@dataclass(frozen=True)
class Failure:
    """A sequence and its worst frames.

    Attributes:
        track_id: Number of the track in its dataset.
        name: Name of the track.
        mean: Mean of the ranking figure over the frames that have one.
        values: (T,) of each figure by name, NaN where a frame has none.
        frames: The worst frames, in order of time.
    """

    track_id: int
    name: str
    mean: float
    values: dict[str, NDArray[np.float64]]
    frames: list[int]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_input_arguments(parser, several=False)
    parser.add_argument(
        '--by',
        choices=MEASURES,
        help='what ranks: overlap of the boxes, region similarity J or boundary accuracy F of the '
        'masks (default: J where there are masks, else iou)',
    )
    parser.add_argument(
        '--sequences', type=int, default=8, help='sequences to show (default: %(default)s)'
    )
    parser.add_argument(
        '--frames', type=int, default=4, help='frames of each sequence (default: %(default)s)'
    )
    parser.add_argument(
        '--gap',
        type=int,
        default=5,
        help='frames between two shown, at least (default: %(default)s)',
    )
    parser.add_argument(
        '--cell', type=int, default=320, metavar='PX', help='width of a cell (default: %(default)s)'
    )
    parser.add_argument('--only', nargs='+', metavar='SEQUENCE', help='sequences to choose from')
    parser.add_argument(
        '--single', action='store_true', help='also write a picture for each sequence'
    )
    out = parser.add_argument(
        '--out',
        metavar='DIR',
        default='work_dirs/browse_failures',
        help='folder for failures.png and failures.csv (default: %(default)s)',
    )
    add_old_option(parser, '--out-dir', out)
    args = parser.parse_args(argv)
    if min(args.sequences, args.frames, args.gap) < 1 or args.cell < 64:
        parser.error('--sequences, --frames and --gap must be at least 1, --cell at least 64')
    return args


def run(args: argparse.Namespace) -> None:
    """Score, choose, draw and write."""
    dataset = build_dataset(read_plain_config(args), args.config)
    (folder,), tracks = open_results([args.results], dataset, args.common)
    tracks = select_tracks(dataset, tracks, args.only)
    masks = folder.has_masks and has_masks(dataset)
    if args.by in ('J', 'F') and not masks:
        raise ValueError(
            f'--by {args.by} needs masks, which the dataset or the results lack; say --by iou'
        )
    by = args.by or ('J' if masks else 'iou')
    scores = score_frames(dataset, folder, tracks, masks, args.workers)
    failures = worst_sequences(scores, by, args.sequences, args.frames, args.gap)
    if not failures:
        raise ValueError(f'no frame of the sequences has a figure {by}')
    write(failures, dataset, folder, by, args)


def select_tracks(
    dataset: BaseTrackDataset, tracks: Sequence[int], names: Sequence[str] | None
) -> list[int]:
    """The tracks of these names.

    Raises:
        ValueError: If there is no such track.
    """
    if names is None:
        return list(tracks)
    by_name = {dataset.get_track(index).video_name: index for index in tracks}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f'there is no sequence {", ".join(unknown)}; see {dataset.data_root}')
    return [by_name[name] for name in names]


def score_frames(
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    tracks: Sequence[int],
    masks: bool,
    workers: int,
) -> list[tuple[Summary, dict[str, NDArray[np.float64]]]]:
    """Each track with the figures of its frames; the frame in which the target is given has none."""
    metrics = [OPEMetric(), DavisMetric(skip_last=False)] if masks else [OPEMetric()]
    scored = score_results(dataset, folder, metrics, masks, tracks, workers)
    found = []
    for of_track in zip(*scored, strict=True):
        frames = {
            name: values for summary in of_track for name, values in summary['frames'].items()
        }
        values = {name: np.array(frames[name], float) for name in MEASURES if name in frames}
        values['iou'][0] = math.nan
        found.append((of_track[0], values))
    return found


def worst_sequences(
    scores: Sequence[tuple[Summary, dict[str, NDArray[np.float64]]]],
    by: str,
    sequences: int,
    frames: int,
    gap: int,
) -> list[Failure]:
    """The sequences with the lowest means, the lowest first, each with its worst frames."""
    failures = []
    for summary, values in scores:
        mean = mean_of_known(values[by].tolist())
        if not math.isnan(mean):
            chosen = worst_frames(values[by], frames, gap)
            name = summary['video_name']
            failures.append(Failure(summary['video_id'], name, mean, values, chosen))
    return sorted(failures, key=lambda failure: failure.mean)[:sequences]


def worst_frames(values: NDArray[np.float64], count: int, gap: int) -> list[int]:
    """Frames with the lowest values, any two at least ``gap`` apart, in order of time.

    Args:
        values: (T,) figure of each frame, NaN where it has none.
        count: How many frames at most.
        gap: Least distance of two frames.

    Returns:
        The frames.
    """
    chosen: list[int] = []
    order = np.argsort(values, kind='stable')
    for frame in order[: np.count_nonzero(~np.isnan(values))].tolist():
        if all(abs(frame - other) >= gap for other in chosen):
            chosen.append(frame)
        if len(chosen) == count:
            break
    return sorted(chosen)


def write(
    failures: Sequence[Failure],
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    by: str,
    args: argparse.Namespace,
) -> None:
    """The sheet, the table and, if wanted, a picture a sequence."""
    out_dir = Path(args.out)
    out_dir.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, failure in enumerate(progress_bar(failures, desc='drawing', unit='video'), start=1):
        replay = TrackReplay(dataset, failure.track_id, folder)
        pictures, captions = draw_row(failure, replay, by, args)
        row = contact_sheet(pictures, args.frames + 2, captions)
        rows.append(row)
        if args.single:
            save(row, out_dir / f'{number:03d}_{failure.name.replace("/", "_")}.png')
    save(np.vstack(rows), out_dir / 'failures.png')
    header = ['sequence', 'frame', *failures[0].values, 'score', 'image']
    table = [line for failure in failures for line in table_lines(failure, dataset, folder)]
    write_csv(out_dir / 'failures.csv', header, table)
    print(text_table(header[:-1], [line[:-1] for line in table]))
    print(f'{len(failures)} sequences by {by}; sheet and table: {out_dir}')


def table_lines(
    failure: Failure, dataset: BaseTrackDataset, folder: ResultFolder
) -> Iterator[list[str | int | float]]:
    """Figures of the frames shown."""
    track = dataset.get_track(failure.track_id)
    scores = folder.read(failure.name, track.frames).scores
    for frame in failure.frames:
        figures = [float(values[frame]) for values in failure.values.values()]
        score = float(scores[frame])
        yield [failure.name, frame, *figures, score, track.frames[frame]]


def draw_row(
    failure: Failure, replay: TrackReplay, by: str, args: argparse.Namespace
) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Cells of a sequence and their captions: the course, the first frame, the worst frames."""
    cells, captions = [], []
    for frame in [0, *failure.frames]:
        cells.append(draw_cell(replay[frame], args.cell, true_box=by == 'iou'))
        captions.append(describe(failure, replay[frame]))
    height = cells[0].shape[0]
    blank = np.full((height, args.cell, 3), SHEET_BACKGROUND, np.uint8)
    spare = args.frames - len(failure.frames)
    course = draw_course(failure, by, (args.cell, height))
    means = ', '.join(
        f'{name} {_short(mean_of_known(values.tolist()))}'
        for name, values in failure.values.items()
    )
    return [course, *cells, *[blank] * spare], [f'means: {means}', *captions, *[''] * spare]


def describe(failure: Failure, frame: TrackFrame) -> str:
    """Number and figures of a frame."""
    if frame.frame_id == 0:
        return 'frame 0: the target'
    figures = [
        f'{name} {_short(values[frame.frame_id])}'
        for name, values in failure.values.items()
        if not math.isnan(values[frame.frame_id])
    ]
    if frame.annotated and frame.gt_box is None:
        figures.append('target absent')
    figures.append('nothing found' if frame.box is None else f'score {_short(frame.score)}')
    return f'frame {frame.frame_id}: {", ".join(figures)}'


def draw_cell(frame: TrackFrame, width: int, true_box: bool = False) -> NDArray[np.uint8]:
    """The part of a frame that holds truth and answer, both drawn in.

    Args:
        frame: The frame.
        width: Width of the picture in pixels.
        true_box: Whether to draw the true box where there is a true mask, too.

    Returns:
        The picture, in the proportions of the frame.
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
        return ((np.asarray(points).reshape(-1, 2) - (x1, y1) + 0.5) * zoom - 0.5).reshape(
            np.shape(points)
        )

    def shown_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.resize(mask[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_NEAREST)

    if frame.mask is not None:
        cell = draw_mask(cell, shown_mask(frame.mask), PREDICTION_COLOR, alpha=0.3)
    if frame.gt_mask is not None:
        cell = draw_mask_contour(cell, shown_mask(frame.gt_mask), GROUND_TRUTH_COLOR)
    if frame.gt_box is not None and (true_box or frame.gt_mask is None):
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
    """The ranking figure over the frames, those shown marked, under the sequence's name."""
    width, height = size
    picture = np.full((height, width, 3), SHEET_BACKGROUND, np.uint8)
    left, right, top, bottom = 34, width - 8, 44, height - 22
    values = failure.values[by]
    x = left + (right - left) * np.arange(len(values)) / max(1, len(values) - 1)
    y = bottom - (bottom - top) * values
    for level in (0, 0.5, 1):
        row = round(bottom - (bottom - top) * level)
        cv2.line(picture, (left, row), (right, row), _GRID_COLOR, 1)
        _write(picture, f'{level:g}', (4, row + 4), 0.36)
    for points in _unbroken(x, y):
        cv2.polylines(picture, [points], False, PREDICTION_COLOR, 1, cv2.LINE_AA)
    for frame in failure.frames:
        point = (round(x[frame]), round(y[frame]))
        cv2.circle(picture, point, 3, _MARK_COLOR, cv2.FILLED, cv2.LINE_AA)
    _write(picture, failure.name, (6, 18), 0.5)
    _write(picture, f'{by} {_short(failure.mean)}', (6, 36), 0.42)
    last = str(len(values) - 1)
    _write(picture, '0', (left, height - 6), 0.36)
    _write(picture, last, (right - 7 * len(last), height - 6), 0.36)
    return picture


def _unbroken(x: NDArray, y: NDArray) -> Iterator[NDArray[np.int32]]:
    """Runs of points without NaN, each (N, 1, 2)."""
    known = np.flatnonzero(~np.isnan(y))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if run.size:
            yield np.rint(np.stack([x[run], y[run]], axis=1)).astype(np.int32)[:, None]


def _write(picture: NDArray[np.uint8], text: str, place: tuple[int, int], scale: float) -> None:
    width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1, (picture.shape[1] - place[0] - 2) / max(width, 1))
    cv2.putText(picture, text, place, _FONT, scale, SHEET_TEXT_COLOR, 1, cv2.LINE_AA)


def _short(value: float) -> str:
    """Two digits, without the zero before the point."""
    return '-' if math.isnan(value) else f'{value:.2f}'.removeprefix('0')


def save(picture: NDArray[np.uint8], path: Path) -> None:
    if not cv2.imwrite(str(path), picture):
        raise OSError(f'cannot write {path}; is the disk full?')


if __name__ == '__main__':
    main()
