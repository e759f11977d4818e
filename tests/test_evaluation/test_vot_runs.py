import time

import numpy as np
import pytest

from mmpolar.evaluation.functional import FrameState, exact_overlap
from mmpolar.evaluation.vot_runs import anchor_frames, is_empty, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import MaskRegion, Polygon, Rectangle, Special

TARGET = Rectangle(10, 10, 20, 20)
AWAY = Rectangle(60, 60, 20, 20)


class ScriptedTracker:
    """Answers with a region off the target in the frames that it is told, and keeps a log."""

    def __init__(self, misses=()):
        self.misses = misses
        self.log = []

    def start(self, frame):
        self.log.append(('start', frame))

    def step(self, frame):
        self.log.append(('step', frame))
        return AWAY if frame in self.misses else TARGET


def letters(run):
    return ''.join('.sxt'[state] for state in run.states)


def test_a_tracker_that_holds_on_is_never_reset():
    tracker = ScriptedTracker()
    run = run_with_resets([TARGET] * 6, tracker.start, tracker.step)
    assert letters(run) == 'sttttt'
    assert tracker.log == [('start', 0), *(('step', frame) for frame in range(1, 6))]
    np.testing.assert_array_equal(run.overlaps, [0, 1, 1, 1, 1, 1])
    assert run.present.all()


def test_a_lost_target_is_given_again_five_frames_later():
    tracker = ScriptedTracker(misses=(3, 10))
    run = run_with_resets([TARGET] * 18, tracker.start, tracker.step)
    assert letters(run) == 'sttx....stx....stt'
    assert [frame for what, frame in tracker.log if what == 'start'] == [0, 8, 15]
    assert run.regions[3] == AWAY
    assert run.regions[4] is None


def test_a_failure_right_after_the_start_and_near_the_end():
    tracker = ScriptedTracker(misses=(1, 9))
    run = run_with_resets([TARGET] * 11, tracker.start, tracker.step)
    assert letters(run) == 'sx....sttx.'
    assert letters(run_with_resets([TARGET] * 4, tracker.start, tracker.step, skip=1)) == 'sxst'


def test_a_restart_lies_at_least_a_frame_later():
    tracker = ScriptedTracker()
    with pytest.raises(ValueError, match='got 0'):
        run_with_resets([TARGET] * 4, tracker.start, tracker.step, skip=0)


def test_times_are_those_of_the_tracker():
    def slow_step(frame):
        time.sleep(0.02)
        return AWAY if frame == 2 else TARGET

    run = run_with_resets([TARGET] * 5, lambda frame: None, slow_step)
    assert (run.seconds[1:3] >= 0.02).all()
    assert 0 <= run.seconds[0] < 0.02
    assert np.isnan(run.seconds[3:]).all()


def test_overlap_is_measured_as_asked():
    def half(frame):
        return Rectangle(10.4, 10, 20, 20)

    assert run_with_resets([TARGET] * 2, lambda frame: None, half).overlaps[1] == 1
    exact = run_with_resets([TARGET] * 2, lambda frame: None, half, exact_overlap)
    assert exact.overlaps[1] == pytest.approx(19.6 / 20.4)


def test_a_run_from_an_anchor_goes_on_after_a_miss():
    tracker = ScriptedTracker(misses=(3, 4))
    truth = [TARGET] * 5 + [Special(0)] + [TARGET] * 2
    run = run_from_anchor(truth, np.arange(6, -1, -1), tracker.start, tracker.step)
    assert letters(run) == 'stttttt'
    assert tracker.log == [('start', 6), *(('step', frame) for frame in range(5, -1, -1))]
    np.testing.assert_array_equal(run.overlaps[1:], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(run.present, [1, 0, 1, 1, 1, 1, 1])


def test_anchors_run_forwards_and_backwards():
    runs = anchor_frames([1, 0, -1, 1, 0])
    assert [run.tolist() for run in runs] == [[0, 1, 2, 3, 4], [3, 4], [2, 1, 0]]
    with pytest.raises(ValueError, match='none of 3 frames is an anchor'):
        anchor_frames([0, 0, 0])


def test_empty_regions():
    full = MaskRegion(0, 0, np.ones((2, 2), np.uint8))
    flat = Polygon(np.array([[0, 1], [5, 1], [9, 1]], float))
    assert not is_empty(TARGET)
    assert not is_empty(full)
    assert not is_empty(Polygon(np.array([[0, 1], [5, 1], [9, 4]], float)))
    for region in (Special(0), Rectangle(1, 1, 0, 5), flat, MaskRegion(0, 0, full.mask * 0)):
        assert is_empty(region)


def test_a_sample_is_plain():
    run = run_with_resets([TARGET] * 2, lambda frame: None, lambda frame: TARGET)
    sample = run.to_sample('car', 2, 0, 1)
    assert sample['video_name'] == 'car'
    assert sample['states'] == [FrameState.START, FrameState.TRACKED]
    assert all(type(value) is float for value in sample['overlaps'] + sample['seconds'])
