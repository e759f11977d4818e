"""The tracker with an engine made up here, target by target and together."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmpolar.structures.polar import rasterize_polygon
from mmpolar.tracking import SearchMaps, SingleTargetTracker, Tracker, TrackParams
from mmpolar.tracking.tracker import batches

SIZE = (200, 300)
#: Three usual targets, and one that is small enough for the larger search crop.
BOXES = [[40.0, 40, 90, 100], [60, 90, 70, 99], [150, 60, 230, 110], [100, 20, 150, 90]]
N_RAYS = 12


class BrightSpotEngine:
    """Finds whatever is as bright as the template; its answers depend on all that it is given."""

    params = TrackParams(window_influence=0.1, lost_score=0.05, found_score=0.1)

    def __init__(self, batch_size=None, n_rays=N_RAYS):
        self.batch_size, self.n_rays, self.calls = batch_size, n_rays, []

    def encode(self, crops, target_maps):
        pairs = zip(crops, target_maps, strict=True)
        return [float(crop[target_map > 0].mean()) for crop, target_map in pairs]

    def search(self, codes, crops):
        self.calls.append((len(crops), crops.shape[1]))
        cells = (crops.shape[1] - self.params.template_size) // 8 + 9
        grey = [cv2.resize(c.mean(2).astype(np.float32), (cells, cells)) for c in crops]
        scores = [1 - abs(g - code) / 255 for g, code in zip(grey, codes, strict=True)]
        scores = np.clip(np.stack(scores), 0.01, 0.99)
        ltrb = 20 + 20 * np.stack([scores, scores**2, 1 - scores, scores], 1)
        return SearchMaps(scores, ltrb, features=codes)

    def contours(self, maps, locations):
        rays = np.arange(self.n_rays)
        radii = [
            10 + (rays + at + code) % 7 for at, code in zip(locations, maps.features, strict=True)
        ]
        return np.array(radii, np.float32)


def video(frames=6):
    """A cloud of grey spots that drifts, (200, 300, 3) each."""
    rng = np.random.default_rng(0)
    cloud = cv2.resize(rng.integers(0, 256, (14, 20, 3), dtype=np.uint8), (400, 300))
    return [cloud[2 * k : 2 * k + 200, 3 * k : 3 * k + 300].copy() for k in range(frames)]


def drawn_mask():
    mask = np.zeros(SIZE, np.uint8)
    mask[30:90, 200:216] = mask[70:90, 200:250] = 255
    return mask


def track_alone(target, frames, **engine_options):
    tracker = SingleTargetTracker(BrightSpotEngine(**engine_options))
    return [tracker.init(frames[0], target), *(tracker.step(frame) for frame in frames[1:])]


def assert_equal(got, expected):
    for one, other in zip(got, expected, strict=True):
        assert (one.score, one.visible) == (other.score, other.visible)
        for name in ('box', 'polygon', 'mask'):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize('batch_size', [None, 1, 2, 3])
def test_targets_are_tracked_together_as_one_by_one(batch_size):
    frames, targets = video(), [*BOXES, drawn_mask()]
    alone = [track_alone(target, frames) for target in targets]
    tracker = Tracker(BrightSpotEngine(batch_size))
    together = [tracker.init(frames[0], targets), *(tracker.step(frame) for frame in frames[1:])]
    for got, expected in zip(zip(*together, strict=True), alone, strict=True):
        assert_equal(got, expected)
    moved = [results[-1].box - results[0].box for results in alone]
    assert np.abs(moved).max() > 1


def test_a_frame_takes_one_call_for_each_size_of_the_search_crop():
    tracker = Tracker(BrightSpotEngine())
    tracker.init(video()[0], BOXES)
    tracker.engine.calls.clear()
    tracker.step(video()[1])
    assert sorted(tracker.engine.calls) == [(1, 287), (3, 255)]


@pytest.mark.parametrize(
    ('at_most', 'expected'),
    [
        (None, [[0, 2, 3, 5, 6], [1, 4]]),
        (2, [[0, 2], [3, 5], [6], [1, 4]]),
        (1, [[0], [2], [3], [5], [6], [1], [4]]),
    ],
)
def test_batches_hold_targets_of_one_search_size(at_most, expected):
    assert batches([255, 287, 255, 255, 287, 255, 255], at_most) == expected
    assert batches([], at_most) == []


def test_targets_come_and_go_without_touching_the_others():
    frames = video()
    expected, late = track_alone(BOXES[0], frames), track_alone(BOXES[2], frames[2:])
    tracker = Tracker(BrightSpotEngine())
    tracker.init(frames[0], BOXES[:2])
    tracker.step(frames[1])
    tracker.remove(1)
    tracker.step(frames[2])
    assert tracker.add(frames[2], BOXES[2]) == 2
    assert tracker.ids == (0, 2)
    first, second = zip(*(tracker.step(frame) for frame in frames[3:5]), strict=True)
    assert_equal(first, expected[3:5])
    assert_equal(second, late[1:3])
    tracker.remove(0)
    assert_equal(tracker.step(frames[5]), late[3:4])


def test_numbers_are_not_given_again_until_the_next_init():
    frame = video()[0]
    tracker = Tracker(BrightSpotEngine())
    tracker.init(frame, BOXES[:2])
    assert tracker.add(frame, BOXES[2]) == 2
    tracker.remove(2)
    assert [tracker.add(frame, box) for box in BOXES[2:]] == [3, 4]
    assert tracker.ids == (0, 1, 3, 4)
    with pytest.raises(KeyError, match=r'no target 7; those tracked are \[0, 1, 3, 4\]'):
        tracker.remove(7)
    tracker.init(frame, BOXES[:1])
    assert tracker.ids == (0,)
    assert tracker.add(frame, BOXES[2]) == 1


def test_the_type_of_a_result_does_not_depend_on_the_calls_before():
    frames = video()
    tracker, single = Tracker(BrightSpotEngine()), SingleTargetTracker(BrightSpotEngine())
    assert isinstance(tracker.init(frames[0], BOXES[:1]), list)
    assert len(tracker.step(frames[1])) == 1
    tracker.add(frames[1], BOXES[1])
    tracker.remove(1)
    assert len(tracker.step(frames[2])) == 1
    assert single.init(frames[0], BOXES[0]).box.shape == (4,)
    assert single.step(frames[1]).box.shape == (4,)


def test_contours_are_measured_from_the_selected_locations_and_filled():
    [result] = Tracker(BrightSpotEngine()).init(video()[0], BOXES[:1])
    np.testing.assert_array_equal(result.mask, rasterize_polygon(result.polygon, SIZE))
    assert result.mask.any()
    lengths = np.linalg.norm(result.polygon - result.polygon.mean(0), axis=1)
    assert np.ptp(lengths) > 0.1


def test_an_engine_without_rays_gives_boxes_only():
    tracker = Tracker(BrightSpotEngine(n_rays=None))
    tracker.init(video()[0], BOXES)
    assert all(r.polygon is None and r.mask is None for r in tracker.step(video()[1]))


def test_lost_target_has_an_empty_mask_and_is_looked_for_in_a_larger_crop():
    tracker = Tracker(BrightSpotEngine())
    tracker.params = replace(tracker.params, lost_score=1.0, found_score=1.0, widen_after=0)
    [first] = tracker.init(video()[0], BOXES[:1])
    later = [tracker.step(frame)[0] for frame in video()[1:3]]
    assert [size for _, size in tracker.engine.calls] == [255, 255, 511]
    assert not any(result.visible or result.mask.any() for result in later)
    assert all(result.polygon is None for result in later)
    np.testing.assert_array_equal(later[-1].box, first.box)


def test_states_may_be_kept_by_the_caller():
    frames = video()
    expected = track_alone(BOXES[0], frames)
    tracker = Tracker(BrightSpotEngine())
    tracker.init(frames[0], BOXES[1:])
    states, first = tracker.start(frames[0], BOXES[:1])
    got = first + [result for frame in frames[1:] for result in tracker.find(frame, states)]
    assert_equal(got, expected)
    assert tracker.ids == (0, 1, 2)


def test_frames_and_masks_are_not_changed():
    frame, mask = video()[0], drawn_mask()
    before = frame.copy(), mask.copy()
    tracker = Tracker(BrightSpotEngine())
    tracker.init(frame, [mask])
    tracker.step(frame)
    np.testing.assert_array_equal(frame, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.parametrize(
    ('targets', 'message'),
    [
        ([], 'no target was given'),
        ([BOXES[0], [400, 40, 460, 80]], 'outside the frame of 300x200'),
        ([[60, 40, 50, 80]], 'no positive width'),
        ([[1, 2, 3]], 'four finite numbers'),
        ([np.zeros(SIZE, np.uint8)], 'mask of the target is empty'),
        ([np.ones((3, 3), np.uint8)], 'differ in size'),
        ([np.ones((*SIZE, 3), np.uint8)], 'without channels'),
        ([np.ones((*SIZE, 1), np.uint8)], 'without channels'),
        ([[BOXES[0]]], 'without channels|differ in size'),
        ([np.full(SIZE, np.nan)], 'NaN or infinite'),
        ([np.full(SIZE, np.inf, np.float32)], 'NaN or infinite'),
        ([np.full(SIZE, 'x')], 'numbers or booleans, got <U1'),
        ([[10, 20, 10 + 1e-6, 40]], 'less than 0.1 pixels'),
        ([[10, 20, 30, 20.05]], 'less than 0.1 pixels'),
        ([[299.45, 20, 320, 40]], 'less than 0.1 pixels'),
        ([['a', 'b', 'c', 'd']], 'four finite numbers'),
        ([[[1, 2], [3]]], 'a box of 4 numbers or a mask'),
        ([None], 'four finite numbers'),
        ([3], 'four finite numbers'),
        ([[-1e308, 0, 1e308, float('inf')]], 'four finite numbers'),
    ],
)
def test_unusable_targets_are_named_and_the_old_ones_kept(targets, message):
    tracker = Tracker(BrightSpotEngine())
    tracker.init(video()[0], BOXES)
    with pytest.raises(ValueError, match=message):
        tracker.init(video()[0], targets)
    assert len(tracker.step(video()[1])) == 4


def test_tracking_needs_a_target():
    with pytest.raises(RuntimeError, match='no target: call init'):
        Tracker(BrightSpotEngine()).step(video()[0])
    with pytest.raises(RuntimeError, match='no target: call init'):
        SingleTargetTracker(BrightSpotEngine()).step(video()[0])


@pytest.mark.parametrize('dtype', [bool, np.int32, np.float64])
def test_masks_of_any_numbers_are_taken(dtype):
    mask = np.zeros(SIZE, dtype)
    mask[40:60, 30:70] = 1
    [result] = Tracker(BrightSpotEngine()).init(video()[0], [mask])
    np.testing.assert_allclose(result.box, [29.5, 39.5, 69.5, 59.5])


class TwinEngine:
    """Scores two places alike, of which one has the features of the template's target."""

    params = TrackParams(window_influence=0, small_target_share=0, online_interval=2)
    n_rays, batch_size = None, 2

    def encode(self, crops, target_maps):
        return [None] * len(crops)

    def search(self, codes, crops):
        grey = [cv2.resize(c, (25, 25), interpolation=cv2.INTER_AREA).max(2) for c in crops]
        scores = np.stack(grey).astype(np.float32) / 300
        return SearchMaps(scores, np.full((len(crops), 4, 25, 25), 32.0), features=crops)

    def search_features(self, maps):
        crops = [cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA) for crop in maps.features]
        return np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)


