import numpy as np
import pytest

from mmpolar.tracking.products import product


@pytest.mark.parametrize('shapes', [((7, 5), (5, 9)), ((1, 3), (3, 1)), ((6, 4), (4,))])
def test_products_are_numpys(shapes):
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    got = product(left, right)
    assert got.dtype == np.float32
    assert got.shape == (left @ right).shape
    np.testing.assert_allclose(got, left @ right, rtol=1e-5, atol=1e-6)


def test_views_are_multiplied_as_they_are_seen():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 8, 8)).astype(np.float32)
    chosen = np.array([True, False] * 4)
    np.testing.assert_allclose(
        product(left[:, chosen].T, right), left[:, chosen].T @ right, rtol=1e-5, atol=1e-6
    )
