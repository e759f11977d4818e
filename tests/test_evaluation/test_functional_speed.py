import numpy as np
import pytest

from mmpolar.evaluation.functional import frames_per_second


def test_the_first_frame_does_not_count():
    assert frames_per_second([9.0, 0.1, 0.1, 0.2]) == pytest.approx(3 / 0.4)


def test_frames_that_did_not_run_do_not_count():
    assert frames_per_second([9.0, 0.1, np.nan, 0.3]) == pytest.approx(2 / 0.4)


def test_nothing_measured_is_unknown():
    assert np.isnan(frames_per_second([0.5]))
    assert np.isnan(frames_per_second([0.5, np.nan]))


def test_times_that_nobody_measured_are_refused():
    with pytest.raises(ValueError, match=r'1 frames took 0\.0 s'):
        frames_per_second([1.0, 0.0, 0.1])