def twins(left, right):
    """A green square at one place, and a red one that is a little brighter at another."""
    frame = np.full((200, 300, 3), 20, np.uint8)
    frame[80:110, left : left + 30] = 20, 200, 20
    frame[80:110, right : right + 30] = 20, 20, 205
    return frame


def follow_green(tracker, green=(100, 100, 104, 108, 112)):
    """Centres of the boxes that are found."""
    tracker.init(twins(green[0], green[0] + 60), [[green[0], 80, green[0] + 30, 110]])
    steps = [tracker.step(twins(left, left + 60)) for left in green[1:]]
    return [float(result.box[::2].mean()) for [result] in steps]


def test_the_online_model_holds_on_to_the_target_beside_a_twin():
    without = Tracker(TwinEngine())
    with_it = Tracker(TwinEngine(), replace(TwinEngine.params, online_share=0.5))
    assert max(follow_green(without)) > 150
    np.testing.assert_allclose(follow_green(with_it), [115, 119, 123, 127], atol=6)


def test_an_engine_without_features_is_used_without_online_models():
    frames = video()
    expected = track_alone(BOXES[0], frames)
    engine = BrightSpotEngine()
    tracker = SingleTargetTracker(engine, replace(engine.params, online_share=0.5))
    got = [tracker.init(frames[0], BOXES[0]), *(tracker.step(frame) for frame in frames[1:])]
    assert_equal(got, expected)


