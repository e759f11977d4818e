"""Many videos, one process, one network."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.engine import TrackEngine
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.streams.frame_queue import FrameQueue, QueuedFrame
from mmpolar.tracking.streams.stream import Stream, StreamFrame, StreamReport, Targets
from mmpolar.tracking.tracker import Tracker
from mmpolar.utils.available_cores import available_cores
from mmpolar.utils.checks import check_at_least

Code = TypeVar('Code')
Work = tuple[Stream, QueuedFrame[NDArray], NDArray[np.uint8]]


class StreamPool(Generic[Code]):
    """Tracks targets in many videos at once, which share one network.

    Each video is read in a thread of its own. A few threads take the frames that wait, a video at a
    time by turns, the frames of one video in order; as many frames of different videos pass through
    the network together as suit the engine. What goes wrong in a video ends that one alone.

    Args:
        engine: The network. Its calls must be allowed in several threads at once, as those of the
            engines of this package are; give ``workers=1`` for another one. With one thread a call,
            ``init_engine(threads=1)``, many videos are tracked fastest.
        workers: Threads that track; by default one a core that is available.
        params: Hyper-parameters of tracking; by default the engine's.

    Raises:
        ValueError: If ``workers`` is below 1.

    Example:
        >>> import numpy as np
        >>> from mmpolar.apis import init_engine
        >>> from mmpolar.tracking.streams import StreamPool
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 240, 320, 3), dtype=np.uint8)
        >>> found = {'left': [], 'right': []}
        >>> with StreamPool(init_engine(engine='onnx', threads=1)) as pool:
        ...     for name, tracked in found.items():
        ...         pool.add(name, frames, [[100, 80, 160, 130]], tracked.append)
        ...     reports = pool.join()
        >>> [(report.name, report.tracked, report.dropped) for report in reports]
        [('left', 3, 0), ('right', 3, 0)]
        >>> [tracked.number for tracked in found['left']]
        [0, 1, 2]
    """

    def __init__(
        self,
        engine: TrackEngine[Code],
        workers: int | None = None,
        params: TrackParams | None = None,
    ) -> None:
        check_at_least(1, workers=workers)
        self._tracker = Tracker(engine, params)
        self._streams: dict[str, Stream[Code]] = {}
        self._ready: deque[Stream[Code]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._workers = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(workers or available_cores())
        ]
        for worker in self._workers:
            worker.start()

    def __enter__(self) -> 'StreamPool[Code]':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        name: str,
        frames: Iterable[NDArray],
        targets: Targets,
        take: Callable[[StreamFrame], None],
        policy: str = 'wait',
        depth: int = 1,
    ) -> None:
        """Begin to track a video; at once, whatever the others do.

        Args:
            name: Its name, for reports.
            frames: Its frames, such as :func:`mmpolar.utils.video.iter_frames` gives.
            targets: The targets in its first frame, as for :meth:`mmpolar.tracking.Tracker.init`, or a
                function that finds them, given the engine and the frame.
            take: Is given each frame that was tracked, in order, by a thread of the pool. What it
                raises ends the video.
            policy: What happens to frames that come too fast, see :class:`FrameQueue`: ``'wait'`` for
                files, ``'drop_oldest'`` for cameras.
            depth: Frames that wait at most.

        Raises:
            ValueError: If a video of that name is tracked, the policy is unknown or the depth is below 1.
            RuntimeError: If the pool has been closed.
        """
        stream = Stream(name, targets, take)
        with self._changed:
            if self._closed:
                raise RuntimeError('the pool has been closed')
            known = self._streams.get(name)
            if known is not None and not known.done:
                raise ValueError(f'a stream {name!r} is being tracked; give another name')
            # The reading thread may notify at once, and then waits for the lock.
            stream.frames = FrameQueue(frames, policy, depth, lambda: self._schedule(stream))
            self._streams[name] = stream

    def remove(self, name: str) -> StreamReport:
        """Stop to track a video, and forget it.

        Returns:
            How it was doing. A frame that is being tracked is still given.

        Raises:
            KeyError: If there is none of that name.
        """
        with self._changed:
            if name not in self._streams:
                raise KeyError(f'there is no stream {name!r}; there are {list(self._streams)}')
            stream = self._streams.pop(name)
            stream.done = True
            self._changed.notify_all()
        stream.frames.close()
        return stream.report()

    def reports(self) -> list[StreamReport]:
        """How the videos are doing, in the order in which they were added."""
        with self._changed:
            return [stream.report() for stream in self._streams.values()]

    def join(self, timeout: float | None = None) -> list[StreamReport]:
        """Wait until all videos have ended.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            How the videos are doing.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: all(stream.done for stream in self._streams.values()), timeout
            )
        return self.reports()

    def close(self) -> None:
        """Stop everything; frames that are being tracked are still given."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for stream in self._streams.values():
            stream.frames.close()
        for worker in self._workers:
            worker.join()

    def _schedule(self, stream: Stream[Code]) -> None:
        """Let a thread work on a stream, unless one does or there is nothing to do."""
        with self._changed:
            if stream.busy:
                return
            if not stream.done and stream.frames.has_work:
                stream.busy = True
                self._ready.append(stream)
            elif not stream.done and stream.frames.is_done:
                stream.end()
            self._changed.notify_all()

    def _work(self) -> None:
        """Work of one of the threads."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if self._closed:
                    return
                count = min(self._share(), len(self._ready))
                streams = [self._ready.popleft() for _ in range(count)]
            self._step(streams)
            for stream in streams:
                stream.busy = False
                self._schedule(stream)

    def _share(self) -> int:
        """Streams that a thread takes at once: no more than leave some to the other threads."""
        share = -(-len(self._ready) // len(self._workers))
        return min(share, self._tracker.engine.batch_size or share)

    def _step(self, streams: Sequence[Stream[Code]]) -> None:
        """Track a frame of each of these streams."""
        works = []
        for stream in streams:
            with _ends_alone(stream):
                found = stream.next_frame()
                if found is not None and stream.states:
                    works.append((stream, *found))
                elif found is not None:
                    stream.give(found[0], stream.start(self._tracker, found[1]))
        if len(works) > 1:
            try:
                results = self._find(works)
            except Exception:  # of one of them; states change only once all were found
                results = None
            if results is not None:
                for (stream, queued, _), own in zip(works, results, strict=True):
                    with _ends_alone(stream):
                        stream.give(queued, own)
                return
        for work in works:
            with _ends_alone(work[0]):
                [own] = self._find([work])
                work[0].give(work[1], own)

    def _find(self, works: Sequence[Work]) -> list[list[TrackResult]]:
        """Results of each stream's targets, which pass through the network together."""
        frames = [frame for stream, _, frame in works for _ in stream.states]
        states = [state for stream, *_ in works for state in stream.states]
        results = iter(self._tracker.find_in(frames, states))
        return [[next(results) for _ in stream.states] for stream, *_ in works]


@contextmanager
def _ends_alone(stream: Stream) -> Iterator[None]:
    """Context in which an error ends a stream, and nothing else."""
    try:
        yield
    except Exception as error:
        stream.error, stream.done = error, True
        stream.frames.close()
