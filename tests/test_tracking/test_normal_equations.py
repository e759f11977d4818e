import numpy as np
import pytest

from mmpolar.tracking.normal_equations import RIDGE, NormalEquations


def problem(seed=0, rows=60, unknowns=12):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, unknowns)).astype(np.float32)
    return features, rng.normal(size=rows), rng.uniform(0.1, 1, rows)


def ridge_solution(rows, labels, weights):
    """The same problem as rows of ordinary least squares, in float64."""
    roots = np.sqrt(weights)[:, None]
    ridge = RIDGE * np.mean(weights @ (rows.astype(np.float64) ** 2))
    below = np.sqrt(ridge) * np.eye(rows.shape[1])
    sides = np.concatenate([roots[:, 0] * labels, np.zeros(len(below))])
    return np.linalg.lstsq(np.vstack([roots * rows, below]), sides, rcond=None)[0]


def test_solution_is_that_of_weighted_least_squares():
    data = problem()
    expected = ridge_solution(*data)
    np.testing.assert_allclose(NormalEquations.of(*data).solve(), expected, atol=1e-5)


def test_conjugate_gradients_reach_the_direct_solution_from_anywhere():
    equations = NormalEquations.of(*problem(rows=40))
    expected, start = equations.solve(), np.ones(12, np.float32)
    np.testing.assert_allclose(equations.improve(start, 24), expected, atol=1e-5)
    assert (start == 1).all()


def test_every_step_of_conjugate_gradients_comes_nearer():
    equations = NormalEquations.of(*problem(rows=40))
    start = np.zeros(12, np.float32)
    far = [np.abs(equations.improve(start, n) - equations.solve()).max() for n in range(6)]
    assert all(later < before for before, later in zip(far, far[1:], strict=False))


def test_a_solution_is_not_changed_by_further_steps():
    equations = NormalEquations(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    np.testing.assert_array_equal(equations.improve(np.zeros(3, np.float32), 3), np.zeros(3))


@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_mixed_equations_are_those_of_the_weighted_rows(share):
    first, second = problem(seed=1), problem(seed=2)
    rows, labels = (np.concatenate([a, b]) for a, b in zip(first[:2], second[:2], strict=True))
    weights = np.concatenate([(1 - share) * first[2], share * second[2]])
    got = NormalEquations.of(*first).mixed(NormalEquations.of(*second), share)
    expected = NormalEquations.of(rows, labels, weights)
    np.testing.assert_allclose(got.gram, expected.gram, atol=1e-4)
    np.testing.assert_allclose(got.moment, expected.moment, atol=1e-4)
