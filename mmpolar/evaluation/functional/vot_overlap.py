"""Overlap of two regions of the VOT challenge: on the pixels, as its toolkit, or exactly."""

import numpy as np

from mmpolar.structures.vot_region import MaskRegion, Polygon, Rectangle, Region, Special

# x1, y1, x2, y2, the last pixel inside.
_Window = tuple[int, int, int, int]
_NOWHERE = (0, 0, 0, 0)


def pixel_overlap(pred: Region, gt: Region, size: tuple[int, int] | None = None) -> float:
    """Overlap of two regions as VOT's toolkit counts it, on whole pixels.

    Coordinates are rounded to whole pixels first. A polygon covers the pixels of its edges too, and
    x on an edge between two rows' crossings is cut to the pixel towards 0. Where the box around both
    regions is at most one pixel wide or high the overlap is 1, so that it is 1 for two empty ones.

    Args:
        pred: Predicted region.
        gt: True region.
        size: Height and width of the frame; what lies outside does not count. None for no bounds.

    Returns:
        Intersection over union in [0, 1].
    """
    pred, gt = _proper(pred), _proper(gt)
    first, second = _window(pred), _window(gt)
    x1, y1 = min(first[0], second[0]), min(first[1], second[1])
    x2, y2 = max(first[2], second[2]), max(first[3], second[3])
    if x1 >= x2 or y1 >= y2:
        return 1.0
    if size is not None:
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, size[1] - 1), min(y2, size[0] - 1)
        if x1 >= x2 or y1 >= y2:
            return 0.0
    masks = [_fill(region, (x1, y1, x2, y2)) for region in (pred, gt)]
    union = np.count_nonzero(masks[0] | masks[1])
    return np.count_nonzero(masks[0] & masks[1]) / union if union else 0.0


def exact_overlap(pred: Region, gt: Region, size: tuple[int, int] | None = None) -> float:
    """Overlap of two contours by their areas in the plane, without any rounding.

    Args:
        pred: Predicted rectangle or simple polygon.
        gt: True rectangle or convex polygon.
        size: Height and width of the frame, which both are cut to. None for no bounds.

    Returns:
        Intersection over union in [0, 1]; 0 where either is missing or empty, 1 where both are.

    Raises:
        TypeError: If one is a mask, which has no contour; use :func:`pixel_overlap`.
    """
    first, second = _corners(pred), _corners(gt)
    if size is not None:
        height, width = size
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
        first, second = clip_polygon(first, frame), clip_polygon(second, frame)
    areas = _area(first), _area(second)
    if min(areas) == 0:
        return float(areas[0] == areas[1])
    intersection = _area(clip_polygon(first, second))
    return min(intersection / (sum(areas) - intersection), 1.0)


