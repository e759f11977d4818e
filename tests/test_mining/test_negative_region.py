import numpy as np
import pytest

from mmpolar.mining.pool.negative_region import (
    CLEARANCE,
    MAX_OFFSET,
    MIN_VISIBLE,
    background_region,
    distractor_region,
)
from mmpolar.structures.crop import context_size

RATIO = 255 / 127


def window(region, ratio=RATIO):
    """The square of the frame that a search crop around a region shows."""
    center, half = (region[:2] + region[2:]) / 2, context_size(region) * ratio / 2
    return np.concatenate([center - half, center + half])


def shown_pixels(box, size):
    """Boolean image of the frame pixels, with a rim around the frame, whose square a box meets."""
    rim = max(size)
    y, x = np.mgrid[-rim : size[0] + rim, -rim : size[1] + rim]
    x1, y1, x2, y2 = box
    return (x + 0.5 > x1) & (x - 0.5 < x2) & (y + 0.5 > y1) & (y - 0.5 < y2)


def random_box(rng, size, least=8, most=60):
    width, height = rng.uniform(least, most, 2)
    x, y = rng.uniform(0, size[1] - width), rng.uniform(0, size[0] - height)
    return np.array([x, y, x + width, y + height])


@pytest.mark.parametrize('ratio', [RATIO, 1.5])
def test_background_windows_never_show_a_pixel_of_the_target(ratio):
    size, found = (120, 200), 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        target = random_box(rng, size)
        region = background_region(rng, target, size, ratio)
        if region is None:
            continue
        found += 1
        seen = shown_pixels(window(region, ratio), size)
        assert not (seen & shown_pixels(target, size)).any()
    assert found > 100


def test_background_regions_keep_the_shape_and_lie_mostly_in_the_frame():
    size, zooms = (150, 220), []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        target = random_box(rng, size)
        region = background_region(rng, target, size, RATIO)
        if region is None:
            continue
        shape, true_shape = region[2:] - region[:2], target[2:] - target[:2]
        zooms.append(shape[0] / true_shape[0])
        np.testing.assert_allclose(shape, zooms[-1] * true_shape, rtol=1e-4)
        x1, y1, x2, y2 = window(region)
        inside = min(x2, size[1] - 0.5) - max(x1, -0.5), min(y2, size[0] - 0.5) - max(y1, -0.5)
        assert min(inside) > 0
        assert np.prod(inside) >= MIN_VISIBLE * (x2 - x1) * (y2 - y1) * 0.999
    assert {round(zoom, 2) for zoom in zooms} == {1.0, 0.75, 0.5}
    assert np.mean(np.isclose(zooms, 1, atol=1e-3)) > 0.4


def test_target_that_fills_the_frame_has_no_background():
    rng = np.random.default_rng(0)
    assert background_region(rng, [-0.5, -0.5, 199.5, 119.5], (120, 200), RATIO) is None


def test_distractor_windows_show_the_distractor_and_not_the_target():
    size, found, centred = (240, 320), 0, 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        target, distractor = random_box(rng, size, 10, 50), random_box(rng, size, 10, 50)
        region = distractor_region(rng, distractor, target, RATIO)
        if region is None:
            continue
        found += 1
        square = window(region)
        apart = (square[:2] >= target[2:] + CLEARANCE * 0.999).any() or (
            square[2:] <= target[:2] - CLEARANCE * 0.999
        ).any()
        assert apart
        middle = (distractor[:2] + distractor[2:]) / 2
        offset = np.abs(middle - (square[:2] + square[2:]) / 2)
        assert (offset <= MAX_OFFSET * (square[2] - square[0]) / 2 * 1.001).all()
        centred += (offset < 1e-3).all()
    assert found > 100
    assert 0 < centred < found


def test_distractor_on_the_target_cannot_be_shown_alone():
    rng = np.random.default_rng(0)
    assert distractor_region(rng, [50, 50, 90, 90], [55, 55, 80, 80], RATIO) is None


def test_regions_depend_on_the_generator_alone():
    target = np.array([20.0, 30, 50, 60])
    draws = [
        background_region(np.random.default_rng(seed), target, (240, 320), RATIO)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.allclose(draws[0], draws[2])
