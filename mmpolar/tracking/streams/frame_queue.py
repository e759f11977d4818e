"""Frames between a source and what works on them, and what happens to those that come too fast."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from mmpolar.utils.checks import check_at_least

Frame = TypeVar('Frame')

#: What happens to a frame that finds the queue full: the source waits; the oldest frame makes room, so
#: that the newest is worked on next; or the new one is left out.
POLICIES = ('wait', 'drop_oldest', 'skip')


class QueuedFrame(NamedTuple, Generic[Frame]):
    """A frame that waits.

    Attributes:
        number: Its index in the source, from 0; dropped frames count.
        frame: What the source gave.
        arrival: When it came, in seconds of ``time.monotonic``.
    """

    number: int
    frame: Frame
    arrival: float


class FrameQueue(Generic[Frame]):
    """Reads a source in a thread of its own, and keeps frames until they are taken.

    Going through a queue gives its frames until the source has ended, and raises what the source
    raised, after the frames before it. A queue that is not gone through to its end must be closed.

    Args:
        frames: The source. It is read as fast as it gives frames, or with the policy ``'wait'`` as fast
            as they are taken.
        policy: One of :data:`POLICIES`. ``'wait'`` is for files, which lose nothing; with
            ``'drop_oldest'`` and a depth of 1 a camera's newest frame is taken next.
        depth: Frames that wait at most, at least 1.
        notify: Called from the reading thread after each frame, and at the end.

    Raises:
        ValueError: If the policy is unknown or the depth is below 1.

    Example:
        >>> from mmpolar.tracking.streams import FrameQueue
        >>> [queued.frame for queued in FrameQueue('abc')]
        ['a', 'b', 'c']
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        policy: str = 'wait',
        depth: int = 1,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f'policy must be one of {", ".join(POLICIES)}, got {policy!r}')
        check_at_least(1, depth=depth)
        self._policy, self._depth, self._notify = policy, depth, notify
        self._waiting: deque[QueuedFrame[Frame]] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._received = self._dropped = 0
        self._reader = threading.Thread(target=self._read, args=(iter(frames),), daemon=True)
        self._reader.start()

    @property
    def received(self) -> int:
        """Frames that the source has given."""
        return self._received

    @property
    def dropped(self) -> int:
        """How many of them were left out by the policy."""
        return self._dropped

    def __iter__(self) -> Iterator[QueuedFrame[Frame]]:
        """The frames, each as soon as it is there."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
            queued = self.take()
            if queued is None:
                return
            yield queued

    def take(self) -> QueuedFrame[Frame] | None:
        """The frame that has waited longest, or None if none waits.

        Raises:
            Exception: What the source raised, once no frame waits any more.
        """
        with self._changed:
            if self._waiting:
                self._changed.notify_all()
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            return None

    @property
    def has_work(self) -> bool:
        """Whether a frame waits, or an error that :meth:`take` raises."""
        with self._changed:
            return bool(self._waiting) or self._error is not None

    @property
    def is_done(self) -> bool:
        """Whether the source has ended and no frame waits."""
        with self._changed:
            return self._ended and not self._waiting

    def close(self) -> None:
        """Let the source be read no further, and forget the frames that wait."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _read(self, frames: Iterator[Frame]) -> None:
        """Work of the reading thread."""
        error = None
        try:
            for number, frame in enumerate(frames):
                if not self._put(QueuedFrame(number, frame, time.monotonic())):
                    break
                self._notify()
        except Exception as raised:
            error = raised
        finally:
            # A generator gives back its file or its camera.
            getattr(frames, 'close', lambda: None)()
            with self._changed:
                self._ended, self._error = True, error
                self._changed.notify_all()
            self._notify()

    def _put(self, queued: QueuedFrame[Frame]) -> bool:
        """Let a frame wait, or leave one out; gives whether the queue is open."""
        with self._changed:
            self._received += 1
            if self._policy == 'wait':
                self._changed.wait_for(lambda: len(self._waiting) < self._depth or self._closed)
            elif len(self._waiting) == self._depth:
                self._dropped += 1
                if self._policy == 'skip':
                    return not self._closed
                self._waiting.popleft()
            if not self._closed:
                self._waiting.append(queued)
                self._changed.notify_all()
            return not self._closed
