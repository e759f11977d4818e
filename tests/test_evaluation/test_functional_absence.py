import math

import numpy as np
import pytest

from mmpolar.evaluation.functional import absence_scores
from mmpolar.evaluation.functional.absence import FOUND_OVERLAP, FOUND_WITHIN


def slow_scores(present, visible, overlaps):
    """The same, frame by frame."""
    flagged = {True: [], False: []}
    waits, waiting = [], None
    for t, (here, seen, overlap) in enumerate(zip(present, visible, overlaps, strict=True)):
        flagged[here].append(not seen)
        if here and t > 0 and not present[t - 1]:
            waiting = t
            waits.append(math.inf)
        if not here:
            waiting = None
        if waiting is not None and seen and overlap >= FOUND_OVERLAP:
            waits[-1], waiting = t - waiting + 1, None
    known = [wait for wait in waits if wait < math.inf]

    def mean(values):
        return np.mean(values) if values else math.nan

    again = mean([wait <= FOUND_WITHIN for wait in waits])
    return mean(flagged[False]), mean(flagged[True]), again, mean(known)


@pytest.mark.parametrize('seed', range(20))
def test_scores_equal_a_loop_over_frames(seed):
    rng = np.random.default_rng(seed)
    present = np.repeat(rng.random(12) < 0.6, rng.integers(1, 20, 12))
    present[0] = True
    visible = rng.random(len(present)) < 0.5
    overlaps = np.where(present, rng.random(len(present)), math.nan)
    scores = absence_scores(present, visible, overlaps)
    expected = slow_scores(present, visible, overlaps)
    got = (scores.absent_flagged, scores.present_flagged, scores.found_again, scores.recovery)
    assert got == pytest.approx(expected, nan_ok=True)


def test_a_target_that_never_leaves_cannot_be_found_again():
    scores = absence_scores(np.ones(5, bool), np.ones(5, bool), np.full(5, 0.9))
    assert scores.present_flagged == 0
    assert all(
        math.isnan(value) for value in (scores.absent_flagged, scores.found_again, scores.recovery)
    )


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='one value a frame'):
        absence_scores(np.ones(5, bool), np.ones(4, bool), np.ones(5))
