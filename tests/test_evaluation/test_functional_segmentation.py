import math

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mmpolar.evaluation.functional import (
    boundary_f,
    boundary_map,
    box_similarity,
    region_similarity,
)


def slow_boundary(mask):
    """A pixel is boundary if a right, lower or lower right neighbour inside the image differs."""
    height, width = mask.shape
    out = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0), (1, 1)):
                if y + dy < height and x + dx < width and mask[y, x] != mask[y + dy, x + dx]:
                    out[y, x] = True
    return out


def slow_f(pred, gt, tolerance):
    """F from all distances between the boundary pixels of the whole image."""
    radius = tolerance
    if tolerance < 1:
        radius = math.ceil(tolerance * math.sqrt(gt.shape[0] ** 2 + gt.shape[1] ** 2))
    pred_points = np.argwhere(slow_boundary(pred))
    gt_points = np.argwhere(slow_boundary(gt))
    if len(pred_points) == 0 and len(gt_points) == 0:
        return 1.0
    if len(pred_points) == 0 or len(gt_points) == 0:
        return 0.0
    near = cdist(pred_points, gt_points) <= radius
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def random_blobs(rng, shape):
    noise = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), rng.uniform(1, 6))
    return noise > np.quantile(noise, rng.uniform(0.3, 0.98))


def rectangle(shape, top, left, bottom, right):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def hand_made_masks():
    shape = (40, 56)
    ring = rectangle(shape, 5, 5, 35, 35) & ~rectangle(shape, 12, 12, 28, 28)
    checker = np.indices(shape).sum(axis=0) % 2 == 0
    return [
        np.zeros(shape, bool),
        np.ones(shape, bool),
        rectangle(shape, 0, 0, 10, 10),
        rectangle(shape, 30, 46, 40, 56),
        rectangle(shape, 20, 20, 21, 21),
        rectangle(shape, 0, 10, 40, 12),
        ring,
        checker,
    ]


