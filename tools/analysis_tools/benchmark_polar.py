"""Time the polar geometry against plain implementations, side by side in one run."""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from mmpolar.structures.polar import (
    CROSSINGS,
    decode_points,
    encode_radii,
    rasterize_polygon,
    ray_directions,
)

MARCH_STEP = 0.5
FILL_SHIFTS = 200

DESCRIPTION = """\
Time encoding and filling of polar outlines against plain implementations, in one run on one core.

encode  radii of all locations of a score map that lie inside one target, for both crossings, against a
        Python loop over locations and rays that marches along each ray in steps of half a pixel (which
        misses what is thinner than a step, hence the few rays that disagree).
fill    the mask of one polygon, against a loop over pixels that counts edges (even-odd) and against
        cv2.fillPoly, with the area that each paints too much. The bias is averaged over sub-pixel
        shifts and also given as the width of the strip that it adds along the outline.

The marks: encoding stays below 3 ms at 36 rays for solid targets, the worst case being one that covers
every location; filling 500 x 500 px stays below 1 ms. Times are medians; the loops run once."""

EPILOG = """\
examples:
  python tools/analysis_tools/benchmark_polar.py
  python tools/analysis_tools/benchmark_polar.py --rays 36 72 --repeats 200
  python tools/analysis_tools/benchmark_polar.py --search-size 511 --fill-size 1080"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--rays', type=int, nargs='+', default=[36], help='numbers of rays to encode (default: 36)'
    )
    parser.add_argument(
        '--search-size', type=int, default=255, help='side of the target mask in px (default: 255)'
    )
    parser.add_argument(
        '--score-size',
        type=int,
        default=25,
        help='locations per side of the score map (default: 25)',
    )
    parser.add_argument(
        '--stride', type=int, default=8, help='px between two locations (default: 8)'
    )
    parser.add_argument(
        '--fill-rays', type=int, default=72, help='vertices of the filled polygon (default: 72)'
    )
    parser.add_argument(
        '--fill-size', type=int, default=500, help='side of the filled polygon in px (default: 500)'
    )
    parser.add_argument(
        '--repeats', type=int, default=50, help='runs that each median is taken of (default: 50)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the shapes (default: 0)')
    args = parser.parse_args()
    for name in ('search_size', 'score_size', 'stride', 'fill_size', 'repeats'):
        if getattr(args, name) < 1:
            parser.error(
                f'--{name.replace("_", "-")} must be at least 1, got {getattr(args, name)}'
            )
    if min(*args.rays, args.fill_rays) < 3:
        parser.error('--rays and --fill-rays must be at least 3')
    return args


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    benchmark_encode(args)
    print()
    benchmark_fill(args)


def benchmark_encode(args: argparse.Namespace) -> None:
    """Print one line per shape, number of rays and crossing."""
    grid = (np.arange(args.score_size) - args.score_size // 2) * args.stride + args.search_size // 2
    locations = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    print(
        f'encode: {args.search_size} px mask, {len(locations)} locations, median of {args.repeats}'
    )
    header = f'{"shape":<22}{"inside":>7}{"rays":>6}  {"crossing":<10}{"mmpolar":>11}{"loop":>12}'
    print(f'{header}{"ratio":>8}  within 1 px of the loop')
    for name, mask in search_masks(args.search_size, args.seed).items():
        on_mask = np.all((locations >= 0) & (locations < args.search_size), axis=1)
        poles = locations[on_mask]
        poles = poles[mask[poles[:, 1], poles[:, 0]] > 0]
        for n_rays in args.rays:
            for crossing in CROSSINGS:
                ours = median_time(args.repeats, encode_radii, mask, poles, n_rays, crossing)
                radii, _ = encode_radii(mask, poles, n_rays, crossing)
                begin = time.perf_counter()
                marched = march_radii(mask, poles, n_rays, crossing)
                loop = time.perf_counter() - begin
                close = np.mean(np.abs(radii - marched) <= 1) if len(poles) else math.nan
                print(
                    f'{name:<22}{len(poles):>7}{n_rays:>6}  {crossing:<10}{ours * 1e3:>8.2f} ms'
                    f'{loop * 1e3:>9.0f} ms{loop / ours:>7.0f}x  {close:.2%}'
                )


def benchmark_fill(args: argparse.Namespace) -> None:
    """Print one line per way to fill one polygon."""
    size = (args.fill_size, args.fill_size)
    polygon = polar_polygon(args.fill_rays, args.fill_size, args.seed)
    ways = {
        'mmpolar': rasterize_polygon,
        'cv2.fillPoly, rounded': fill_rounded,
        'cv2.fillPoly, shift=8': fill_shifted,
    }
    times = {name: median_time(args.repeats, way, polygon, size) for name, way in ways.items()}
    begin = time.perf_counter()
    reference = fill_by_pixel(polygon, size)
    times = {'loop over pixels': time.perf_counter() - begin, **times}
    ways = {'loop over pixels': fill_by_pixel, **ways}

    area, perimeter = area_and_perimeter(polygon)
    print(
        f'fill: {args.fill_rays} vertices in {size[0]} x {size[1]} px, area {area:.0f} px, '
        f'median of {args.repeats}, bias over {FILL_SHIFTS} sub-pixel shifts'
    )
    print(
        f'{"":<24}{"time":>13}{"ratio":>9}{"bias of area":>20}{"strip":>12}  pixels unlike the loop'
    )
    for name, way in ways.items():
        unlike = np.count_nonzero(reference != way(polygon, size))
        line = f'{name:<24}{times[name] * 1e3:>10.3f} ms{times[name] / times["mmpolar"]:>8.1f}x'
        if name != 'loop over pixels':
            bias = area_bias(way, polygon, size, area, args.seed)
            line += f'{bias:>+9.1f} px ({bias / area:+.2%}){bias / perimeter:>+9.3f} px'
        else:
            line += f'{"-":>20}{"-":>12}'
        print(f'{line}  {unlike}')


def median_time(repeats: int, function: Callable, *args: object) -> float:
    """Median wall time of a call in seconds, after one call to warm up."""
    function(*args)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def search_masks(size: int, seed: int) -> dict[str, np.ndarray]:
    """Targets in a search crop, from a few long edges to many short ones; uint8 of shape (size, size)."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:size, :size] - (size - 1) / 2
    distance = np.hypot(xx, yy) / size
    fine, coarse = (smooth_noise(rng, size, size * share) for share in (0.008, 0.04))
    masks = {
        'whole crop': distance < 1,
        'disc over all': distance < 0.56,
        'object': distance < 0.28 + 0.05 * coarse,
        'ragged object': distance < 0.3 + 0.02 * fine,
        'blobs with holes': coarse > 0,
        'pocked all over': fine < 1.5,
    }
    return {name: mask.astype(np.uint8) for name, mask in masks.items()}


