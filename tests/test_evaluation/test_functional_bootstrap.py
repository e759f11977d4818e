import math

import numpy as np
import pytest

from mmpolar.evaluation.functional import bootstrap_interval, quarter_means


def test_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(0.7, 0.1, 200)
    low, high = bootstrap_interval(values)
    error = values.std() / math.sqrt(200)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_equal_values_leave_no_doubt():
    assert bootstrap_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_same_values_give_the_same_interval():
    values = [0.2, 0.9, 0.4, 0.7]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, 0.5)[0] > bootstrap_interval(values)[0]


def test_unknown_values_are_left_out():
    assert bootstrap_interval([0.2, math.nan, 0.9]) == bootstrap_interval([0.2, 0.9])
    assert all(math.isnan(end) for end in bootstrap_interval([math.nan]))


@pytest.mark.parametrize('level', [0, 1, 95])
def test_level_is_a_share(level):
    with pytest.raises(ValueError, match='level'):
        bootstrap_interval([0.5], level)


def test_quarters_of_a_sequence():
    scores = [1.0, 0.8, 0.6, math.nan, 0.4, 0.4, math.nan, math.nan]
    means = quarter_means(scores)
    assert means[:3] == pytest.approx([0.9, 0.6, 0.4])
    assert math.isnan(means[3])
