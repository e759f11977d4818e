"""Tracks a target in each of several simulated videos for a while; prints frames, time and memory as JSON.

Started by ``streams.py``, which says ``begin`` once all processes have loaded their networks.
"""

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import psutil

from benchmarks.speed.growth_worker import MEBIBYTE, place_targets, simulated_frames
from benchmarks.speed.peers import NANOTRACK, OpenCVTracker, nanotrack_maker
from mmpolar.tracking.streams import StreamFrame, StreamPool
from mmpolar.utils.available_cores import available_cores

SIZE = (854, 480)
_FRAMES = 64
#: Frames of each video before the time counts: memory of batches is taken, and caches are filled.
_WARM_UPS = 4


class Start:
    """Waits until all videos have had their first frames, and then for a word; the time counts from there.

    Args:
        videos: How many there are.
        seconds: How long they are tracked from then on.
    """

    def __init__(self, videos: int, seconds: float) -> None:
        self.seconds = seconds
        self.stop = threading.Event()
        self.began = self.cpu = 0.0
        self._left = videos
        self._lock, self._go = threading.Lock(), threading.Event()

    def is_warm(self) -> None:
        """Count a video that has had its first frames."""
        with self._lock:
            self._left -= 1
            if self._left:
                return
        print('ready', flush=True)
        sys.stdin.readline()
        threading.Timer(self.seconds, self.stop.set).start()
        self.began, self.cpu = time.perf_counter(), time.process_time()
        self._go.set()

    def video(self, frames: list[np.ndarray], first: int) -> Iterator[np.ndarray]:
        """A few frames, and from the start on all again and again, until it is time."""
        for number in itertools.count(first):
            if number == first + _WARM_UPS:
                self._go.wait()
            if self.stop.is_set():
                return
            yield frames[number % len(frames)]


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    # Frames are shared: what a video costs is what the tracker keeps of it.
    frames = list(itertools.islice(simulated_frames(*SIZE), _FRAMES))
    box = place_targets(*SIZE, 1)
    start = Start(args.videos, args.seconds)
    videos = [start.video(frames, number) for number in range(args.videos)]
    track = nanotrack(args.files) if args.tracker == NANOTRACK else pool(args.tracker)
    lags = track(videos, box, start.is_warm)
    found = dict(
        frames=len(lags),
        seconds=time.perf_counter() - start.began,
        cpu_seconds=time.process_time() - start.cpu,
        mib=psutil.Process().memory_info().rss / MEBIBYTE,
        lags=lags,
    )
    print(json.dumps(found))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('tracker', help='name of a packaged tracker, or of NanoTrack')
    parser.add_argument('files', nargs='*', help="NanoTrack's backbone and head")
    parser.add_argument('--videos', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=3.0)
    return parser.parse_args()


#: Tracks the target in a box through videos, tells when each has had its first frames, and gives the lags of the others.
Track = Callable[[list[Iterator[np.ndarray]], np.ndarray, Callable[[], None]], list[float]]


def pool(model: str) -> Track:
    """Videos in a :class:`StreamPool`."""
    from mmpolar.apis import init_engine

    engine = init_engine(model, engine='onnx', threads=1)

    def track(
        videos: list[Iterator[np.ndarray]], boxes: np.ndarray, is_warm: Callable[[], None]
    ) -> list[float]:
        lags: list[float] = []

        def take(tracked: StreamFrame) -> None:
            if tracked.number >= _WARM_UPS:
                lags.append(tracked.lag)
            elif tracked.number == _WARM_UPS - 1:
                is_warm()

        with StreamPool(engine) as streams:
            for number, video in enumerate(videos):
                streams.add(str(number), video, boxes, take)
            for report in streams.join():
                if report.error is not None:
                    raise report.error
        return lags

    return track


def nanotrack(files: list[str]) -> Track:
    """Each video with a tracker of its own, in a thread a core."""
    maker = nanotrack_maker(*files)

    def track(
        videos: list[Iterator[np.ndarray]], boxes: np.ndarray, is_warm: Callable[[], None]
    ) -> list[float]:
        lags: list[float] = []

        def follow(own: list[Iterator[np.ndarray]]) -> None:
            trackers = [OpenCVTracker(maker) for _ in own]
            for tracker, video in zip(trackers, own, strict=True):
                tracker.init(next(video), boxes[0])
                for _ in range(_WARM_UPS - 1):
                    tracker.step(next(video))
                is_warm()
            for frames in zip(*own, strict=False):
                for tracker, frame in zip(trackers, frames, strict=True):
                    begin = time.perf_counter()
                    tracker.step(frame)
                    lags.append(time.perf_counter() - begin)

        count = min(available_cores(), len(videos))
        threads = [threading.Thread(target=follow, args=(videos[n::count],)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return lags

    return track


if __name__ == '__main__':
    main()