def clip_polygon(subject: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Part of a polygon inside a convex one (Sutherland and Hodgman, CACM 1974).

    Args:
        subject: (V, 2) vertices of a simple polygon.
        window: (W, 2) vertices of a convex polygon, in either sense of rotation.

    Returns:
        (N, 2) vertices, none if nothing is left. Parts of a concave polygon that fall asunder stay
        joined by lines without area.
    """
    if _signed_area(window) < 0:
        window = window[::-1]
    for start, end in zip(window, np.roll(window, -1, axis=0), strict=True):
        if len(subject) == 0:
            break
        subject = _clip_half_plane(subject, start, end - start)
    return subject


def _proper(region: Region) -> Region:
    """The region with coordinates in single precision, as the toolkit holds them; NaN is no region."""
    if isinstance(region, Rectangle):
        values = np.array([region.x, region.y, region.width, region.height], dtype=np.float32)
        values = np.round(values).astype(np.float64)
        return Rectangle(*values.tolist()) if np.isfinite(values).all() else Special(0)
    if isinstance(region, Polygon):
        points = np.round(np.asarray(region.points, dtype=np.float32)).astype(np.float64)
        return Polygon(points) if np.isfinite(points).all() else Special(0)
    return region


def _window(region: Region) -> _Window:
    """First and last pixel of a region whose coordinates are whole."""
    if isinstance(region, Rectangle):
        x, y = int(region.x), int(region.y)
        return x, y, x + int(region.width) - 1, y + int(region.height) - 1
    if isinstance(region, Polygon):
        low, high = region.points.min(axis=0).astype(int), region.points.max(axis=0).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])
    if isinstance(region, MaskRegion):
        rows, columns = (np.flatnonzero(region.mask.any(axis=axis)) for axis in (1, 0))
        bounds = (columns[0], rows[0], columns[-1], rows[-1]) if rows.size else _NOWHERE
        offsets = (region.x, region.y, region.x, region.y)
        return tuple(int(b + offset) for b, offset in zip(bounds, offsets, strict=True))
    return _NOWHERE


def _fill(region: Region, window: _Window) -> np.ndarray:
    """Pixels of a region in a window, bool (y2 - y1 + 1, x2 - x1 + 1)."""
    x1, y1, x2, y2 = window
    canvas = np.zeros((y2 - y1 + 1, x2 - x1 + 1), dtype=bool)
    if isinstance(region, Rectangle):
        left, top, right, bottom = _window(region)
        canvas[
            max(top - y1, 0) : max(bottom - y1 + 1, 0), max(left - x1, 0) : max(right - x1 + 1, 0)
        ] = True
    elif isinstance(region, Polygon):
        _fill_polygon(canvas, region.points - [x1, y1])
    elif isinstance(region, MaskRegion):
        height, width = region.mask.shape
        top, left = max(region.y, y1), max(region.x, x1)
        bottom, right = (
            max(min(region.y + height, y2 + 1), top),
            max(min(region.x + width, x2 + 1), left),
        )
        part = region.mask[top - region.y : bottom - region.y, left - region.x : right - region.x]
        canvas[top - y1 : bottom - y1, left - x1 : right - x1] = part != 0
    return canvas


def _fill_polygon(canvas: np.ndarray, points: np.ndarray) -> None:
    """Paint the pixels between the crossings of each row with the polygon's edges, ends included."""
    height, width = canvas.shape
    nodes, counts = _row_crossings(points, height)
    rows = np.arange(height)
    steps = np.zeros((height, width + 1), dtype=np.int32)
    position = np.zeros(height, dtype=np.int64)
    # All rows step through their crossings together. Equal neighbours are one vertex, met twice.
    for _ in range(nodes.shape[1]):
        left = nodes[rows, np.minimum(position, nodes.shape[1] - 1)]
        right = nodes[rows, np.minimum(position + 1, nodes.shape[1] - 1)]
        active = (position < counts - 1) & (left < width)
        doubled = active & (left == right) & (position < counts - 2)
        filled = active & ~doubled & (right >= 0)
        np.add.at(steps, (rows[filled], left[filled].clip(min=0)), 1)
        np.add.at(steps, (rows[filled], right[filled].clip(max=width - 1) + 1), -1)
        position += np.where(doubled, 1, 2)
    canvas |= np.cumsum(steps, axis=1)[:, :-1] > 0


def _row_crossings(points: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns in which the edges meet each row, (height, V) sorted, and how many there are."""
    ends = np.roll(points, 1, axis=0)
    rows = np.arange(height)[:, None]
    (x, y), (end_x, end_y) = points.T, ends.T
    met = (rows >= np.minimum(y, end_y)) & (rows <= np.maximum(y, end_y))
    rise = end_y - y
    share = np.divide(rows - y, rise, out=np.zeros(met.shape), where=rise != 0)
    columns = np.trunc(x + share * (end_x - x)).astype(np.int64)
    far = np.iinfo(np.int64).max
    return np.sort(np.where(met, columns, far), axis=1), met.sum(axis=1)


def _corners(region: Region) -> np.ndarray:
    if isinstance(region, MaskRegion):
        raise TypeError('a mask has no contour to clip; use pixel_overlap for masks')
    if isinstance(region, Rectangle):
        (x1, y1), (x2, y2) = (
            (region.x, region.y),
            (region.x + region.width, region.y + region.height),
        )
        points = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], dtype=np.float64)
        points = points if region.width > 0 and region.height > 0 else np.zeros((0, 2))
    else:
        points = np.zeros((0, 2)) if isinstance(region, Special) else region.points
    return points if np.isfinite(points).all() else np.zeros((0, 2))


def _clip_half_plane(points: np.ndarray, start: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Part of a polygon on the left of a line (in x right, y up)."""
    offset = points - start
    side = along[0] * offset[:, 1] - along[1] * offset[:, 0]
    next_points, next_side = np.roll(points, -1, axis=0), np.roll(side, -1)
    inside, crossing = side >= 0, (side >= 0) != (next_side >= 0)
    gap = np.where(crossing, side - next_side, 1)
    cuts = points + (side / gap)[:, None] * (next_points - points)
    both = np.stack([points, cuts], axis=1)
    return both[np.stack([inside, crossing], axis=1)]


def _area(points: np.ndarray) -> float:
    return abs(_signed_area(points))


def _signed_area(points: np.ndarray) -> float:
    if len(points) < 3:
        return 0.0
    x, y = (points - points[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
