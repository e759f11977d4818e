"""Polar contours: masks and polygons to radii, radii back to points, polygons and masks.

From a pole ``n`` rays are cast, ray k at the angle ``2*pi*k/n`` from +x towards +y, and the target is
described by the distance along each ray to its contour. Coordinates are pixels, x right, y down, an
integer is a pixel centre: pixel (row i, column j) is the unit square centred at (x=j, y=i). The contour
of a mask is that of the union of its pixel squares, so a mask over columns 20..39 spans x in [19.5, 39.5].
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import TypeAlias

import cv2
import numpy as np

from mmpolar.structures.grid import HALF_PIXEL

MIN_RADIUS = 1e-3
CROSSINGS = ('farthest', 'nearest')

# A ray within this distance (px) of an edge's end meets it, so that no ray slips between two edges.
_TOUCH = 1e-9
# A pole within this distance (px) of the contour, measured along a ray, lies on it.
_ON_CONTOUR = 1e-6
# An edge that deviates from a ray by less than this angle (rad) runs along it.
_PARALLEL = 1e-6
# Rays and poles are worked through in blocks of about this many (line, edge) or (line, pole) pairs:
# temporaries of 64 KiB stay in cache and below the size from which malloc maps fresh pages each time.
_BLOCK = 8192
_MAX_POLES = 4096
# A polygon that crosses more rows of pixels than this is damaged: 160 MiB of crossings.
_MAX_CROSSINGS = 2**22

Edges: TypeAlias = tuple[np.ndarray, np.ndarray]
Polygons: TypeAlias = np.ndarray | Sequence[np.ndarray]


@lru_cache(maxsize=64, typed=True)
def ray_directions(n_rays: int) -> np.ndarray:
    """Unit direction (cos, sin) of every ray.

    Args:
        n_rays: Number n of rays, at least 3.

    Returns:
        Read-only float64 array of shape (n, 2). Rays along an axis are exactly 0 and +-1.

    Raises:
        ValueError: If ``n_rays`` is not an integer of at least 3.
    """
    try:
        count = index(n_rays)
    except TypeError:
        raise ValueError(f'n_rays must be an integer, got {n_rays!r}') from None
    if count < 3:
        raise ValueError(f'n_rays must be at least 3 to enclose an area, got {count}')
    angles = 2 * np.pi * np.arange(count) / count
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nearest = np.round(directions)
    directions = np.where(np.abs(directions - nearest) < 1e-12, nearest, directions)
    directions.setflags(write=False)
    return directions


def encode_radii(
    target: Polygons,
    poles: np.ndarray,
    n_rays: int = 36,
    crossing: str = 'farthest',
    min_radius: float = MIN_RADIUS,
) -> tuple[np.ndarray, np.ndarray]:
    """Distance from every pole to the target's contour along every ray.

    The contour is a closed set: a ray that only touches a corner, or runs along an edge, meets it, and a
    pole on the contour meets it at distance 0 along every ray. Holes and further components are part of
    the contour, and so is the image border where it cuts a mask. Poles may lie anywhere, also outside the
    mask or the image.

    Args:
        target: Mask of shape (H, W), bool or uint8 (non-zero is inside), or one polygon of shape (V, 2)
            in pixels (x, y), or a sequence of such polygons. Every edge of every polygon is contour.
            Polygons are told from masks by their dtype, which is neither bool nor uint8.
        poles: Start points of the rays in pixels, shape (P, 2) as (x, y). P may be 0.
        n_rays: Number n of rays, at least 3.
        crossing: Which point of the contour counts where a ray meets it more than once: ``'farthest'``
            or ``'nearest'`` from the pole.
        min_radius: Smallest radius given out, in pixels, above 0.

    Returns:
        ``radii``, float32 of shape (P, n) in pixels, at least ``min_radius``, and ``valid``, bool of shape
        (P, n). A ray that does not meet the contour, hence every ray of an empty mask, has the radius
        ``min_radius`` and is not valid.

    Raises:
        ValueError: If the target is neither mask nor polygon, has no pixels, or holds a polygon with
            fewer than 3 vertices; if a coordinate is not finite; or if an option is out of its range.
    """
    directions = ray_directions(n_rays)
    if crossing not in CROSSINGS:
        raise ValueError(f'crossing must be one of {CROSSINGS}, got {crossing!r}')
    if not 0 < min_radius < np.inf:
        raise ValueError(f'min_radius must be positive and finite, got {min_radius}')
    poles = _check_points(poles, 'poles')
    edges = _mask_edges(target) if _is_mask(target) else _polygon_edges(target)
    distances = _cast_rays(edges, poles, directions, crossing == 'farthest')
    valid = np.isfinite(distances)
    np.maximum(distances, min_radius, out=distances)
    distances[~valid] = min_radius
    return distances, valid


def decode_points(poles: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """End points of the rays, in order a closed polygon.

    Args:
        poles: Poles in pixels, shape (..., 2) as (x, y).
        radii: Radii in pixels, not negative, shape (..., n) with the same leading shape.

    Returns:
        Points of shape (..., n, 2), float32.

    Raises:
        ValueError: If the shapes do not fit, a value is not finite or a radius is negative.
    """
    poles, radii = np.asarray(poles, dtype=np.float64), _check_radii(radii)
    if poles.ndim < 1 or poles.shape != (*radii.shape[:-1], 2):
        raise ValueError(
            f'radii of shape {radii.shape} need poles of shape {(*radii.shape[:-1], 2)}, '
            f'got {poles.shape}'
        )
    if not np.isfinite(poles).all():
        raise ValueError('poles hold NaN or infinity; remove those first')
    directions = ray_directions(radii.shape[-1])
    points = poles[..., None, :] + radii[..., None] * directions
    return points.astype(np.float32)


def rasterize_polygon(polygon: Polygons, size: tuple[int, int]) -> np.ndarray:
    """Mask of a polygon: a pixel is inside when its centre is (even-odd rule).

    The area of the mask is unbiased: its expected value over shifts of the polygon is the polygon's area.
    ``cv2.fillPoly`` rounds the vertices to whole pixels, whatever its ``shift``, and also paints every
    pixel on an edge: it widens a shape by 0.45 px all around (measured on 72 vertices, 500 px).

    Args:
        polygon: Vertices in pixels, shape (V, 2) as (x, y), V at least 3, closed implicitly; or a sequence
            of such polygons, where what lies inside an even number of them is outside. Parts outside the
            frame are cut off. A pixel centre exactly on an edge is inside on the left and upper side of
            the shape, outside on the right and lower side, so that neighbours never share a pixel.
        size: Height and width of the mask in pixels.

    Returns:
        Mask of shape (height, width), uint8, 1 inside.

    Raises:
        ValueError: If a vertex is not finite, a polygon has fewer than 3 vertices or crosses more
            than four million rows of pixels, or the size is not two positive integers.
    """
    height, width = _check_size(size)
    toggles = _scanline_toggles(*_polygon_edges(polygon), height, width)
    # Every row toggles an even number of times, those right of the frame at its right end, so the parity
    # carries over from row to row as 0 and the frame is one alternation of runs.
    bounds = np.concatenate([[0], np.sort(toggles), [height * width]])
    inside = (np.arange(len(bounds) - 1) & 1).astype(np.uint8)
    return np.repeat(inside, np.diff(bounds)).reshape(height, width)


def polar_centerness(radii: np.ndarray) -> np.ndarray:
    """How central a pole lies: ``sqrt(min_k d_k / max_k d_k)``.

    Source: Xie et al., CVPR 2020, "PolarMask: Single Shot Instance Segmentation with Polar
    Representation", section "Polar Centerness".

    Args:
        radii: Radii in pixels, not negative, shape (..., n).

    Returns:
        Centerness in [0, 1], float32 of shape (...). Where all radii are 0 it is 0.

    Raises:
        ValueError: If ``radii`` has no ray, or a radius is negative or not finite.
    """
    radii = _check_radii(radii)
    largest = radii.max(axis=-1)
    ratio = np.divide(radii.min(axis=-1), largest, out=np.zeros_like(largest), where=largest > 0)
    return np.sqrt(ratio).astype(np.float32)


def mask_to_box(mask: np.ndarray) -> np.ndarray | None:
    """Smallest box around a mask's pixel squares.

    Args:
        mask: Shape (H, W), bool or uint8, non-zero is inside.

    Returns:
        Float32 ``[xmin - .5, ymin - .5, xmax + .5, ymax + .5]`` in pixels, or None for an empty mask.

    Raises:
        ValueError: If ``mask`` is not a two-dimensional bool or uint8 array with at least one pixel.
    """
    left, top, width, height = cv2.boundingRect(_check_mask(mask))
    if width == 0:
        return None
    return np.array([left, top, left + width, top + height], dtype=np.float32) - np.float32(
        HALF_PIXEL
    )


def mass_center(mask: np.ndarray) -> np.ndarray:
    """Mean position of a mask's pixels. It may lie outside a concave mask.

    Args:
        mask: Shape (H, W), bool or uint8, non-zero is inside.

    Returns:
        Float64 array (x, y) in pixels.

    Raises:
        ValueError: If the mask is empty or not a two-dimensional bool or uint8 array.
    """
    moments = cv2.moments(_check_mask(mask), binaryImage=True)
    if moments['m00'] == 0:
        raise ValueError('an empty mask has no mass centre; check for pixels first')
    return np.array([moments['m10'], moments['m01']]) / moments['m00']


def polar_ceiling(
    mask: np.ndarray,
    n_rays: int,
    crossing: str = 'farthest',
    pole: np.ndarray | None = None,
) -> float:
    """IoU that a perfect polar contour reaches with a mask: of the mask and its decoded encoding.

    A pole outside the mask is allowed. Rays that miss the mask then end at the pole (``MIN_RADIUS``), so
    the polygon spans from the pole to the mask and the IoU says what that costs.

    Args:
        mask: Shape (H, W), bool or uint8, non-zero is inside.
        n_rays: Number of rays, at least 3.
        crossing: ``'farthest'`` or ``'nearest'``, see :func:`encode_radii`.
        pole: Start of the rays (x, y) in pixels; the mass centre by default.

    Returns:
        IoU in [0, 1].

    Raises:
        ValueError: If the mask is empty or an argument is out of its range.
    """
    mask = _check_mask(mask)
    if not mask.any():
        raise ValueError('the polar ceiling of an empty mask is not defined; skip empty masks')
    poles = mass_center(mask)[None] if pole is None else np.atleast_2d(pole)
    if poles.shape != (1, 2):
        raise ValueError(f'pole must be one point (x, y), got shape {np.shape(pole)}')
    radii, _ = encode_radii(mask, poles, n_rays, crossing)
    decoded = rasterize_polygon(decode_points(poles, radii)[0], mask.shape)
    inside = mask > 0
    union = np.count_nonzero(inside | (decoded > 0))
    return np.count_nonzero(decoded[inside]) / union


def _is_mask(target: Polygons) -> bool:
    return isinstance(target, np.ndarray) and target.dtype in (np.bool_, np.uint8)


def _check_mask(mask: np.ndarray) -> np.ndarray:
    """Contiguous uint8 view of a mask."""
    mask = np.asarray(mask)
    if mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(
            f'a mask must be bool or uint8, got {mask.dtype}; compare it with a threshold first'
        )
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f'a mask must have shape (H, W) with H, W >= 1, got {mask.shape}')
    return np.ascontiguousarray(mask).view(np.uint8)


def _check_points(points: np.ndarray, name: str) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'{name} must have shape (count, 2) as (x, y), got {points.shape}')
    if not np.isfinite(points).all():
        raise ValueError(f'{name} hold NaN or infinity; remove those first')
    return points


def _check_radii(radii: np.ndarray) -> np.ndarray:
    radii = np.asarray(radii, dtype=np.float64)
    if radii.ndim < 1 or radii.shape[-1] == 0:
        raise ValueError(f'radii must have shape (..., n) with n >= 1, got {radii.shape}')
    if not (np.isfinite(radii).all() and (radii >= 0).all()):
        raise ValueError(
            'radii must be finite and not negative; clamp or remove those that are not'
        )
    return radii


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (index(side) for side in size)
    except (TypeError, ValueError):
        raise ValueError(f'size must be two integers (height, width), got {size!r}') from None
    if height < 1 or width < 1:
        raise ValueError(f'size must be at least 1 by 1, got {height} by {width}')
    return height, width


def _mask_edges(mask: np.ndarray) -> Edges:
    """Maximal straight runs of a mask's contour, as start and end points of shape (E, 2).

    A lattice point is an end of a horizontal and of a vertical run exactly when an odd number of the four
    pixels around it is inside. Along a row of lattice points these ends pair up in order, and likewise
    along a column.
    """
    mask = _check_mask(mask)
    left, top, width, height = cv2.boundingRect(mask)
    padded = np.zeros((height + 2, width + 2), dtype=bool)
    padded[1:-1, 1:-1] = mask[top : top + height, left : left + width]
    differs = padded[1:] ^ padded[:-1]
    rows, columns = np.divmod(np.flatnonzero(differs[:, 1:] ^ differs[:, :-1]), np.int64(width + 1))
    corners = np.stack([columns + left, rows + top], axis=1) - HALF_PIXEL
    by_column = corners[np.argsort(columns, kind='stable')]
    return (
        np.concatenate([corners[0::2], by_column[0::2]]),
        np.concatenate([corners[1::2], by_column[1::2]]),
    )


def _polygon_edges(target: Polygons) -> Edges:
    """Edges of one polygon or of several, as start and end points of shape (E, 2)."""
    polygons = [target] if isinstance(target, np.ndarray) else list(target)
    if not polygons:
        raise ValueError('got no polygon; pass at least one of shape (V, 2)')
    starts = [_check_polygon(polygon) for polygon in polygons]
    ends = [np.concatenate([vertices[1:], vertices[:1]]) for vertices in starts]
    return np.concatenate(starts), np.concatenate(ends)


def _check_polygon(polygon: np.ndarray) -> np.ndarray:
    shape = np.shape(polygon)
    if len(shape) != 2 or shape[1] != 2 or shape[0] < 3:
        raise ValueError(
            f'a polygon must have shape (V, 2) with V >= 3 vertices, got {shape}; '
            'a mask must be a bool or uint8 array'
        )
    return _check_points(polygon, 'polygon vertices')


def _cast_rays(
    edges: Edges, poles: np.ndarray, directions: np.ndarray, farthest: bool
) -> np.ndarray:
    """Float32 distances of shape (P, n); infinite where a ray meets no edge.

    With an even number of rays, ray k and ray k + n/2 share a line, which is searched once.
    """
    n_rays, n_poles = len(directions), len(poles)
    n_lines = n_rays if n_rays % 2 else n_rays // 2
    distances = np.full((2, n_lines, n_poles), -np.inf if farthest else np.inf, dtype=np.float32)
    block = max(1, _BLOCK // max(len(edges[0]), min(n_poles, _MAX_POLES), 1))
    for first_pole in range(0, n_poles if len(edges[0]) else 0, _MAX_POLES):
        some = slice(first_pole, first_pole + _MAX_POLES)
        for first_line in range(0, n_lines, block):
            lines = slice(first_line, min(first_line + block, n_lines))
            distances[:, lines, some] = _cast_lines(edges, poles[some], directions[lines], farthest)
    return np.ascontiguousarray(distances.reshape(2 * n_lines, n_poles)[:n_rays].T)


def _cast_lines(
    edges: Edges, poles: np.ndarray, directions: np.ndarray, farthest: bool
) -> np.ndarray:
    """Distances of shape (2, L, P), forward and backward along each of L directions.

    Everything is projected on each direction (u, along the rays) and its normal (v, across them): the
    line through a pole crosses the edges whose span of v holds the pole's v.
    """
    across = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    pole_u, pole_v = directions @ poles.T, across @ poles.T
    start_u, end_u = (directions @ points.T for points in edges)
    start_v, end_v = (across @ points.T for points in edges)

    middle, half = (start_v + end_v) / 2, np.abs(end_v - start_v) / 2 + _TOUCH
    order, edge, pole = _candidate_pairs(pole_v, middle - half, middle + half)
    pole_u, pole_v = pole_u.ravel()[order], pole_v.ravel()[order]
    kept = np.flatnonzero(np.abs(pole_v[pole] - middle.ravel()[edge]) <= half.ravel()[edge])
    edge, pole = edge[kept], pole[kept]

    delta_u, delta_v = end_u - start_u, end_v - start_v
    parallel = np.abs(delta_v) <= _PARALLEL * np.abs(delta_u)
    slope = delta_u / np.where(parallel, 1.0, delta_v)
    offset = start_u - slope * start_v
    signed = offset.ravel()[edge] + slope.ravel()[edge] * pole_v[pole] - pole_u[pole]
    if parallel.any():
        along = np.flatnonzero(parallel.ravel()[edge])
        ends = (points.ravel()[edge[along]] - pole_u[pole[along]] for points in (start_u, end_u))
        signed, pole = _add_runs_along_ray(signed, pole, along, *ends)

    found = _reduce_crossings(signed, pole, order.size, farthest)
    distances = np.empty_like(found)
    distances[:, order] = found
    return distances.reshape(2, *middle.shape[:1], len(poles))


def _candidate_pairs(
    pole_v: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of an edge and a pole whose v may lie within the edge's span [low, high].

    The poles of each line are sorted into bins of v. Binning is monotone, so the bins of a span's two ends
    enclose all its poles, plus a few that the caller drops. Looking bins up in a table costs a tenth of
    a binary search.

    Args:
        pole_v: Shape (L, P).
        low: Shape (L, E).
        high: Shape (L, E).

    Returns:
        ``order``, the flat (line, pole) indices by line and bin, shape (L * P,); and for each pair the
        flat (line, edge) index and the index of the pole in ``order``.
    """
    n_lines, n_poles = pole_v.shape
    n_bins = n_poles + n_poles // 2 + 1
    origin = pole_v.min(axis=1, keepdims=True)
    scale = (n_bins - 1) / max(np.max(pole_v - origin), 1.0)
    first_bin = np.arange(n_lines)[:, None] * n_bins

    # 16-bit keys (the blocks are small enough) make NumPy's stable sort a radix sort.
    keys = (((pole_v - origin) * scale).astype(np.int64) + first_bin).astype(np.uint16).ravel()
    order = np.argsort(keys, kind='stable')
    filled = np.zeros(n_lines * n_bins + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=n_lines * n_bins), out=filled[1:])

    low_bin = np.clip((low - origin) * scale, 0, n_bins).astype(np.int64)
    past_bin = np.clip((high - origin) * scale + 1, 0, n_bins).astype(np.int64)
    begin = filled[low_bin + first_bin].ravel()
    count = filled[past_bin + first_bin].ravel() - begin
    edge = np.repeat(np.arange(count.size), count)
    pole = (begin - np.cumsum(count) + count)[edge] + np.arange(edge.size)
    return order, edge, pole