def test_online_models_of_several_targets_do_not_touch_each_other():
    params = replace(TwinEngine.params, online_share=0.5, online_score=0.0)
    frames = [twins(100 + 3 * k, 190 - 2 * k) for k in range(6)]
    boxes = [[100, 80, 130, 110], [190, 80, 220, 110]]
    together = Tracker(TwinEngine(), params)
    together.init(frames[0], boxes)
    both = [together.step(frame) for frame in frames[1:]]
    for index, box in enumerate(boxes):
        alone = SingleTargetTracker(TwinEngine(), params)
        alone.init(frames[0], box)
        for frame, results in zip(frames[1:], both, strict=True):
            np.testing.assert_array_equal(alone.step(frame).box, results[index].box)


@pytest.mark.parametrize(('least', 'learns'), [(0.0, True), (0.9, False)])
def test_online_models_learn_at_their_turn_from_sure_frames(least, learns):
    params = replace(TwinEngine.params, online_share=0.5, online_score=least)
    tracker, seen = Tracker(TwinEngine(), params), []
    frame = twins(100, 160)
    [state], _ = tracker.start(frame, [[100, 80, 130, 110]])
    for _ in range(4):
        weights = state.online.weights
        tracker.find(frame, [state])
        seen.append(not np.array_equal(weights, state.online.weights))
    assert seen == ([False, True, False, True] if learns else [False] * 4)