@pytest.mark.parametrize('seed', range(6))
def test_boundary_map_matches_loops(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((17, 23)) < rng.uniform(0.1, 0.9)
    np.testing.assert_array_equal(boundary_map(mask).astype(bool), slow_boundary(mask))


def test_boundary_map_hand_drawn():
    mask = np.zeros((5, 6), np.uint8)
    mask[1:4, 2:5] = 1
    expected = [
        [0, 1, 1, 1, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(boundary_map(mask), expected)


def test_a_mask_that_fills_the_image_has_no_boundary():
    assert not boundary_map(np.ones((4, 5), bool)).any()


@pytest.mark.parametrize('tolerance', [0.008, 0.05, 1, 3, 16, 17, 40])
@pytest.mark.parametrize('seed', range(4))
def test_boundary_f_matches_all_distances_on_random_masks(seed, tolerance):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(30, 70, 2))
    pred, gt = random_blobs(rng, shape), random_blobs(rng, shape)
    assert boundary_f(pred, gt, tolerance) == pytest.approx(slow_f(pred, gt, tolerance), abs=1e-12)


@pytest.mark.parametrize('tolerance', [0.008, 17])
def test_boundary_f_matches_all_distances_on_hand_made_masks(tolerance):
    masks = hand_made_masks()
    for pred in masks:
        for gt in masks:
            expected = slow_f(pred, gt, tolerance)
            assert boundary_f(pred, gt, tolerance) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('seed', range(3))
def test_j_and_f_match_slow_ones_on_what_a_tracker_draws(seed):
    """A ragged target with holes and thin limbs, and a smooth contour of it that is a little off."""
    rng = np.random.default_rng(seed)
    size = (240, 427)
    rows, columns = np.indices(size)
    x, y = columns - rng.uniform(150, 280), rows - rng.uniform(90, 150)
    noise = cv2.GaussianBlur(rng.standard_normal(size), (0, 0), 4)
    gt = np.hypot(x / 1.4, y) < 45 + 200 * noise
    gt |= (np.abs(x - y / 2) < 2) & (np.abs(y) < 80)
    gt &= np.hypot(x - 15, y + 10) > 6
    angle = np.arctan2(y, x)
    pred = np.hypot(x / 1.4 - 2, y + 3) < 46 + 4 * np.cos(3 * angle)
    expected = (pred & gt).sum() / (pred | gt).sum()
    assert region_similarity(pred, gt) == pytest.approx(expected, abs=1e-12)
    f = boundary_f(pred, gt)
    assert f == pytest.approx(slow_f(pred, gt, 0.008), abs=1e-12)
    assert 0.05 < f < 0.95


def test_boundary_f_of_a_shift_within_and_beyond_the_tolerance():
    shape = (100, 100)
    gt = rectangle(shape, 30, 30, 60, 60)
    assert boundary_f(rectangle(shape, 32, 30, 62, 60), gt, tolerance=2) == 1
    assert boundary_f(rectangle(shape, 33, 30, 63, 60), gt, tolerance=2) < 1
    assert boundary_f(rectangle(shape, 80, 80, 90, 90), gt, tolerance=2) == 0


def test_boundary_f_tolerance_follows_the_image_diagonal():
    # ceil(.008 * sqrt(480^2 + 854^2)) = ceil(7.84) = 8 pixels.
    shape = (480, 854)
    gt = rectangle(shape, 100, 100, 300, 300)
    assert boundary_f(rectangle(shape, 108, 100, 308, 300), gt) == 1
    assert boundary_f(rectangle(shape, 109, 100, 309, 300), gt) < 1


def test_boundary_f_is_symmetric():
    rng = np.random.default_rng(9)
    pred, gt = random_blobs(rng, (60, 80)), random_blobs(rng, (60, 80))
    assert boundary_f(pred, gt) == pytest.approx(boundary_f(gt, pred))


def test_empty_masks_follow_davis():
    empty, some = np.zeros((20, 20), bool), rectangle((20, 20), 5, 5, 10, 10)
    for measure in (region_similarity, boundary_f):
        assert measure(empty, empty) == 1
        assert measure(empty, some) == 0
        assert measure(some, empty) == 0
        assert measure(some, some) == 1


def test_region_similarity_hand_computed():
    pred, gt = rectangle((30, 30), 0, 0, 10, 10), rectangle((30, 30), 5, 0, 15, 10)
    assert region_similarity(pred, gt) == 50 / 150


@pytest.mark.parametrize('kind', [bool, np.uint8, np.int64])
def test_region_similarity_takes_any_non_zero_as_inside(kind):
    pred = rectangle((8, 8), 0, 0, 4, 8).astype(kind)
    gt = rectangle((8, 8), 0, 0, 8, 4).astype(np.uint8) * 255
    assert region_similarity(pred, gt) == 16 / 48


def test_masks_of_different_size_are_refused():
    for measure in (region_similarity, boundary_f):
        with pytest.raises(ValueError, match=r'\(4, 5\).*\(5, 4\)'):
            measure(np.zeros((4, 5), bool), np.zeros((5, 4), bool))


@pytest.mark.parametrize('seed', range(20))
def test_box_similarity_matches_filled_box(seed):
    rng = np.random.default_rng(seed)
    gt = random_blobs(rng, (25, 31))
    x1, y1 = rng.uniform(-8, 25, 2)
    x2, y2 = x1 + rng.uniform(0, 30), y1 + rng.uniform(0, 30)
    rows, columns = np.indices(gt.shape)
    filled = (rows >= y1) & (rows <= y2) & (columns >= x1) & (columns <= x2)
    assert box_similarity(np.array([x1, y1, x2, y2]), gt) == region_similarity(filled, gt)


def test_box_similarity_of_the_mask_of_its_own_box_is_one():
    mask = rectangle((20, 30), 4, 6, 11, 19)
    assert box_similarity(np.array([5.5, 3.5, 18.5, 10.5]), mask) == 1


def test_box_similarity_of_a_missing_box_is_that_of_an_empty_mask():
    missing = np.full(4, np.nan)
    assert box_similarity(missing, rectangle((9, 9), 2, 2, 5, 5)) == 0
    assert box_similarity(missing, np.zeros((9, 9), bool)) == 1
