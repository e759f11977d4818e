"""One of the videos that share a network: its targets, its frames and how far it is."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.engine import TrackEngine
from mmpolar.tracking.state import TargetState
from mmpolar.tracking.streams.frame_queue import FrameQueue, QueuedFrame
from mmpolar.tracking.tracker import Tracker
from mmpolar.utils.image import to_bgr_uint8

Code = TypeVar('Code')
#: Targets in the first frame, or what finds them there.
Targets = Sequence[ArrayLike] | Callable[[TrackEngine, NDArray], Sequence[ArrayLike]]
#: Frames that percentiles of the lag are taken of.
_LAGS = 1000


@dataclass(frozen=True)
class StreamFrame:
    """A frame of a stream and what was found in it.

    Attributes:
        number: Its index in the stream, from 0; dropped frames count.
        image: The frame as the source gave it.
        results: Results of the targets, in their order.
        lag: Seconds since the source gave it.
    """

    number: int
    image: NDArray
    results: Sequence[TrackResult]
    lag: float


@dataclass(frozen=True)
class StreamReport:
    """How a stream is doing.

    Attributes:
        name: Its name.
        received: Frames that its source has given.
        tracked: Frames that were tracked.
        dropped: Frames that came too fast.
        lag: Seconds from a frame's arrival to its results, in the last 1000 frames: ``p50``, ``p95`` and
            ``p99``; NaN before there is one.
        done: Whether it has ended.
        error: Why it ended before its source did; None if it did not.
    """

    name: str
    received: int
    tracked: int
    dropped: int
    lag: dict[str, float]
    done: bool
    error: Exception | None


class Stream(Generic[Code]):
    """What a pool knows of a video; a single thread at a time works on it.

    Args:
        name: Its name.
        targets: Targets in the first frame, or what finds them.
        take: Is given each frame that was tracked, in order.

    Attributes:
        frames: Where its frames wait.
        busy: Whether a thread works on it, or will next.
        done: Whether it has ended.
        error: Why it ended early.
    """

    frames: FrameQueue[NDArray]

    def __init__(self, name: str, targets: Targets, take: Callable[[StreamFrame], None]) -> None:
        self.name = name
        self.busy = self.done = False
        self.error: Exception | None = None
        self._targets, self._take = targets, take
        self._tracked = 0
        self._lags: deque[float] = deque(maxlen=_LAGS)
        self.states: list[TargetState[Code]] = []

    def start(self, tracker: Tracker[Code], frame: NDArray[np.uint8]) -> list[TrackResult]:
        """Take on the targets in the first frame."""
        targets = self._targets
        if callable(targets):
            targets = targets(tracker.engine, frame)
        if len(targets) == 0:
            raise ValueError(f'stream {self.name} has no target in its first frame')
        self.states, results = tracker.start(frame, targets)
        return results

    def next_frame(self) -> tuple[QueuedFrame[NDArray], NDArray[np.uint8]] | None:
        """The frame that waits, as it came and as it is tracked."""
        queued = self.frames.take()
        return None if queued is None else (queued, to_bgr_uint8(queued.frame))

    def give(self, queued: QueuedFrame[NDArray], results: Sequence[TrackResult]) -> None:
        """Give a frame that was tracked, with its results."""
        lag = time.monotonic() - queued.arrival
        self._tracked += 1
        self._lags.append(lag)
        self._take(StreamFrame(queued.number, queued.frame, results, lag))

    def end(self) -> None:
        """Note that the source has ended and that every frame was given."""
        self.done = True
        if self.frames.received == 0:
            self.error = ValueError(f'stream {self.name} has no frames')

    def report(self) -> StreamReport:
        """How it is doing."""
        lags = list(self._lags) or [float('nan')]
        lag = dict(zip(('p50', 'p95', 'p99'), np.percentile(lags, [50, 95, 99]), strict=True))
        frames = self.frames
        return StreamReport(
            self.name, frames.received, self._tracked, frames.dropped, lag, self.done, self.error
        )
