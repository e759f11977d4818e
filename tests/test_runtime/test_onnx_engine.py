"""ONNX Runtime against the PyTorch model that was exported, alone and with several targets."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from small_export import REFINED, small_model_folder, small_tracker, state_of, video

from mmpolar.compat.onnx_threads import waiting_of_threads
from mmpolar.evaluation.functional import box_iou
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SingleTargetTracker, Tracker
from mmpolar.utils.available_cores import available_cores

#: Two usual targets, and one that is small enough for the larger search crop.
BOXES = [[100.0, 80, 160, 130], [200, 40, 250, 120], [60, 60, 74, 75]]


@pytest.fixture
def tracker():
    return SingleTargetTracker(OnnxEngine(small_model_folder(), threads=1))


@pytest.fixture
def several():
    return Tracker(OnnxEngine(small_model_folder(), threads=1))


def track(tracker, target, frames):
    return [tracker.init(frames[0], target), *(tracker.step(frame) for frame in frames[1:])]


def assert_same(got, expected):
    overlaps = box_iou(np.stack([r.box for r in got]), np.stack([r.box for r in expected]))
    assert overlaps.min() > 0.99
    for one, other in zip(got, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)
        np.testing.assert_allclose(one.polygon, other.polygon, atol=0.1)
        assert one.mask.shape == other.mask.shape


def test_same_results_as_pytorch_frame_by_frame(tracker):
    frames = video()
    plain = small_tracker()
    expected = [plain.init(frames[0], BOXES[0]), *(plain.step(frame) for frame in frames[1:])]
    assert_same(track(tracker, BOXES[0], frames), expected)


@pytest.mark.parametrize('box', BOXES)
def test_same_results_as_pytorch_from_the_same_last_box(tracker, box):
    """Random weights magnify what rounding changes, so each frame starts from one box here."""
    frames = video()
    plain = small_tracker()
    expected, got = [plain.init(frames[0], box)], [tracker.init(frames[0], box)]
    for frame in frames[1:]:
        state_of(tracker).box = state_of(plain).box
        expected.append(plain.step(frame))
        got.append(tracker.step(frame))
    assert_same(got, expected)
    assert np.ptp([result.box[0] for result in expected]) > 1  # it does move


def drawn_mask(box):
    """A mask that is not the ellipse in its box: the box's left half, and a strip of the rest."""
    x1, y1, x2, y2 = (int(value) for value in box)
    mask = np.zeros((240, 320), np.uint8)
    mask[y1:y2, x1 : (x1 + x2) // 2] = 1
    mask[y1 : y1 + 3, x1:x2] = 1
    return mask


@pytest.mark.parametrize('given_as', ['box', 'mask'])
def test_refined_contours_are_those_of_pytorch(given_as):
    frames = video()[:3]
    engine, plain = OnnxEngine(small_model_folder(refined=True), 1), small_tracker(**REFINED)
    tracker = SingleTargetTracker(engine)
    targets = BOXES if given_as == 'box' else [drawn_mask(box) for box in BOXES]
    for target in targets:
        expected, got = [plain.init(frames[0], target)], [tracker.init(frames[0], target)]
        for frame in frames[1:]:
            state_of(tracker).box = state_of(plain).box
            expected.append(plain.step(frame))
            got.append(tracker.step(frame))
        assert_same(got, expected)


def test_online_models_lead_both_engines_to_the_same_boxes():
    frames = video()
    online = dict(online_share=0.5, online_interval=1, online_score=0.0)
    engine, plain = OnnxEngine(small_model_folder(refined=True), 1), small_tracker(**REFINED)
    tracker = SingleTargetTracker(engine, replace(engine.params, **online))
    plain.params = replace(plain.params, **online)
    expected, got = [plain.init(frames[0], BOXES[0])], [tracker.init(frames[0], BOXES[0])]
    for frame in frames[1:]:
        state_of(tracker).box = state_of(plain).box
        expected.append(plain.step(frame))
        got.append(tracker.step(frame))
    assert_same(got, expected)
    models = [state_of(one).online for one in (tracker, plain)]
    assert models[0].recent is not None
    np.testing.assert_allclose(models[0].weights, models[1].weights, atol=1e-2)


def test_a_tracker_without_fine_maps_has_no_online_model(tracker):
    tracker.params = replace(tracker.params, online_share=0.5)
    tracker.init(video()[0], BOXES[0])
    assert state_of(tracker).online is None


def test_refined_contour_depends_on_the_mask():
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder(refined=True), 1))
    from_box = tracker.init(video()[0], BOXES[0])
    from_mask = tracker.init(video()[0], drawn_mask(BOXES[0]))
    assert np.abs(from_box.polygon - from_mask.polygon).max() > 1e-3


def test_several_refined_targets_are_found_as_each_alone():
    engine = OnnxEngine(small_model_folder(refined=True), 1)
    frames = video()[:3]
    targets = [BOXES[0], drawn_mask(BOXES[1]), BOXES[2]]
    alone = [track(SingleTargetTracker(engine), target, frames) for target in targets]
    together = list(zip(*track(Tracker(engine), targets, frames), strict=True))
    for got, expected in zip(together, alone, strict=True):
        assert_same(got, expected)


