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