def _add_runs_along_ray(
    signed: np.ndarray,
    pole: np.ndarray,
    along: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Let edges that run along their line count by both ends and by their point nearest the pole.

    Args:
        signed: Signed distances of all pairs, shape (M,), meaningless at ``along``.
        pole: Index of the pole of each pair in ``order``, shape (M,).
        along: Indices of the pairs whose edge runs along the line, shape (A,).
        start: Signed distance of those edges' start, shape (A,).
        end: Signed distance of those edges' end, shape (A,).
    """
    signed[along] = np.clip(0.0, np.minimum(start, end), np.maximum(start, end))
    again = pole[along]
    return np.concatenate([signed, start, end]), np.concatenate([pole, again, again])


def _reduce_crossings(
    signed: np.ndarray, pole: np.ndarray, n_poles: int, farthest: bool
) -> np.ndarray:
    """Largest or smallest distance per pole of each line, shape (2, n_poles): forward, then backward.

    A crossing at the pole itself belongs to both halves of the line.
    """
    distances = np.abs(signed)
    half_line = pole + (signed < 0) * n_poles
    at_pole = np.flatnonzero(distances <= _ON_CONTOUR)
    if at_pole.size:
        distances[at_pole] = 0
        other = (half_line[at_pole] + n_poles) % (2 * n_poles)
        half_line = np.concatenate([half_line, other])
        distances = np.concatenate([distances, np.zeros(at_pole.size)])
    found = np.full(2 * n_poles, -np.inf if farthest else np.inf)
    (np.maximum if farthest else np.minimum).at(found, half_line, distances)
    return found.reshape(2, n_poles)


def _scanline_toggles(starts: np.ndarray, ends: np.ndarray, height: int, width: int) -> np.ndarray:
    """Flat pixel indices from which inside and outside swap, one per edge and row of centres it crosses.

    An edge crosses the rows in [min y, max y): of two edges that meet on a row exactly one counts there,
    or both or none where the contour only touches the row.
    """
    falls = starts[:, 1] > ends[:, 1]
    upper = np.where(falls[:, None], ends, starts)
    lower = np.where(falls[:, None], starts, ends)
    first_row = np.clip(np.ceil(upper[:, 1]), 0, height).astype(np.int64)
    past_row = np.clip(np.ceil(lower[:, 1]), 0, height).astype(np.int64)
    count = past_row - first_row
    if count.sum() > _MAX_CROSSINGS:
        raise ValueError(
            f'a polygon crosses {count.sum():,} rows of pixels, more than {_MAX_CROSSINGS:,}; '
            'it is no contour'
        )
    crossing = np.flatnonzero(count)
    upper, lower, first_row, count = (a[crossing] for a in (upper, lower, first_row, count))

    slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    edge = np.repeat(np.arange(len(count)), count)
    row = (first_row - np.cumsum(count) + count)[edge] + np.arange(len(edge))
    x = upper[edge, 0] + (row - upper[edge, 1]) * slope[edge]
    return row * width + np.clip(np.ceil(x), 0, width).astype(np.int64)
