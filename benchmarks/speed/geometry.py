"""Polar targets, fillings and mask scores against plain implementations, on one core."""

import math
import time
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from benchmarks.speed import plain_geometry as plain
from benchmarks.speed.results import Part, Row, compare
from benchmarks.speed.timing import calls, interleave, once
from mmpolar.evaluation.functional import boundary_f, region_similarity
from mmpolar.structures.crop import score_locations
from mmpolar.structures.polar import decode_points, encode_radii, rasterize_polygon

OURS = 'mmpolar'
SEARCH_SIZE = 255
FILL_RAYS = 72
FILL_SIZE = 500
FILL_SHIFTS = 200
#: DAVIS's tolerance, as a share of the image diagonal.
TOLERANCE = 0.008
FRAME_SIZES = {'480p': (480, 854), '1080p': (1080, 1920)}
#: Frames of the validation set of DAVIS 2016, and shapes that stand for them.
DAVIS_FRAMES, DAVIS_SHAPES = 1376, 40


def measure_geometry(
    repeats: int,
    seed: int = 0,
    n_rays: int = 36,
    frame_sizes: Mapping[str, tuple[int, int]] = FRAME_SIZES,
    fill_size: int = FILL_SIZE,
    davis_frames: int = DAVIS_FRAMES,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure encoding, filling, J and F.

    Args:
        repeats: Rounds.
        seed: Seed of the shapes.
        n_rays: Rays of the encoded radii.
        frame_sizes: Height and width of the scored masks, by name.
        fill_size: Side of the frame that is filled.
        davis_frames: Frames of the dataset that is scored as a whole.
        tick: Called with the name of what is measured next.

    Returns:
        Tables, with how far the plain ways agree with ours as remarks.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        rows = [
            *_encode_rows(repeats, seed, n_rays, tick),
            *_fill_rows(repeats, seed, fill_size, tick),
            *_score_rows(repeats, seed, frame_sizes, tick),
            _data_set_row(repeats, seed, davis_frames, tick),
        ]
    finally:
        cv2.setNumThreads(threads)
    remark = (
        'one core; the loops over pixels, locations and rays run once a round. Wanted: encoding a '
        'solid target below 3 ms, filling 500 x 500 px below 1 ms, scoring DAVIS below 60 s'
    )
    return Part('geometry', rows=rows, remarks=[remark])


def _encode_rows(repeats: int, seed: int, n_rays: int, tick: Callable[[str], None]) -> list[Row]:
    """Radii of all locations of a score map that lie inside one target."""
    locations = score_locations(search_size=SEARCH_SIZE).reshape(-1, 2).astype(int)
    rows = []
    for shape, mask in search_masks(SEARCH_SIZE, seed).items():
        poles = locations[mask[locations[:, 1], locations[:, 0]] > 0]
        args = (mask, poles, n_rays, 'farthest')
        task = f'polar targets: {shape}, {len(poles)} locations, {n_rays} rays'
        tick(task)
        ways = {OURS: calls(encode_radii, *args), 'ray march': once(plain.march_radii, *args)}
        seconds = interleave(ways, repeats, warm_up=False)
        found = compare(task, seconds, {OURS: ['ray march']})
        close = np.abs(encode_radii(*args)[0] - plain.march_radii(*args)) <= 1
        found[0].remark = f'within 1 px of the march: {close.mean():.2%} of the rays'
        rows += found
    return rows


def _fill_rows(repeats: int, seed: int, side: int, tick: Callable[[str], None]) -> list[Row]:
    """The mask of one polygon."""
    size, polygon = (side, side), polar_polygon(FILL_RAYS, side, seed)
    task = f'mask of {FILL_RAYS} points in {side} x {side} px'
    tick(task)
    fast = {OURS: rasterize_polygon, 'cv2.fillPoly': plain.fill_shifted}
    ways = {name: calls(fill, polygon, size) for name, fill in fast.items()}
    ways['loop over pixels'] = once(plain.fill_by_pixel, polygon, size)
    seconds = interleave(ways, repeats, warm_up=False)
    rows = compare(task, seconds, {OURS: ['cv2.fillPoly', 'loop over pixels']})
    perimeter = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1).sum()
    for row, fill in zip(rows, fast.values(), strict=False):
        strip = area_bias(fill, polygon, size, seed) / perimeter
        unlike = np.count_nonzero(fill(polygon, size) != plain.fill_by_pixel(polygon, size))
        row.remark = (
            f'widens the shape by {strip:+.3f} px all around; {unlike} pixels unlike the loop'
        )
    return rows


