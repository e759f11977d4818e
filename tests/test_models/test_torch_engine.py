"""PyTorch as engine of a tracker: several targets at once are found as one by one."""

import numpy as np
import pytest
import torch
from small_export import small_tracker, state_of, video

from mmpolar.models.trackers import TorchEngine
from mmpolar.tracking import Tracker

BOXES = np.array([[100.0, 80, 160, 130], [30, 40, 90, 110], [200, 150, 210, 162]])
REFINED = dict(
    type='ContourRefineHead',
    in_channels=[40],
    strides=[8],
    combined_channels=8,
    feat_channels=8,
    match_channels=8,
    match_groups=2,
    n_rays=36,
)


@pytest.fixture(scope='module')
def single():
    return small_tracker()


def track_alone(single, frames, target):
    return [single.init(frames[0], target), *(single.step(frame) for frame in frames[1:])]


def assert_same(results, expected):
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.box, other.box, atol=1e-4)
        assert result.score == pytest.approx(other.score, abs=1e-4)
        if other.polygon is None:
            assert result.polygon is None
        else:
            np.testing.assert_allclose(result.polygon, other.polygon, atol=1e-3)
            assert np.mean(result.mask != other.mask) < 1e-4


@pytest.mark.parametrize(
    'options',
    [{}, dict(mask_head=None), dict(refine_head=REFINED)],
    ids=['contours', 'boxes', 'refined'],
)
def test_each_target_is_found_as_alone(options):
    single = small_tracker(**options)
    tracker = Tracker(single.engine)
    expected, sizes = [], set()
    for box in BOXES:
        expected.append(track_alone(single, video(), box))
        sizes.add(state_of(single).search_size)
    assert sizes == {255, 287}
    assert_same(tracker.init(video()[0], BOXES), [results[0] for results in expected])
    for number, frame in enumerate(video()[1:], start=1):
        assert_same(tracker.step(frame), [results[number] for results in expected])


def test_a_frame_is_one_pass_through_the_network(single, monkeypatch):
    sizes = []
    search = single.model.search
    monkeypatch.setattr(
        single.model,
        'search',
        lambda kernels, crops: sizes.append(tuple(crops.shape)) or search(kernels, crops),
    )
    tracker = Tracker(single.engine)
    tracker.init(video()[0], BOXES[:2])
    tracker.step(video()[1])
    assert sizes == [(2, 3, 255, 255)] * 2


def test_targets_come_and_go(single):
    expected = track_alone(single, video()[1:], BOXES[1])
    tracker = Tracker(single.engine)
    tracker.init(video()[0], BOXES[:1])
    tracker.step(video()[1])
    assert tracker.add(video()[1], BOXES[1]) == 1
    assert tracker.ids == (0, 1)
    assert_same(tracker.step(video()[2])[1:], expected[1:2])
    tracker.remove(0)
    assert_same(tracker.step(video()[3]), expected[2:3])
    assert tracker.add(video()[3], BOXES[2]) == 2
    assert tracker.ids == (1, 2)
    with pytest.raises(KeyError, match='no target 0'):
        tracker.remove(0)


def test_boxes_and_masks_may_be_mixed(single):
    mask = np.zeros((240, 320), np.uint8)
    mask[80:130, 100:160] = 1
    tracker = Tracker(single.engine)
    first = tracker.init(video()[0], [mask, BOXES[1]])
    np.testing.assert_allclose(first[0].box, [99.5, 79.5, 159.5, 129.5])
    np.testing.assert_allclose(first[1].box, BOXES[1])


def test_the_single_tracker_keeps_its_own_target(single):
    expected = track_alone(single, video()[:2], BOXES[0])
    single.init(video()[0], BOXES[0])
    tracker = Tracker(single.engine)
    tracker.init(video()[0], BOXES[1:])
    tracker.step(video()[1])
    assert_same([single.step(video()[1])], expected[1:])


def test_half_precision_holds_for_all_targets():
    model = small_tracker().model
    exact, half = (Tracker(TorchEngine(model, kind)) for kind in (torch.float32, torch.bfloat16))
    polygons = [tracker.init(video()[0], BOXES[:1])[0].polygon for tracker in (exact, half)]
    assert 0 < np.abs(polygons[0] - polygons[1]).mean() < 2


def test_unusable_targets_leave_the_old_ones(single):
    tracker = Tracker(single.engine)
    with pytest.raises(RuntimeError, match='call init'):
        tracker.step(video()[0])
    tracker.init(video()[0], BOXES)
    with pytest.raises(ValueError, match='no target was given'):
        tracker.init(video()[0], [])
    with pytest.raises(ValueError, match='outside the frame'):
        tracker.init(video()[0], [BOXES[0], [500, 500, 600, 600]])
    with pytest.raises(ValueError, match='mask of the target is empty'):
        tracker.add(video()[0], np.zeros((240, 320)))
    assert len(tracker.step(video()[1])) == 3


def test_threads_of_an_engine_count_while_it_computes(single, monkeypatch):
    before, seen = torch.get_num_threads(), []
    search = single.model.search
    monkeypatch.setattr(
        single.model, 'search', lambda *args: seen.append(torch.get_num_threads()) or search(*args)
    )
    for threads in (1, 3, None):
        tracker = Tracker(TorchEngine(single.model, threads=threads))
        tracker.init(video()[0], BOXES[:1])
        assert torch.get_num_threads() == before
    assert seen == [1, 3, before]


def test_threads_below_one_are_refused(single):
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        Tracker(TorchEngine(single.model, threads=0)).init(video()[0], BOXES[:1])
