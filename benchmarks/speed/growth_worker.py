"""Follows targets through a simulated video in a process of its own; prints time and memory as JSON.

Started by ``growth.py``. With ``--backend runtime`` it imports what the runtime needs and no more, so
that the memory is the runtime's.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import psutil

from mmpolar.apis import init_engine
from mmpolar.tracking import Tracker

MEBIBYTE = 1 << 20
#: Pixels that the camera moves between two frames.
_PAN = (3, 2)
_PERIOD = 64


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(args.threads)
    engine = init_engine(
        args.model,
        args.checkpoint,
        engine='onnx' if args.backend == 'runtime' else 'torch',
        threads=args.threads,
    )
    print(json.dumps(follow(Tracker(engine), args)))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', help='model folder, or config with --backend pytorch')
    parser.add_argument('--backend', choices=['runtime', 'pytorch'], default='runtime')
    parser.add_argument('--checkpoint', help='weights of the config')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--targets', type=int, default=1)
    parser.add_argument('--frames', type=int, default=20)
    parser.add_argument('--block', type=int, default=1, help='frames between two samples')
    parser.add_argument('--threads', type=int, default=1)
    return parser.parse_args()


def follow(tracker: Tracker, args: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds a frame and resident memory in MiB, a value for each block of frames."""
    process = psutil.Process()
    frames = simulated_frames(args.width, args.height)
    boxes = place_targets(args.width, args.height, args.targets)
    tracker.init(next(frames), boxes)
    found: dict[str, list[float]] = dict(frame=[], ms=[], mib=[])
    times = []
    for number in range(1, args.frames + 1):
        frame = next(frames)
        begin = time.perf_counter()
        tracker.step(frame)
        times.append(time.perf_counter() - begin)
        if number % args.block == 0:
            found['frame'].append(number)
            found['ms'].append(statistics.median(times) * 1e3)
            found['mib'].append(process.memory_info().rss / MEBIBYTE)
            times.clear()
            print(f'{number} of {args.frames} frames', file=sys.stderr, flush=True)
    return found


def simulated_frames(width: int, height: int) -> Iterator[np.ndarray]:
    """Frames without end, uint8 BGR, each a new array: a camera that pans over a coloured cloud."""
    rng = np.random.default_rng(0)
    reach = np.array(_PAN) * _PERIOD
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    size = (width + int(reach[0]), height + int(reach[1]))
    canvas = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    number = 0
    while True:
        phase = abs(number % (2 * _PERIOD) - _PERIOD)
        x, y = phase * _PAN[0], phase * _PAN[1]
        yield canvas[y : y + height, x : x + width].copy()
        number += 1


def place_targets(width: int, height: int, count: int) -> np.ndarray:
    """Boxes (T, 4) of equal size on a grid, xyxy in pixels."""
    columns = int(np.ceil(np.sqrt(count)))
    centers = (np.arange(columns) + 0.5) / columns
    half = min(width, height) / 10
    grid = [(x * width, y * height) for y in centers for x in centers][:count]
    return np.array([[x - half, y - half, x + half, y + half] for x, y in grid])


if __name__ == '__main__':
    main()