def _score_rows(
    repeats: int,
    seed: int,
    frame_sizes: Mapping[str, tuple[int, int]],
    tick: Callable[[str], None],
) -> list[Row]:
    """J and F of two masks that differ a little."""
    rows = []
    for name, size in frame_sizes.items():
        pred, gt = mask_pair(size, seed)
        radius = math.ceil(TOLERANCE * math.hypot(*size))
        tick(f'J and F at {name}')
        seconds = interleave(
            {
                OURS: calls(region_similarity, pred, gt),
                'NumPy': calls(plain.j_by_numpy, pred, gt),
                'loop over pixels': once(plain.j_by_pixel, pred, gt),
            },
            repeats,
            warm_up=False,
        )
        rows += compare(f'J at {name}', seconds, {OURS: ['NumPy', 'loop over pixels']})
        _confirm('J', region_similarity(pred, gt), plain.j_by_numpy(pred, gt))
        seconds = interleave(
            {
                OURS: calls(boundary_f, pred, gt, TOLERANCE),
                'dilation by a disc': once(plain.f_by_dilation, pred, gt, radius),
                'all distances': once(plain.f_by_distance, pred, gt, radius),
            },
            repeats,
            warm_up=False,
        )
        rows += compare(f'F at {name}', seconds, {OURS: ['dilation by a disc', 'all distances']})
        _confirm('F', boundary_f(pred, gt, TOLERANCE), plain.f_by_dilation(pred, gt, radius))
    return rows


def _data_set_row(repeats: int, seed: int, n_frames: int, tick: Callable[[str], None]) -> Row:
    """J and F of a whole dataset at DAVIS's size, the decoding of both PNG files included."""
    size = FRAME_SIZES['480p']
    shares = np.linspace(0.15, 0.8, DAVIS_SHAPES)
    pairs = [mask_pair(size, seed + number, share) for number, share in enumerate(shares)]
    files = [[cv2.imencode('.png', mask)[1] for mask in pair] for pair in pairs]
    seconds = []
    for _ in range(repeats):
        tick(f'J and F of {n_frames} frames')
        begin = time.perf_counter()
        for number in range(n_frames):
            pair = files[number % len(files)]
            pred, gt = (cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) for file in pair)
            region_similarity(pred, gt)
            boundary_f(pred, gt, TOLERANCE)
        seconds.append(time.perf_counter() - begin)
    return Row(
        task=f'J and F of {n_frames} frames of {size[1]} x {size[0]} px, masks read from PNG',
        way=OURS,
        unit='s',
        values=seconds,
        remark=f'{DAVIS_SHAPES} targets, {shares[0]:.0%} to {shares[-1]:.0%} of the height, in turn',
    )


def _confirm(score: str, ours: float, theirs: float) -> None:
    """Times of different answers cannot be compared."""
    if not math.isclose(ours, theirs, rel_tol=1e-9):
        raise RuntimeError(f'{score} is {ours} by mmpolar but {theirs} the plain way')


def search_masks(size: int, seed: int) -> dict[str, np.ndarray]:
    """Targets in a search crop, from a few long edges to many short ones; uint8 of shape (size, size)."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:size, :size] - (size - 1) / 2
    distance = np.hypot(xx, yy) / size
    fine, coarse = (_smooth_noise(rng, size, size * share) for share in (0.008, 0.04))
    masks = {
        'disc over all': distance < 0.56,
        'object': distance < 0.28 + 0.05 * coarse,
        'ragged object': distance < 0.3 + 0.02 * fine,
        'blobs with holes': coarse > 0,
        'pocked all over': fine < 1.5,
    }
    return {name: mask.astype(np.uint8) for name, mask in masks.items()}


def mask_pair(
    size: tuple[int, int], seed: int, share: float = 1 / 3
) -> tuple[np.ndarray, np.ndarray]:
    """A wavy target of a share of the frame's height, and the same a few pixels off; uint8 (H, W)."""
    height, width = size
    contour = polar_polygon(FILL_RAYS, int(height * share), seed)
    contour = contour + np.array([width, height]) / 2 - height * share / 2
    return rasterize_polygon(contour + 0.01 * height, size), rasterize_polygon(contour, size)


def polar_polygon(n_rays: int, size: int, seed: int) -> np.ndarray:
    """Wavy star shape that fills a square frame up to a margin of 2 %, shape (n_rays, 2)."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * np.arange(n_rays) / n_rays
    radii = 1 + sum(0.08 * np.cos(order * angles + rng.uniform(0, 7)) for order in (2, 3, 5, 7))
    points = decode_points(np.zeros(2), radii).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - low) / (high - low) * 0.96 + 0.02) * size - 0.5


def area_bias(fill: Callable, polygon: np.ndarray, size: tuple[int, int], seed: int) -> float:
    """Mean number of pixels that ``fill`` paints beyond the polygon's area, over sub-pixel shifts."""
    rng = np.random.default_rng(seed)
    shifts = rng.uniform(-0.5, 0.5, size=(FILL_SHIFTS, 2))
    x, y = polygon.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return float(np.mean([fill(polygon + shift, size).sum() for shift in shifts]) - area)


def _smooth_noise(rng: np.random.Generator, size: int, sigma: float) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma)
    return noise / noise.std()
