"""What a tracker found in a frame, to and from the forms that other programs use.

A frame's results are a list of :class:`TrackResult`, with a number each that tells the targets apart.
Pixel centres are integers here; elsewhere pixel corners are, and the functions convert. Forms of others
have no word for a lost target: it is left out there, and :func:`to_arrays` keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.rle import decode_rle, encode_rle
from mmpolar.structures.track_result import TrackResult

if TYPE_CHECKING:
    import supervision

#: Results of the targets that are visible in a frame, by their numbers.
Found = dict[int, TrackResult]
_MOT_COLUMNS = 10


def to_arrays(results: Sequence[TrackResult]) -> dict[str, NDArray]:
    """Arrays of all targets, also lost ones.

    Returns:
        ``boxes`` (N, 4) float32 xyxy, ``scores`` (N,) float64, ``visible`` (N,) bool; ``polygons``
        (N, n, 2) float32, NaN for a target without one, and ``masks`` (N, H, W) uint8, where the
        tracker gives them.

    Example:
        >>> import numpy as np
        >>> from mmpolar.structures.result_formats import from_arrays, to_arrays
        >>> from mmpolar.structures.track_result import TrackResult
        >>> arrays = to_arrays([TrackResult(np.array([1, 2, 3, 4], np.float32), 0.5)])
        >>> arrays['boxes'].shape
        (1, 4)
        >>> from_arrays(arrays)[0].score
        0.5
    """
    arrays = dict(
        boxes=np.array([result.box for result in results], np.float32).reshape(-1, 4),
        scores=np.array([result.score for result in results], np.float64),
        visible=np.array([result.visible for result in results], bool),
    )
    known = [result.polygon for result in results if result.polygon is not None]
    if known:
        gap = np.full_like(known[0], np.nan)
        arrays['polygons'] = np.stack(
            [gap if result.polygon is None else result.polygon for result in results]
        )
    if results and all(result.mask is not None for result in results):
        arrays['masks'] = np.stack([result.mask for result in results])
    return arrays


def from_arrays(arrays: Mapping[str, NDArray]) -> list[TrackResult]:
    """The results of which :func:`to_arrays` made arrays; ``boxes`` and ``scores`` are enough."""
    count = len(arrays['boxes'])
    polygons = arrays.get('polygons', [None] * count)
    masks = arrays.get('masks', [None] * count)
    visible = arrays.get('visible', np.ones(count, bool))
    return [
        TrackResult(
            np.asarray(box, np.float32),
            float(score),
            None if polygon is None or np.isnan(polygon).any() else polygon,
            mask,
            bool(seen),
        )
        for box, score, polygon, mask, seen in zip(
            arrays['boxes'], arrays['scores'], polygons, masks, visible, strict=True
        )
    ]


def to_supervision(
    results: Sequence[TrackResult], ids: Sequence[int] | None = None
) -> 'supervision.Detections':
    """``supervision.Detections`` of the visible targets, for its annotators, zones and counters.

    Args:
        results: Results of a frame.
        ids: Number of each target, which becomes its ``tracker_id``; 1, 2, ... by default.

    Raises:
        ImportError: If supervision is not installed.
    """
    from supervision import Detections

    numbers, shown = _visible(results, ids)
    arrays = to_arrays(shown)
    data = dict(polygon=arrays['polygons']) if 'polygons' in arrays else {}
    return Detections(
        xyxy=arrays['boxes'] + np.float32(HALF_PIXEL),
        mask=arrays['masks'] != 0 if 'masks' in arrays else None,
        confidence=arrays['scores'],
        class_id=np.zeros(len(shown), int),
        tracker_id=np.array(numbers, int),
        data=data,
    )


def from_supervision(detections: 'supervision.Detections') -> Found:
    """Results by number from ``supervision.Detections``: those of a tracker, or of any detector.

    What has no ``tracker_id`` is numbered 1, 2, ...; what has no confidence has the score 1.
    """
    count = len(detections)
    ids = detections.tracker_id
    arrays = dict(
        boxes=np.asarray(detections.xyxy, np.float32) - np.float32(HALF_PIXEL),
        scores=np.ones(count) if detections.confidence is None else detections.confidence,
    )
    if detections.mask is not None:
        arrays['masks'] = np.asarray(detections.mask).astype(np.uint8)
    if 'polygon' in detections.data:
        arrays['polygons'] = np.asarray(detections.data['polygon'], np.float32)
    numbers = range(1, count + 1) if ids is None else [int(number) for number in ids]
    return dict(zip(numbers, from_arrays(arrays), strict=True))


def to_coco(
    results: Sequence[TrackResult],
    image_id: int,
    ids: Sequence[int] | None = None,
    category_id: int = 1,
) -> list[dict[str, Any]]:
    """Results in COCO's format: an entry for each visible target, its mask in run lengths.

    Args:
        results: Results of a frame.
        image_id: Number of the frame in the file.
        ids: Number of each target, which becomes its ``track_id``; 1, 2, ... by default.
        category_id: Category of all of them.
    """
    entries = []
    for number, result in zip(*_visible(results, ids), strict=True):
        entry = dict(
            image_id=image_id,
            category_id=category_id,
            track_id=number,
            bbox=_corner_box(result),
            score=round(float(result.score), 5),
        )
        if result.mask is not None:
            entry['segmentation'] = encode_rle(result.mask)
        entries.append(entry)
    return entries


def from_coco(entries: Iterable[Mapping[str, Any]]) -> dict[int, Found]:
    """Results by image and number from entries in COCO's format: a tracker's or a detector's.

    What has no ``track_id`` is numbered 1, 2, ... in its image. Polygons are left out.
    """
    found: dict[int, Found] = {}
    for entry in entries:
        image = found.setdefault(int(entry['image_id']), {})
        segmentation = entry.get('segmentation')
        mask = decode_rle(segmentation) if isinstance(segmentation, Mapping) else None
        number = int(entry.get('track_id', len(image) + 1))
        box = _box_from_corners(entry['bbox'])
        image[number] = TrackResult(box, float(entry.get('score', 1.0)), mask=mask)
    return found


def to_mot(results: Sequence[TrackResult], frame: int, ids: Sequence[int] | None = None) -> str:
    """Lines of a file of MOTChallenge: frame, number, left, top, width, height, score, -1, -1, -1.

    Args:
        results: Results of a frame.
        frame: Index of the frame from 0; in the file it is counted from 1.
        ids: Number of each target; 1, 2, ... by default.
    """
    lines = []
    for number, result in zip(*_visible(results, ids), strict=True):
        sides = ','.join(f'{side:.2f}' for side in _corner_box(result))
        lines.append(f'{frame + 1},{number},{sides},{float(result.score):.4f},-1,-1,-1\n')
    return ''.join(lines)


def from_mot(text: str) -> dict[int, Found]:
    """Results by frame, counted from 0, and number from the text of a file of MOTChallenge.

    Detections, whose number is -1 there, are numbered 1, 2, ... in their frame.

    Raises:
        ValueError: If a line is not of numbers, or has fewer than six.
    """
    found: dict[int, Found] = {}
    for count, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split(',')][:_MOT_COLUMNS]
            frame, number, *box = values[:6]
            result = TrackResult(_box_from_corners(box), values[6] if len(values) > 6 else 1.0)
        except ValueError as error:
            raise ValueError(
                f'line {count} is not frame,id,left,top,width,height,...: {line!r}'
            ) from error
        targets = found.setdefault(int(frame) - 1, {})
        targets[len(targets) + 1 if number < 0 else int(number)] = result
    return found


def to_json(results: Sequence[TrackResult], ids: Sequence[int] | None = None) -> list[dict]:
    """Everything that is known of each target, also a lost one, in values that JSON has.

    Boxes are x1, y1, x2, y2 and polygons x, y with integers at pixel centres, masks run lengths.
    """
    return [
        dict(
            id=number,
            box=_shortest(result.box),
            score=round(float(result.score), 7),
            visible=bool(result.visible),
            polygon=None if result.polygon is None else _rounded(result.polygon, 2),
            mask=None if result.mask is None else encode_rle(result.mask),
        )
        for number, result in zip(_numbers(results, ids), results, strict=True)
    ]


def from_json(entries: Iterable[Mapping[str, Any]]) -> Found:
    """Results by number of which :func:`to_json` made plain values."""
    return {
        int(entry['id']): TrackResult(
            np.array(entry['box'], np.float32),
            float(entry['score']),
            None if entry['polygon'] is None else np.array(entry['polygon'], np.float32),
            None if entry['mask'] is None else decode_rle(entry['mask']),
            bool(entry['visible']),
        )
        for entry in entries
    }


def _numbers(results: Sequence[TrackResult], ids: Sequence[int] | None) -> list[int]:
    return list(range(1, len(results) + 1)) if ids is None else [int(number) for number in ids]


def _visible(
    results: Sequence[TrackResult], ids: Sequence[int] | None
) -> tuple[list[int], list[TrackResult]]:
    pairs = zip(_numbers(results, ids), results, strict=True)
    shown = [(number, result) for number, result in pairs if result.visible]
    return [number for number, _ in shown], [result for _, result in shown]


def _corner_box(result: TrackResult) -> list[float]:
    """Left, top, width, height, pixel corners at integers."""
    x1, y1, x2, y2 = (float(side) + HALF_PIXEL for side in result.box)
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def _box_from_corners(box: Sequence[float]) -> NDArray[np.float32]:
    left, top, width, height = box
    return np.array([left, top, left + width, top + height], np.float32) - np.float32(HALF_PIXEL)


def _shortest(values: NDArray) -> list[float]:
    """Numbers with as few digits as give the same float32 again."""
    return [float(np.format_float_positional(v)) for v in np.asarray(values, np.float32)]


def _rounded(values: NDArray, digits: int) -> list:
    return np.round(np.asarray(values, np.float64), digits).tolist()
