import math

import numpy as np
import pytest

from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.selection import (
    calibrate,
    change_penalty,
    clamp_box,
    cosine_window,
    select_location,
)


@pytest.mark.parametrize('size', [1, 2, 25, 29])
def test_cosine_window_matches_numpy(size):
    expected = np.outer(np.hanning(size), np.hanning(size))
    np.testing.assert_allclose(cosine_window(size), expected, atol=1e-6)


def test_cosine_window_rejects_empty_maps():
    with pytest.raises(ValueError, match='at least 1'):
        cosine_window(0)


def slow_change_penalty(width, height, target_width, target_height, k):
    def padded(w, h):
        pad = (w + h) / 2
        return math.sqrt((w + pad) * (h + pad))

    size = padded(width, height) / padded(target_width, target_height)
    ratio = (target_width / target_height) / (width / height)
    return math.exp(-(max(size, 1 / size) * max(ratio, 1 / ratio) - 1) * k)


def test_change_penalty_matches_loops_and_spares_equal_boxes():
    rng = np.random.default_rng(0)
    width, height = rng.uniform(10, 100, (2, 5, 5))
    got = change_penalty(width, height, 40.0, 30.0, 0.1)
    for index in np.ndindex(5, 5):
        expected = slow_change_penalty(width[index], height[index], 40.0, 30.0, 0.1)
        assert got[index] == pytest.approx(expected)
    assert change_penalty(np.array(40.0), np.array(30.0), 40.0, 30.0, 0.1) == pytest.approx(1)


def maps_with_peak(row, col, box_in_crop, size=25, stride=8, search_size=255):
    score = np.full((size, size), 0.01, np.float32)
    score[row, col] = 0.9
    axis = (np.arange(size) - size // 2) * stride + search_size // 2
    x, y = np.meshgrid(axis, axis)
    x1, y1, x2, y2 = box_in_crop
    ltrb = np.maximum(np.stack([x - x1, y - y1, x2 - x, y2 - y]), 1.0)
    return score, ltrb.astype(np.float32)


@pytest.mark.parametrize('search_size', [255, 287])
def test_select_location_maps_a_box_of_the_crop_back_to_the_frame(search_size):
    # A crop at twice the frame's scale around a target at (100, 80) of 32x32 px; the target has
    # moved by (6, -4) px of the frame and kept its size.
    size = (search_size - 127) // 8 + 9
    middle = search_size // 2
    box_in_crop = np.array([-32, -32, 32, 32]) + middle + 2 * np.array([6, -4, 6, -4])
    score, ltrb = maps_with_peak(size // 2 - 1, size // 2 + 2, box_in_crop, size, 8, search_size)
    box = np.array([84.0, 64.0, 116.0, 96.0])
    params = TrackParams(window_influence=0.0)
    selection = select_location(score, ltrb, box, 2.0, search_size, params)
    assert (selection.row, selection.col) == (size // 2 - 1, size // 2 + 2)
    np.testing.assert_allclose(selection.box, box + np.array([6, -4, 6, -4]), atol=1e-5)
    np.testing.assert_allclose(selection.pole, [100 + 16 / 2, 80 - 8 / 2])
    assert selection.score == pytest.approx(0.9)


def test_select_location_smooths_the_size_at_the_squared_rate():
    score, ltrb = maps_with_peak(12, 12, (127 - 60, 127 - 60, 127 + 60, 127 + 60))
    box = np.array([-20.0, -20.0, 20.0, 20.0])
    params = TrackParams(window_influence=0.0, lr=0.5, penalty_k=0.0)
    selection = select_location(score, ltrb, box, 1.0, 255, params)
    rate = 0.9 * 0.5
    expected = 40 + rate**2 * (120 - 40)
    assert selection.box[2] - selection.box[0] == pytest.approx(expected, rel=1e-5)


def test_window_decides_between_equal_scores():
    score, ltrb = maps_with_peak(2, 2, (100, 100, 150, 150))
    score[11, 13] = score[2, 2]
    ltrb[:] = 25.0
    box = np.array([0.0, 0.0, 50.0, 50.0])
    selection = select_location(score, ltrb, box, 1.0, 255, TrackParams(window_influence=0.3))
    assert (selection.row, selection.col) == (11, 13)


def test_clamp_box_lets_the_centre_reach_the_outer_edges_of_the_frame():
    for corner in ((-0.5, -0.5), (199.5, 99.5)):
        box = np.array([*corner, *corner]) + (-5, -5, 5, 5)
        np.testing.assert_array_equal(clamp_box(box, (100, 200), 4), box)


def test_clamp_box_keeps_the_centre_inside_and_the_size_in_bounds():
    np.testing.assert_allclose(clamp_box(np.array([-50, 10, -30, 30.0]), (100, 200), 4),
                               [-10.5, 10, 9.5, 30])  # fmt: skip
    np.testing.assert_allclose(clamp_box(np.array([50, 50, 51, 51.0]), (100, 200), 4),
                               [48.5, 48.5, 52.5, 52.5])  # fmt: skip
    huge = clamp_box(np.array([-500, -500, 700, 600.0]), (100, 200), 4)
    np.testing.assert_allclose(huge[2:] - huge[:2], [200, 100])


def test_window_does_not_hold_a_lost_target_back():
    score = np.zeros((25, 25))
    score[12, 12], score[2, 3] = 0.5, 0.8
    ltrb = np.full((4, 25, 25), 20.0)
    args = (score, ltrb, np.array([10.0, 10.0, 50.0, 50.0]), 1.0, 255)
    params = TrackParams(window_influence=0.5)
    near, far = (select_location(*args, params, is_lost) for is_lost in (False, True))
    assert (near.row, near.col) == (12, 12)
    assert (far.row, far.col) == (2, 3)


@pytest.mark.parametrize('score', [0.0, 0.2, 0.5, 0.9, 1.0])
def test_calibration_is_a_logistic_map_of_the_logit(score):
    assert calibrate(score, TrackParams()) == score
    params = TrackParams(score_slope=2.0, score_offset=-1.0)
    bounded = min(max(score, 1e-9), 1 - 1e-9)
    logit = math.log(bounded / (1 - bounded))
    expected = 1 / (1 + math.exp(1 - 2 * logit))
    assert calibrate(score, params) == pytest.approx(expected, abs=1e-6)