def test_a_snapshot_holds_what_online_models_learned():
    params = replace(TwinEngine.params, online_share=0.5, online_score=0.0, online_rate=0.5)
    frames = [twins(100 + 3 * k, 190 - 2 * k) for k in range(8)]
    whole, later = Tracker(TwinEngine(), params), Tracker(TwinEngine(), params)
    for tracker in (whole, later):
        tracker.init(frames[0], [[100, 80, 130, 110]])
    for frame in frames[1:5]:
        whole.step(frame)
    later.restore(whole.snapshot())
    for frame in frames[5:]:
        assert_equal(later.step(frame), whole.step(frame))
    after, expected = later.snapshot(), whole.snapshot()
    assert {name for name in after if 'online' in name} >= {'online_weights_0', 'online_gram_0'}
    for name, value in expected.items():
        np.testing.assert_array_equal(after[name], value)


def test_a_snapshot_holds_what_filters_of_jitter_have_seen():
    params = replace(TwinEngine.params, steady_cutoff=0.1, steady_gain=0.5)
    frames = [twins(100 + 3 * k, 190 - 2 * k) for k in range(8)]
    whole, later = Tracker(TwinEngine(), params), Tracker(TwinEngine(), params)
    boxes = [[100, 80, 130, 110], [190, 80, 220, 110]]
    for tracker in (whole, later):
        tracker.init(frames[0], boxes)
    for frame in frames[1:5]:
        whole.step(frame)
    later.restore(whole.snapshot())
    for frame in frames[5:]:
        for one, other in zip(later.step(frame), whole.step(frame), strict=True):
            np.testing.assert_array_equal(one.box, other.box)
    unfiltered = Tracker(TwinEngine(), replace(params, steady_cutoff=0.0))
    unfiltered.init(frames[0], boxes)
    unfiltered.restore(whole.snapshot())
    assert not np.array_equal(unfiltered.step(frames[7])[0].box, whole.step(frames[7])[0].box)
