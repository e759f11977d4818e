import cv2
import numpy as np
import pytest

from mmpolar.evaluation.functional.temporal_stability import (
    chi_square,
    cyclic_match_cost,
    longest_contour,
    mean_movement,
    resample_contour,
    shape_contexts,
    temporal_instability,
)


def star(center, radii, size=200):
    """A mask whose boundary has the given radii, at equal angles, around a centre."""
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii)
    points = np.array(center) + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    mask = np.zeros((size, size), np.uint8)
    return cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)


def lobes(count=5, depth=0.3, size=50):
    angles = 2 * np.pi * np.arange(90) / 90
    return size * (1 + depth * np.sin(count * angles))


def slow_match_cost(costs):
    """The cheapest path of each rotation, by recursion over pairs in plain loops."""
    n, m = costs.shape
    means = []
    for start in range(m):
        table = {}
        for i in range(n):
            for j in range(m):
                cost = costs[i, (start + j) % m]
                before = [
                    table[key] for key in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if key in table
                ]
                total, length = min(before, key=lambda entry: entry[0], default=(0.0, 0))
                table[i, j] = (total + cost, length + 1)
        total, length = table[n - 1, m - 1]
        means.append(total / length)
    return min(means)


def slow_shape_contexts(points):
    n = len(points)
    distances = [[np.hypot(*(q - p)) for q in points] for p in points]
    mean = sum(map(sum, distances)) / (n * (n - 1))
    edges = [1 / 8 * 16 ** (k / 4) for k in range(4)]
    histograms = np.zeros((n, 60))
    for i, p in enumerate(points):
        for j, q in enumerate(points):
            if i == j:
                continue
            radial = sum(distances[i][j] / mean >= edge for edge in edges)
            angle = np.arctan2(q[1] - p[1], q[0] - p[0]) % (2 * np.pi)
            histograms[i, radial * 12 + int(angle / (2 * np.pi / 12)) % 12] += 1 / (n - 1)
    return histograms


def test_shape_contexts_equal_loops():
    points = np.random.default_rng(0).uniform(0, 50, (17, 2))
    np.testing.assert_allclose(shape_contexts(points), slow_shape_contexts(points), atol=1e-12)


@pytest.mark.parametrize('shape', [(6, 6), (5, 8), (9, 4)])
def test_match_cost_equals_loops(shape):
    costs = np.random.default_rng(1).uniform(0, 1, shape)
    assert cyclic_match_cost(costs) == pytest.approx(slow_match_cost(costs))


def test_chi_square_is_zero_for_equal_and_one_for_disjoint_histograms():
    histograms = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]])
    np.testing.assert_allclose(chi_square(histograms, histograms), [[0, 1], [1, 0]])


def test_contour_is_divided_into_equal_parts():
    square = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], float)
    points = resample_contour(square, 8)
    np.testing.assert_allclose(points[:3], [[0, 0], [4, 0], [8, 0]])
    assert len(points) == 8


def test_longest_contour_is_taken():
    mask = np.zeros((60, 60), np.uint8)
    mask[5:10, 5:10] = 1
    mask[20:50, 20:50] = 1
    contour = longest_contour(mask)
    assert contour.min() == 20
    assert contour.max() == 49


def test_shift_costs_nothing():
    mask = star((80, 90), lobes())
    shifted = np.roll(mask, (7, 11), (0, 1))
    assert temporal_instability(mask, shifted) == pytest.approx(0, abs=1e-12)


def test_flicker_costs_more_than_a_slow_change():
    rng = np.random.default_rng(0)
    before = star((100, 100), lobes())
    slow = star((104, 98), lobes(depth=0.33) * 1.05)
    flicker = star((100, 100), lobes() * np.exp(rng.normal(0, 0.15, 90)))
    assert temporal_instability(before, flicker) > 2 * temporal_instability(before, slow)


def test_cost_does_not_depend_on_where_the_contour_starts():
    points = resample_contour(longest_contour(star((100, 100), lobes())), 40)
    other = resample_contour(longest_contour(star((100, 100), lobes(count=4))), 40)
    costs = [
        cyclic_match_cost(chi_square(shape_contexts(points), shape_contexts(np.roll(other, k, 0))))
        for k in (0, 3, 21)
    ]
    assert costs == pytest.approx([costs[0]] * 3)


@pytest.mark.parametrize('empty', [0, 1])
def test_empty_mask_has_no_stability(empty):
    masks = [star((100, 100), lobes()), star((100, 100), lobes())]
    masks[empty] = np.zeros_like(masks[0])
    assert np.isnan(temporal_instability(*masks))


def test_movement_is_in_units_of_the_side():
    boxes = np.array([[0, 0, 20, 20], [2, 0, 22, 20], [2, 0, 22, 24]], float)
    assert mean_movement(boxes) == pytest.approx((2 / 20 + (0 + 4) / 2 / 20) / 2)


def test_frames_without_a_box_do_not_count_as_movement():
    boxes = np.array([[0, 0, 10, 10], [np.nan] * 4, [50, 0, 60, 10], [51, 0, 61, 10]], float)
    assert mean_movement(boxes) == pytest.approx(0.1)
    assert np.isnan(mean_movement(boxes[:2]))
