"""Many videos that share one network."""

import threading

import numpy as np
import pytest

from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SearchMaps, Tracker, TrackParams
from mmpolar.tracking.streams import StreamPool

WAIT = 20
BOX = [[60, 40, 100, 80]]


class Recorder:
    """An engine that finds every target where it was, and notes what passes through it."""

    params, n_rays, batch_size = TrackParams(), None, 2

    def __init__(self):
        self.batches, self.hold = [], threading.Event()
        self.hold.set()
        self.running = self.most = 0
        self._lock = threading.Lock()

    def encode(self, crops, target_maps):
        return [int(crop.max()) for crop in crops]

    def search(self, codes, crops):
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.batches.append(tuple(codes))
        assert self.hold.wait(WAIT)
        with self._lock:
            self.running -= 1
        if any(crop.max() == 255 for crop in crops):
            raise MemoryError('no memory for this frame')
        scores = np.zeros((len(crops), 25, 25))
        scores[:, 12, 12] = 0.9
        return SearchMaps(scores, np.full((len(crops), 4, 25, 25), 32.0))


def frames(value, count=5):
    return [np.full((120, 160, 3), value, np.uint8) for _ in range(count)]


def names(count):
    return [f'camera {number}' for number in range(count)]


def test_each_video_is_tracked_as_alone():
    """In a network that sees what it is given: frames, states and results are never mixed up."""
    rng = np.random.default_rng(0)
    videos = [
        [np.roll(image, 3 * step, 1) for step in range(4)]
        for image in rng.integers(0, 255, (5, 240, 320, 3), dtype=np.uint8)
    ]
    videos[1] = [frame[:200, :280] for frame in videos[1]]
    targets = [[[100, 80, 160, 130]], [[30, 40, 90, 110], [90, 80, 180, 130]]]
    engine = OnnxEngine(threads=1)
    found = {name: [] for name in names(len(videos))}
    with StreamPool(engine, workers=3) as pool:
        for number, (name, taken) in enumerate(found.items()):
            pool.add(name, videos[number], targets[number % 2], taken.append)
        reports = pool.join(WAIT * 10)
    assert [(r.name, r.tracked, r.dropped, r.error) for r in reports] == [
        (name, 4, 0, None) for name in found
    ]
    for number, taken in enumerate(found.values()):
        alone = Tracker(engine)
        for index, one in enumerate(taken):
            assert one.number == index
            assert one.image is videos[number][index]
            expected = (
                alone.step(one.image) if index else alone.init(one.image, targets[number % 2])
            )
            assert len(one.results) == len(expected)
            for got, other in zip(one.results, expected, strict=True):
                np.testing.assert_allclose(got.box, other.box, atol=1e-2)
                assert got.score == pytest.approx(other.score, abs=1e-4)
                assert np.mean(got.mask != other.mask) < 1e-3


def test_frames_of_different_videos_pass_together_as_the_engine_likes():
    engine = Recorder()
    started = threading.Semaphore(0)
    with StreamPool(engine, workers=1) as pool:
        # All wait behind the first one.
        engine.hold.clear()
        for value, name in enumerate(names(5)):
            pool.add(name, frames(value, 3), BOX, lambda _: started.release())
        while sum(report.received for report in pool.reports()) < 10:
            started.acquire(timeout=0.01)
        engine.hold.set()
        pool.join(WAIT)
    sizes = [len(batch) for batch in engine.batches]
    assert max(sizes) == 2
    assert sum(sizes) == 15
    for value in range(5):
        assert sum(batch.count(value) for batch in engine.batches) == 3
    assert all(len(set(batch)) == len(batch) for batch in engine.batches)


def test_as_many_threads_track_as_there_are_workers():
    engine = Recorder()
    engine.hold.clear()
    with StreamPool(engine, workers=3) as pool:
        for name in names(6):
            pool.add(name, frames(1), BOX, lambda _: None)
        deadline = threading.Event()
        for _ in range(1000):
            if engine.running == 3:
                break
            deadline.wait(0.01)
        engine.hold.set()
        pool.join(WAIT)
    assert engine.most == 3


def broken_source():
    yield frames(1, 1)[0]
    raise OSError('the camera is gone')


