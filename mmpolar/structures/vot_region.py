"""Target regions as the VOT challenge writes them: rectangles, polygons and run-length masks.

A region keeps the coordinates of its file, which start at the corner of the first pixel: the pixel
in column 0 and row 0 is the square from (0, 0) to (1, 1). Boxes and masks that come out of here
follow mmpolar: pixel centres at integers.
"""

import re
from dataclasses import dataclass

import numpy as np

from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box, rasterize_polygon
from mmpolar.structures.rle import decode_runs, encode_runs
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image_limits import MAX_COORDINATE, check_coordinates

_SEPARATORS = re.compile(r'[,\s]+')
_NO_BOX = np.full(4, np.nan)


@dataclass(frozen=True)
class Rectangle:
    """An upright rectangle: left upper corner, width and height in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Polygon:
    """A polygon: vertices of shape (V, 2), float64 (x, y) in pixels, V at least 3."""

    points: np.ndarray


@dataclass(frozen=True)
class MaskRegion:
    """A mask: ``mask`` of shape (h, w), uint8 0/1, whose first pixel is column ``x``, row ``y``."""

    x: int
    y: int
    mask: np.ndarray


@dataclass(frozen=True)
class Special:
    """No region but a code: 0 unknown or absent, 1 start, 2 failure."""

    code: int


Region = Rectangle | Polygon | MaskRegion | Special


def parse_region(text: str) -> Region:
    """Read one line of a VOT file.

    Args:
        text: ``x,y,width,height``; ``x1,y1,x2,y2,x3,y3,...`` with at least three vertices;
            ``mx,y,width,height,run,run,...``, the mask's rectangle and the lengths of the runs of
            zeros and ones in turn, row by row, zeros first; or a single code. Commas, tabs and
            spaces separate.

    Returns:
        The region.

    Raises:
        ValueError: If the text is none of these, or a number is infinite or beyond
            ``MAX_COORDINATE``.
    """
    text = text.strip()
    if text.startswith('m'):
        return _parse_mask(text)
    values = [float(part) for part in _SEPARATORS.split(text) if part]
    check_coordinates([value for value in values if value == value], 'the numbers')  # NaN may be
    if len(values) == 4:
        return Rectangle(*values)
    if len(values) == 1:
        return Special(int(values[0]) if np.isfinite(values[0]) else 0)
    if len(values) >= 6 and len(values) % 2 == 0:
        return Polygon(np.array(values).reshape(-1, 2))
    raise ValueError(
        'expected 4 numbers (x, y, width, height), 6, 8 or more (corners), a mask (m...) or a '
        f'code, got {len(values)} numbers in "{text[:60]}"'
    )


def format_region(region: Region) -> str:
    """One line of a VOT file that :func:`parse_region` reads as the same region."""
    if isinstance(region, MaskRegion):
        height, width = region.mask.shape
        numbers = [region.x, region.y, width, height, *encode_runs(region.mask).tolist()]
        return 'm' + ','.join(str(number) for number in numbers)
    if isinstance(region, Special):
        return str(region.code)
    if isinstance(region, Rectangle):
        values = (region.x, region.y, region.width, region.height)
    else:
        values = region.points.ravel()
    return ','.join(np.format_float_positional(value, trim='-') for value in values)


def region_box(region: Region) -> np.ndarray:
    """Upright box of a region.

    The box of a polygon is the smallest upright box around its vertices, as VOT's toolkit converts
    it; the box of a mask is the smallest around its pixels.

    Args:
        region: The region.

    Returns:
        Box of shape (4,), float64 xyxy, pixel centres at integers; NaN where there is no target.
    """
    if isinstance(region, Rectangle):
        x, y = region.x - HALF_PIXEL, region.y - HALF_PIXEL
        return np.array([x, y, x + region.width, y + region.height])
    if isinstance(region, Polygon) and np.isfinite(region.points).all():
        corners = region.points - HALF_PIXEL
        return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    if isinstance(region, MaskRegion) and region.mask.any():
        box = mask_to_box(region.mask).astype(np.float64)
        return box + [region.x, region.y, region.x, region.y]
    return _NO_BOX.copy()


def region_mask(region: Region, size: tuple[int, int]) -> np.ndarray:
    """Mask of a region in its frame.

    Args:
        region: The region. A pixel belongs to a rectangle or polygon when its centre lies inside.
        size: Height and width of the frame in pixels; what lies outside is cut off.

    Returns:
        Mask of shape (H, W), uint8 0/1; empty for a :class:`Special` region and for NaN.
    """
    if isinstance(region, Rectangle):
        x2, y2 = region.x + region.width, region.y + region.height
        corners = [(region.x, region.y), (x2, region.y), (x2, y2), (region.x, y2)]
        region = Polygon(np.array(corners, dtype=np.float64))
    if isinstance(region, Polygon) and np.isfinite(region.points).all():
        return rasterize_polygon(region.points - HALF_PIXEL, size)
    canvas = np.zeros(size, dtype=np.uint8)
    if isinstance(region, MaskRegion):
        _paste(canvas, region)
    return canvas


def mask_to_region(mask: np.ndarray) -> MaskRegion:
    """The part of a frame's mask that holds all its pixels.

    Args:
        mask: Mask of shape (H, W), bool or uint8, non-zero inside.

    Returns:
        The region; 0 x 0 pixels for an empty mask.
    """
    box = mask_to_box(mask)
    if box is None:
        return MaskRegion(0, 0, np.zeros((0, 0), dtype=np.uint8))
    x1, y1, x2, y2 = (box + HALF_PIXEL).astype(int).tolist()
    return MaskRegion(x1, y1, (mask[y1:y2, x1:x2] != 0).astype(np.uint8))


def result_region(result: TrackResult, kind: str) -> Rectangle | MaskRegion:
    """A tracker's answer as a region.

    Args:
        result: The answer; with a mask, if that is wanted.
        kind: ``'box'`` or ``'mask'``.

    Returns:
        Of a lost target the last box, as the challenges with boxes ask for one in every frame, or an
        empty mask, which says in VOTS that the target is absent.
    """
    if kind == 'box':
        return Rectangle(*to_corner_xywh(result.box).tolist())
    return mask_to_region(result.mask)


def result_confidence(result: TrackResult) -> float:
    """How sure a tracker is of its answer, in [0, 1], as VOT's long-term challenges rank frames by it.

    Of a lost target it is 0, so that no threshold counts it as reported before one that was found.
    """
    return result.score if result.visible else 0.0


def _parse_mask(text: str) -> MaskRegion:
    try:
        values = [int(part) for part in _SEPARATORS.split(text[1:].strip()) if part]
    except ValueError as error:
        raise ValueError(f'a mask must be whole numbers after the "m": {error}') from error
    if len(values) < 4 or min(values[2:4]) < 0 or max(map(abs, values[:2])) > MAX_COORDINATE:
        raise ValueError(f'a mask must start with x, y, width, height, got "{text[:60]}"')
    x, y, width, height = values[:4]
    return MaskRegion(x, y, decode_runs(values[4:], (height, width)))


def _paste(canvas: np.ndarray, region: MaskRegion) -> None:
    """Put the part of a mask that lies in the frame where it belongs."""
    height, width = region.mask.shape
    x1, y1 = max(region.x, 0), max(region.y, 0)
    x2 = max(min(region.x + width, canvas.shape[1]), x1)
    y2 = max(min(region.y + height, canvas.shape[0]), y1)
    canvas[y1:y2, x1:x2] = region.mask[y1 - region.y : y2 - region.y, x1 - region.x : x2 - region.x]