def test_lost_target_is_looked_for_in_a_larger_crop(tracker, monkeypatch):
    tracker.params = replace(tracker.params, lost_score=1.0, found_score=1.0, widen_after=0)
    sizes = []
    search = OnnxEngine.search
    monkeypatch.setattr(
        OnnxEngine,
        'search',
        lambda self, codes, crops: sizes.append(crops.shape[1]) or search(self, codes, crops),
    )
    first, *later = track(tracker, BOXES[0], video()[:3])
    assert sizes == [255, 255, 511]
    assert not any(result.visible or result.mask.any() for result in later)
    np.testing.assert_array_equal(later[-1].box, first.box)


def test_several_targets_are_found_as_each_alone(tracker, several):
    frames = video()
    alone = [track(tracker, box, frames) for box in BOXES]
    together = list(zip(*track(several, BOXES, frames), strict=True))
    assert several.ids == (0, 1, 2)
    for got, expected in zip(together, alone, strict=True):
        assert_same(got, expected)


def test_targets_of_one_size_share_a_call(several, monkeypatch):
    calls = []
    search = OnnxEngine.search

    def counted(self, codes, crops):
        calls.append((crops.shape[1], len(crops)))
        return search(self, codes, crops)

    monkeypatch.setattr(OnnxEngine, 'search', counted)
    frames = video()
    several.init(frames[0], BOXES)
    calls.clear()
    several.step(frames[1])
    assert sorted(calls) == [(255, 2), (287, 1)]


def test_targets_come_and_go_without_touching_the_others(tracker, several):
    frames = video()
    expected = track(tracker, BOXES[0], frames)
    late = track(tracker, BOXES[1], frames[2:])

    several.init(frames[0], BOXES[:1])
    several.step(frames[1])
    several.step(frames[2])
    added = several.add(frames[2], BOXES[1])
    assert several.ids == (0, added)
    first, second = zip(*(several.step(frame) for frame in frames[3:6]), strict=True)
    assert_same(first, expected[3:6])
    assert_same(second, late[1:4])

    several.remove(added)
    assert several.ids == (0,)
    [last] = several.step(frames[6])
    assert_same([last], expected[6:7])
    assert several.add(frames[6], BOXES[1]) == added + 1
    with pytest.raises(KeyError, match='no target 9'):
        several.remove(9)


def test_init_answers_with_the_given_box(tracker):
    result = tracker.init(video()[0], [-50, 10, 90, 100])
    np.testing.assert_allclose(result.box, [-0.5, 10, 90, 100])
    assert result.score == 1.0
    assert result.polygon.shape == (36, 2)


def test_grey_and_16_bit_frames_are_taken(tracker):
    frames = [frame[..., 0].astype(np.uint16) * 257 for frame in video()[:2]]
    assert track(tracker, BOXES[0], frames)[1].mask.shape == (240, 320)


@pytest.mark.parametrize(
    ('targets', 'message'),
    [
        ([[400, 40, 460, 80]], 'outside the frame of 320x240'),
        ([BOXES[0], [60, 40, 50, 80]], 'no positive width'),
        (np.zeros((0, 4)), 'no target'),
        ([[1, 2, 3]], 'four finite numbers'),
    ],
)
def test_unusable_targets_are_named_and_the_old_ones_kept(several, targets, message):
    several.init(video()[0], BOXES[:1])
    with pytest.raises(ValueError, match=message):
        several.init(video()[0], targets)
    assert several.ids == (0,)
    assert several.step(video()[1])[0].box.shape == (4,)


def test_tracking_needs_a_target(tracker):
    with pytest.raises(RuntimeError, match='no target'):
        tracker.step(video()[0])


def test_threads_are_checked():
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        OnnxEngine(small_model_folder(), threads=0)


def test_threads_follow_the_cores_that_are_available(monkeypatch):
    assert OnnxEngine(small_model_folder()).threads == min(2, available_cores())
    for cores, expected in ((1, 1), (2, 2), (64, 2)):
        monkeypatch.setattr('mmpolar.runtime.onnx_engine.available_cores', lambda n=cores: n)
        assert OnnxEngine(small_model_folder()).threads == expected
        assert OnnxEngine(small_model_folder(), threads=5).threads == 5


@pytest.mark.parametrize('version', [onnxruntime.__version__, '1.30.2'])
def test_threads_that_wait_soon_sleep(version, monkeypatch):
    """In a step, and after it: those that spin take as much time of the processor as there are."""
    monkeypatch.setattr(onnxruntime, '__version__', version)
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder(), threads=4))
    tracker.init(video()[0], BOXES[0])
    for session in tracker.engine._sessions.values():
        options = session.get_session_options()
        for key, value in waiting_of_threads().items():
            assert options.get_session_config_entry(f'session.intra_op.{key}') == value
    tracker.step(video()[1])
    begin = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - begin < 0.1


def test_trackers_in_several_threads_share_an_engine():
    engine, frames = OnnxEngine(small_model_folder(refined=True), threads=1), video()
    expected = [track(SingleTargetTracker(engine), box, frames) for box in BOXES]
    engine = OnnxEngine(small_model_folder(refined=True), threads=1)
    with ThreadPoolExecutor(len(BOXES)) as pool:
        jobs = [pool.submit(track, SingleTargetTracker(engine), box, frames) for box in BOXES]
    for job, alone in zip(jobs, expected, strict=True):
        assert_same(job.result(), alone)
    assert len(engine._sessions) == len(engine.manifest.file_sha256)
