"""Frames that come faster than they are taken."""

import threading

import pytest

from mmpolar.tracking.streams import FrameQueue

WAIT = 10


class Source:
    """Gives frames when it is told to."""

    def __init__(self, count, error=None):
        self.count, self.error = count, error
        self.closed = threading.Event()
        self._allowed = threading.Semaphore(0)

    def __iter__(self):
        try:
            for number in range(self.count):
                self._allowed.acquire(timeout=WAIT)
                yield number
            self._allowed.acquire(timeout=WAIT)
            if self.error:
                raise self.error
        finally:
            self.closed.set()

    def allow(self, count):
        for _ in range(count):
            self._allowed.release()


def fill(policy, depth, count=6):
    """A queue whose source has given all frames before one was taken, and has ended."""
    source = Source(count)
    queue = FrameQueue(source, policy, depth)
    source.allow(count + 1)
    assert source.closed.wait(WAIT)
    queue._reader.join(WAIT)
    return queue


def test_newest_frames_are_kept_where_the_oldest_are_dropped():
    queue = fill('drop_oldest', 2)
    assert [(one.number, one.frame) for one in queue] == [(4, 4), (5, 5)]
    assert (queue.received, queue.dropped) == (6, 4)


def test_oldest_frames_are_kept_where_new_ones_are_skipped():
    queue = fill('skip', 2)
    assert [one.number for one in queue] == [0, 1]
    assert (queue.received, queue.dropped) == (6, 4)


def test_a_source_that_waits_loses_nothing_and_runs_no_further_ahead():
    read = []
    queue = FrameQueue((read.append(n) or n for n in range(50)), 'wait', depth=3)
    for number, queued in enumerate(queue):
        assert queued.number == queued.frame == number
        # Those that wait, the one that waits for room, and this one.
        assert len(read) <= number + 5
    assert (queue.received, queue.dropped) == (50, 0)
    assert queue.is_done


def test_arrivals_ascend():
    arrivals = [queued.arrival for queued in FrameQueue(range(5))]
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize('policy', ['wait', 'drop_oldest', 'skip'])
def test_an_error_of_the_source_comes_after_its_frames(policy):
    source = Source(2, OSError('the camera is gone'))
    queue = FrameQueue(source, policy, depth=2)
    source.allow(3)
    frames = iter(queue)
    assert [next(frames).frame for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match='the camera is gone'):
        next(frames)


@pytest.mark.parametrize('policy', ['wait', 'drop_oldest', 'skip'])
def test_closing_frees_the_source(policy):
    source = Source(100)
    queue = FrameQueue(source, policy)
    source.allow(3)
    queue.close()
    source.allow(97)
    assert source.closed.wait(WAIT)
    assert queue.take() is None
    assert list(queue) == []


def test_each_frame_and_the_end_are_notified():
    calls = []
    queue = FrameQueue(range(3), 'drop_oldest', 1, lambda: calls.append(1))
    queue._reader.join(WAIT)
    assert len(calls) == 4
    assert queue.has_work
    assert not queue.is_done
    assert queue.take().frame == 2
    assert queue.is_done


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(policy='newest'), 'policy must be one of wait, drop_oldest, skip'),
        (dict(depth=0), 'depth must be at least 1, got 0'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FrameQueue([], **options)