def smooth_noise(rng: np.random.Generator, size: int, sigma: float) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma)
    return noise / noise.std()


def polar_polygon(n_rays: int, size: int, seed: int) -> np.ndarray:
    """Wavy star shape that fills a square frame up to a margin of 2 %, shape (n_rays, 2)."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * np.arange(n_rays) / n_rays
    radii = 1 + sum(0.08 * np.cos(order * angles + rng.uniform(0, 7)) for order in (2, 3, 5, 7))
    points = decode_points(np.zeros(2), radii).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - low) / (high - low) * 0.96 + 0.02) * size - 0.5


def march_radii(mask: np.ndarray, poles: np.ndarray, n_rays: int, crossing: str) -> np.ndarray:
    """The plain way to encode: for each location and ray, step outwards and watch the mask."""
    height, width = mask.shape
    steps = np.arange(0, math.hypot(height, width), MARCH_STEP)
    radii = np.zeros((len(poles), n_rays))
    for p, (x, y) in enumerate(poles):
        for k, (cos, sin) in enumerate(ray_directions(n_rays)):
            columns = np.floor(x + steps * cos + 0.5).astype(int)
            rows = np.floor(y + steps * sin + 0.5).astype(int)
            in_frame = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            inside = np.zeros(len(steps) + 1, dtype=bool)
            inside[:-1][in_frame] = mask[rows[in_frame], columns[in_frame]] > 0
            changes = np.flatnonzero(inside[1:] != inside[:-1])
            if changes.size:
                last = changes[-1] if crossing == 'farthest' else changes[0]
                radii[p, k] = (last + 0.5) * MARCH_STEP
    return radii


def fill_by_pixel(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The plain way to fill: for each pixel, count the edges to its right."""
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    mask = np.zeros(size, dtype=np.uint8)
    for y in range(size[0]):
        spans = (y0 > y) != (y1 > y)
        at_row = x0[spans] + (y - y0[spans]) * (x1 - x0)[spans] / (y1 - y0)[spans]
        for x in range(size[1]):
            mask[y, x] = np.count_nonzero(at_row > x) % 2
    return mask


def fill_rounded(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``cv2.fillPoly`` with the vertices rounded to whole pixels."""
    return cv2.fillPoly(np.zeros(size, np.uint8), [np.round(polygon).astype(np.int32)], 1)


def fill_shifted(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``cv2.fillPoly`` with the vertices rounded to 1/256 pixel."""
    points = np.round(polygon * 256).astype(np.int32)
    return cv2.fillPoly(np.zeros(size, np.uint8), [points], 1, shift=8)


def area_and_perimeter(polygon: np.ndarray) -> tuple[float, float]:
    x, y = polygon.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    sides = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1)
    return float(area), float(sides.sum())


def area_bias(
    fill: Callable, polygon: np.ndarray, size: tuple[int, int], area: float, seed: int
) -> float:
    """Mean number of pixels that ``fill`` paints beyond the polygon's area."""
    rng = np.random.default_rng(seed)
    shifts = rng.uniform(-0.5, 0.5, size=(FILL_SHIFTS, 2))
    return float(np.mean([fill(polygon + shift, size).sum() for shift in shifts])) - area


if __name__ == '__main__':
    main()
