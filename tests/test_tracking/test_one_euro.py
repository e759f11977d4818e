import numpy as np
import pytest

from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import TrackParams
from mmpolar.tracking.one_euro import OneEuroFilter
from mmpolar.tracking.state import TargetState


def slow_filter(values, cutoff, gain, speed_cutoff):
    """The equations of the paper, number by number, for a rate of 1."""

    def alpha(frequency):
        return 1 / (1 + 1 / (2 * np.pi * frequency))

    filtered, speed = [values[0]], 0.0
    for value in values[1:]:
        change = value - filtered[-1]
        speed = alpha(speed_cutoff) * change + (1 - alpha(speed_cutoff)) * speed
        share = alpha(cutoff + gain * abs(speed))
        filtered.append(share * value + (1 - share) * filtered[-1])
    return filtered


@pytest.mark.parametrize('gain', [0.0, 0.5])
def test_filter_equals_the_equations(gain):
    values = np.cumsum(np.random.default_rng(0).normal(size=(40, 3)), 0)
    smooth = OneEuroFilter(0.08, gain, 0.2)
    got = np.array([smooth(row) for row in values])
    for column in range(3):
        np.testing.assert_allclose(got[:, column], slow_filter(values[:, column], 0.08, gain, 0.2))


def test_jitter_shrinks_and_movement_is_followed():
    rng = np.random.default_rng(0)
    still, smooth = rng.normal(100, 1, 300), OneEuroFilter(0.05, 0.05)
    filtered = np.array([smooth(np.array([value]))[0] for value in still])
    assert np.abs(np.diff(filtered[50:])).mean() < 0.4 * np.abs(np.diff(still[50:])).mean()
    ramp, smooth = np.arange(100) * 20.0, OneEuroFilter(0.05, 0.05)
    filtered = [smooth(np.array([value]))[0] for value in ramp]
    assert ramp[-1] - filtered[-1] < 20


def test_other_shapes_and_unknown_values_start_anew():
    smooth = OneEuroFilter(0.01)
    smooth(np.zeros(2))
    np.testing.assert_array_equal(smooth(np.full(3, 5.0)), 5)
    assert np.isnan(smooth(np.array([1.0, np.nan, 2.0]))).any()
    np.testing.assert_array_equal(smooth(np.full(3, 7.0)), 7)
    smooth.reset()
    np.testing.assert_array_equal(smooth(np.full(3, 9.0)), 9)


@pytest.mark.parametrize('seen', [0, 5])
def test_filter_goes_on_from_what_another_learned(seen):
    values = np.random.default_rng(0).normal(size=(10, 3))
    smooth = OneEuroFilter(0.08, 0.5, 0.2)
    for row in values[:seen]:
        smooth(row)
    later = OneEuroFilter.of_learned(smooth.learned())
    assert later.cutoff == smooth.cutoff
    for row in values[seen:]:
        np.testing.assert_array_equal(later(row), smooth(row))


@pytest.mark.parametrize('options', [dict(cutoff=0), dict(speed_cutoff=-1), dict(speed_gain=-1)])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        OneEuroFilter(**options)


def result(shift, lost=False):
    box = np.array([10, 10, 50, 50], np.float32) + shift
    return TrackResult(box, 0.9, box.reshape(2, 2), visible=not lost)


def test_results_are_steady_and_a_lost_target_starts_anew():
    params = TrackParams(steady_cutoff=0.05, steady_gain=0)
    state = TargetState(None, np.array([10.0, 10, 50, 50]), 0, 255, 255)
    state.steady(result(0), params)
    second = state.steady(result(4), params)
    assert 0 < second.box[0] - 10 < 1.5
    np.testing.assert_allclose(second.polygon.ravel(), second.box, rtol=1e-6)
    np.testing.assert_array_equal(state.box, [10, 10, 50, 50])
    np.testing.assert_array_equal(state.steady(result(9, lost=True), params).box, result(9).box)
    np.testing.assert_array_equal(state.steady(result(20), params).box, result(20).box)


def test_without_a_cutoff_results_stay():
    state = TargetState(None, np.array([10.0, 10, 50, 50]), 0, 255, 255)
    for shift in (0, 4):
        given = result(shift)
        assert state.steady(given, TrackParams()) is given