def refuse(_):
    raise RuntimeError('the disk is full')


BROKEN = {
    'source': (broken_source, BOX, None, OSError, 1),
    'frame': (lambda: [*frames(1, 1), 'no image'], BOX, None, TypeError, 1),
    'target': (lambda: frames(1), [[500, 500, 600, 600]], None, ValueError, 0),
    'no target': (lambda: frames(1), [], None, ValueError, 0),
    'no frame': (list, BOX, None, ValueError, 0),
    'sink': (lambda: frames(1), BOX, refuse, RuntimeError, 1),
    'network': (lambda: [*frames(1, 2), *frames(255)], BOX, None, MemoryError, 2),
}


@pytest.mark.parametrize('workers', [1, 3])
@pytest.mark.parametrize('kind', BROKEN)
def test_what_goes_wrong_in_a_video_ends_that_one_alone(kind, workers):
    source, targets, take, error, tracked = BROKEN[kind]
    others = {name: [] for name in names(4)}
    with StreamPool(Recorder(), workers) as pool:
        for number, (name, taken) in enumerate(others.items()):
            pool.add(name, frames(2, 30), BOX, taken.append)
            if number == 1:
                pool.add('broken', source(), targets, take or (lambda _: None))
        reports = {report.name: report for report in pool.join(WAIT)}
    broken = reports.pop('broken')
    assert isinstance(broken.error, error)
    assert (broken.tracked, broken.done) == (tracked, True)
    for name, report in reports.items():
        assert (report.tracked, report.error, report.done) == (30, None, True)
        assert [one.number for one in others[name]] == list(range(30))


def test_a_camera_that_is_too_fast_loses_frames_and_says_so():
    engine, taken = Recorder(), []
    seen = threading.Semaphore(0)

    def camera():
        yield frames(1, 1)[0]
        assert seen.acquire(timeout=WAIT)  # the first frame was tracked
        engine.hold.clear()
        yield from frames(2, 20)
        engine.hold.set()
        yield from frames(3, 1)

    def take(one):
        taken.append(one)
        seen.release()

    with StreamPool(engine, workers=1) as pool:
        pool.add('fast', camera(), BOX, take, policy='drop_oldest')
        [report] = pool.join(WAIT)
    numbers = [one.number for one in taken]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (0, 21)
    assert (report.received, report.tracked) == (22, len(taken))
    assert report.dropped == 22 - len(taken) > 15
    assert 0 <= report.lag['p50'] <= report.lag['p99'] < WAIT


def test_videos_come_and_go_while_others_run():
    def endless():
        while True:
            yield frames(1, 1)[0]

    engine, counts, running = Recorder(), [], threading.Event()

    def take(one):
        counts.append(one.number)
        if one.number == 3:
            running.set()

    with StreamPool(engine, workers=2) as pool:
        pool.add('endless', endless(), BOX, take)
        assert running.wait(WAIT)
        with pytest.raises(ValueError, match="'endless' is being tracked"):
            pool.add('endless', [], BOX, take)
        taken = []
        pool.add('short', frames(2), BOX, taken.append)
        report = pool.remove('endless')
        assert report.done
        assert report.tracked >= 4
        assert [one.name for one in pool.join(WAIT)] == ['short']
        assert len(taken) == 5
        pool.add('short', frames(2, 2), BOX, taken.append)  # a name may be used again
        assert pool.join(WAIT)[0].tracked == 2
        with pytest.raises(KeyError, match="no stream 'endless'"):
            pool.remove('endless')
    with pytest.raises(RuntimeError, match='has been closed'):
        pool.add('late', [], BOX, take)


def test_targets_may_be_found_in_the_first_frame():
    seen, taken = [], []

    def find(engine, frame):
        seen.append((engine, frame.shape))
        return BOX

    engine = Recorder()
    with StreamPool(engine, workers=1) as pool:
        pool.add('found', [np.zeros((120, 160), np.uint8)] * 2, find, taken.append)
        pool.join(WAIT)
    assert seen == [(engine, (120, 160, 3))]
    assert len(taken) == 2


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match='workers must be at least 1, got 0'):
        StreamPool(Recorder(), 0)
