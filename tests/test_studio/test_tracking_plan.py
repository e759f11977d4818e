"""Each frame is tracked from the nearest anchor, and only where that was not done yet."""

import numpy as np
import pytest

from mmpolar.studio.store import ABSENT, MASK, Label
from mmpolar.studio.tracking_plan import BACKWARD, FORWARD, plan_runs


def anchor(frame, kind=MASK):
    return Label(frame + 1, 1, frame, kind, True, 'a.png', None, frame + 1)


def tracked(frame, source):
    return Label(1000 + frame, 1, frame, MASK, False, 'b.png', 0.9, source.mark)


@pytest.mark.parametrize('seed', range(20))
def test_each_frame_has_one_run_from_its_nearest_anchor(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 40))
    frames = sorted(rng.choice(count, int(rng.integers(1, 5)), replace=False).tolist())
    runs = plan_runs([anchor(frame) for frame in frames], count)
    covered = {number: run.anchor.frame for run in runs for number in run.frames}
    assert sum(len(run.frames) for run in runs) == len(covered) == count - len(frames)
    for number, source in covered.items():
        assert abs(number - source) == min(abs(number - frame) for frame in frames)
    for run in runs:  # from the anchor on, without a gap
        assert run.frames[0] == run.anchor.frame + run.frames.step


def test_what_is_up_to_date_is_not_tracked_again():
    first, second = anchor(0), anchor(10)
    labels = [first, *(tracked(frame, first) for frame in range(1, 20))]
    assert plan_runs(labels, 20) == []
    labels[10] = second
    runs = [(run.anchor.frame, run.frames) for run in plan_runs(labels, 20)]
    assert runs == [(10, range(11, 20)), (10, range(9, 5, -1))]


def test_a_run_whose_frames_a_person_has_labelled_is_left_out():
    labels = [anchor(0), *(anchor(frame, ABSENT) for frame in range(1, 5))]
    assert plan_runs(labels, 5) == []
    assert [run.frames for run in plan_runs(labels, 6)] == [range(1, 6)]


def test_one_direction_from_the_anchor_nearest_to_a_frame():
    labels = [anchor(0), anchor(10)]
    [run] = plan_runs(labels, 30, [FORWARD], 17)
    assert (run.anchor.frame, run.frames) == (10, range(11, 30))
    [run] = plan_runs(labels, 30, [BACKWARD], 8)
    assert run.frames == range(9, 5, -1)
    assert plan_runs([], 30) == plan_runs([anchor(3, ABSENT)], 30, frame=3) == []
