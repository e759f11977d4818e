import math

import numpy as np
import pytest

from mmpolar.evaluation.functional import (
    NO_POINT,
    average_precision,
    false_alarms_per_10k,
    operating_point,
    point_for_precision,
    point_for_recall,
    pr_curve,
    precision,
    recall,
)

# Sorted: .9+ | .8- .8+ | .5- | .3+ .3- .3- | 0-
SCORES = [0.3, 0.9, 0.8, 0.5, 0.3, 0.8, 0.3, 0.0]
TARGETS = [1, 1, 0, 0, 0, 1, 0, 0]


def counted(scores, targets, threshold):
    """Recall, precision and false alarms, one image after the other."""
    hits = misses = alarms = quiet = 0
    for score, target in zip(scores, targets, strict=True):
        flagged = score >= threshold
        hits += flagged and target
        misses += (not flagged) and target
        alarms += flagged and not target
        quiet += not flagged and not target
    flagged_share = hits / (hits + alarms) if hits + alarms else math.nan
    return hits / (hits + misses), flagged_share, 10_000 * (alarms / (alarms + quiet))


def random_images(seed):
    """Few distinct scores, so that most images are tied; at least one image of each kind."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 60))
    targets = rng.random(size) < rng.uniform(0.1, 0.9)
    targets[:2] = [True, False]
    scores = rng.integers(0, rng.integers(1, 12) + 1, size) / 10
    order = rng.permutation(size)
    return scores[order], targets[order]


def test_values_at_a_threshold_by_hand():
    point = operating_point(SCORES, TARGETS, 0.5)
    assert point.recall == 2 / 3
    assert point.precision == 0.5
    assert point.false_alarms_per_10k == 4000
    assert point.threshold == 0.5


def test_curve_by_hand():
    curve = pr_curve(SCORES, TARGETS)
    np.testing.assert_array_equal(curve.thresholds, [0.9, 0.8, 0.5, 0.3, 0.0])
    np.testing.assert_array_equal(curve.recall, [1 / 3, 2 / 3, 2 / 3, 1, 1])
    np.testing.assert_array_equal(curve.precision, [1, 2 / 3, 1 / 2, 3 / 7, 3 / 8])
    np.testing.assert_array_equal(curve.false_alarms_per_10k, [0, 2000, 4000, 8000, 10000])
    assert average_precision(curve) == pytest.approx((1 + 2 / 3 + 3 / 7) / 3)
    assert [point.threshold for point in curve] == curve.thresholds.tolist()


@pytest.mark.parametrize('seed', range(40))
def test_curve_equals_a_count_at_each_distinct_score(seed):
    scores, targets = random_images(seed)
    curve = pr_curve(scores, targets)
    assert curve.thresholds.tolist() == sorted(set(scores), reverse=True)
    for point in curve:
        expected = counted(scores, targets, point.threshold)
        assert (point.recall, point.precision, point.false_alarms_per_10k) == expected
        assert operating_point(scores, targets, point.threshold) == point


@pytest.mark.parametrize('seed', range(40))
def test_order_of_the_images_does_not_matter(seed):
    scores, targets = random_images(seed)
    order = np.random.default_rng(seed + 1).permutation(len(scores))
    curve, other = pr_curve(scores, targets), pr_curve(scores[order], targets[order])
    for name, values in vars(curve).items():
        np.testing.assert_array_equal(values, vars(other)[name])


@pytest.mark.parametrize('seed', range(40))
def test_values_equal_a_count_between_the_scores_too(seed):
    scores, targets = random_images(seed)
    for threshold in np.random.default_rng(seed).uniform(-0.1, 1.4, 10):
        expected = counted(scores, targets, threshold)
        assert recall(scores, targets, threshold) == expected[0]
        np.testing.assert_equal(precision(scores, targets, threshold), expected[1])
        assert false_alarms_per_10k(scores, targets, threshold) == expected[2]


@pytest.mark.parametrize('wanted', [0.05, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize('seed', range(20))
def test_wanted_points_are_the_best_of_all_thresholds(seed, wanted):
    scores, targets = random_images(seed)
    points = {threshold: counted(scores, targets, threshold) for threshold in set(scores)}
    curve = pr_curve(scores, targets)

    precise = [(r, t) for t, (r, p, _) in points.items() if p >= wanted]
    found = point_for_precision(curve, wanted)
    assert found.exists == bool(precise)
    if precise:
        assert (found.recall, found.threshold) == max(precise)

    complete = [(alarms, -t) for t, (r, _, alarms) in points.items() if r >= wanted]
    found = point_for_recall(curve, wanted)
    alarms, threshold = min(complete, key=lambda point: point[1])
    assert (found.false_alarms_per_10k, found.threshold) == (alarms, -threshold)
    assert found.false_alarms_per_10k == min(complete)[0]


def test_precision_that_is_lost_and_won_again_gives_the_higher_recall():
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.1]
    targets = [1, 0, 1, 1, 1, 0]
    point = point_for_precision(pr_curve(scores, targets), 0.8)
    assert (point.threshold, point.recall, point.precision) == (0.5, 1.0, 0.8)


def test_precision_out_of_reach_is_no_point():
    point = point_for_precision(pr_curve([0.9, 0.8, 0.8], [0, 1, 0]), 0.5)
    assert point is NO_POINT
    assert not point.exists
    assert all(math.isnan(value) for value in vars(point).values())


def test_perfect_and_worthless_scores():
    perfect = pr_curve([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0])
    assert average_precision(perfect) == 1
    assert point_for_recall(perfect, 1.0).false_alarms_per_10k == 0
    equal = pr_curve(np.zeros(10), np.arange(10) < 3)
    assert len(equal) == 1
    assert average_precision(equal) == pytest.approx(0.3)
    assert equal[0].false_alarms_per_10k == 10_000


def test_nothing_flagged_has_no_precision():
    point = operating_point([0.2, 0.1], [1, 0], 0.5)
    assert math.isnan(point.precision)
    assert (point.recall, point.false_alarms_per_10k) == (0, 0)
    assert point.exists


@pytest.mark.parametrize(
    ('scores', 'targets', 'message'),
    [
        ([0.1, math.nan, math.inf], [0, 1, 1], r'2 of 3 scores are not finite.*nan, of image 1'),
        ([0.1, 0.2], [1], r'equal length, got the shapes \(2,\) and \(1,\)'),
        ([[0.1], [0.2]], [[1], [0]], r'equal length'),
        ([0.1, 0.2], [0, 0], 'none of 2 images has a target'),
        ([0.1, 0.2], [1, 1], 'all of 2 images have a target'),
        ([], [], 'none of 0 images has a target'),
        ([0.1, 0.2], [0, 7], 'true or false only'),
    ],
)
def test_data_that_allow_no_curve_are_named(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        pr_curve(scores, targets)


@pytest.mark.parametrize('wanted', [0, -0.5, 1.01, math.nan])
def test_wanted_values_out_of_range_are_refused(wanted):
    curve = pr_curve(SCORES, TARGETS)
    with pytest.raises(ValueError, match='wanted precision must be above 0'):
        point_for_precision(curve, wanted)
    with pytest.raises(ValueError, match='wanted recall must be above 0'):
        point_for_recall(curve, wanted)
