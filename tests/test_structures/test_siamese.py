import math

import numpy as np
import pytest

from mmpolar.structures.siamese import (
    Selection,
    TrackMemo,
    TrackParams,
    advance,
    batches,
    calibrated,
    change_penalty,
    clamp_box,
    cosine_window,
    cut_target_map,
    cut_template,
    locate_all,
    new_memos,
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


def test_small_targets_get_the_larger_search_region():
    params = TrackParams(search_size=255, small_target_search_size=287, small_target_share=0.004)
    assert params.search_size_for(399.0, 100_000.0) == 287
    assert params.search_size_for(401.0, 100_000.0) == 255


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('lr', 1.5),
        ('window_influence', -0.1),
        ('score_ratio', 2.0),
        ('search_size', 100),
        ('crop', 'nearest'),
    ],
)
def test_track_params_reject_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=field):
        TrackParams(**{field: value})


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


FRAME = (120, 160)
SQUARE = np.array([[40, 30], [60, 30], [60, 50], [40, 50]], dtype=np.float32)


def selection(score, box=(42.0, 32.0, 58.0, 48.0)):
    return Selection(row=12, col=12, box=np.array(box), score=score, pole=np.array([50.0, 40.0]))


def memo():
    box = np.array([10.0, 10.0, 30.0, 30.0])
    return TrackMemo(None, box, 0, usual_search_size=255, search_size=255)


def test_target_that_scores_low_is_out_of_sight_and_is_found_at_a_higher_score():
    params = TrackParams(lost_score=0.3, found_score=0.6, lost_search_size=511)
    target, seen = memo(), []
    for score in (0.5, 0.2, 0.5, 0.7, 0.4):
        (result,) = advance([target], [(selection(score), SQUARE)], FRAME, params)
        seen.append((result.visible, target.lost, target.search_size, bool(result.mask.any())))
    assert seen == [
        (True, 0, 255, True),
        (False, 1, 511, False),
        (False, 2, 511, False),
        (True, 0, 255, True),
        (True, 0, 255, True),
    ]


def test_target_out_of_sight_keeps_its_box():
    target = memo()
    params = TrackParams(lost_score=0.3)
    (result,) = advance([target], [(selection(0.1), SQUARE)], FRAME, params)
    np.testing.assert_array_equal(result.box, [10, 10, 30, 30])
    np.testing.assert_array_equal(target.box, [10, 10, 30, 30])
    assert result.polygon is None
    assert result.score == 0.1


def test_no_target_is_lost_by_default():
    target = memo()
    (result,) = advance([target], [(selection(0.0), SQUARE)], FRAME, TrackParams())
    assert result.visible
    assert TrackParams().search_sizes == (255, 287)
    assert TrackParams(lost_score=0.1).search_sizes == (255, 287, 511)


def test_box_of_the_outline_is_cut_at_the_frame_and_leaves_the_search_alone():
    target = memo()
    outline = SQUARE - np.float32([45, 0])
    for share, expected in ((1.0, [-0.5, 30, 15, 50]), (0.5, [20.75, 31, 36.5, 49])):
        params = TrackParams(outline_share=share)
        (result,) = advance([target], [(selection(0.9), outline)], FRAME, params)
        np.testing.assert_allclose(result.box, expected)
        np.testing.assert_allclose(target.box, [42, 32, 58, 48])


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
    assert calibrated(score, TrackParams()) == score
    params = TrackParams(score_slope=2.0, score_offset=-1.0)
    bounded = min(max(score, 1e-9), 1 - 1e-9)
    logit = math.log(bounded / (1 - bounded))
    expected = 1 / (1 + math.exp(1 - 2 * logit))
    assert calibrated(score, params) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('name', ['lost_score', 'found_score'])
def test_scores_that_decide_must_be_shares(name):
    with pytest.raises(ValueError, match=f'{name} must lie in'):
        TrackParams(**{name: 1.5})


def bright_square(center=(70, 50), size=(100, 140), half=(14, 9)):
    """A dark frame with a bright rectangle, its mask and its box."""
    frame = np.zeros((*size, 3), np.uint8)
    x, y = center
    frame[y - half[1] : y + half[1] + 1, x - half[0] : x + half[0] + 1] = 255
    box = np.array([x - half[0], y - half[1], x + half[0], y + half[1]]) + [-0.5, -0.5, 0.5, 0.5]
    return frame, frame[..., 0].copy(), box


@pytest.mark.parametrize('center', [(70, 50), (14, 95)])
def test_target_map_shows_the_mask_where_the_template_shows_the_target(center):
    frame, mask, box = bright_square(center)
    params = TrackParams()
    template = cut_template(frame, box, 0, params)[..., 0]
    target_map = cut_target_map(box, mask, params)
    assert target_map.shape == template.shape == (127, 127)
    assert target_map.dtype == np.uint8
    # Images are interpolated at the border of the target, masks are not.
    is_clear = (template == 0) | (template == 255)
    assert is_clear.mean() > 0.95
    np.testing.assert_array_equal(target_map[is_clear], template[is_clear] > 0)


def test_target_map_of_a_box_is_the_ellipse_in_it():
    _, _, box = bright_square()
    target_map = cut_target_map(box, None, TrackParams())
    rows, cols = np.nonzero(target_map)
    zoom = 127 / math.sqrt((29 + 24) * (19 + 24))
    assert np.ptp(cols) + 1 == pytest.approx(29 * zoom, abs=1.5)
    assert np.ptp(rows) + 1 == pytest.approx(19 * zoom, abs=1.5)
    assert target_map.sum() == pytest.approx(np.pi / 4 * 29 * 19 * zoom**2, rel=0.02)
    assert (target_map == target_map[::-1, ::-1]).all()


def test_target_map_moves_with_its_target_and_takes_any_mask_value():
    _, mask, box = bright_square()
    expected = cut_target_map(box, mask, TrackParams())
    moved = cut_target_map(box + [5, -7, 5, -7], np.roll(mask, (-7, 5), (0, 1)), TrackParams())
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(cut_target_map(box, mask > 0, TrackParams()), expected)
    np.testing.assert_array_equal(cut_target_map(box, mask // 255 * 7, TrackParams()), expected)


def test_target_map_without_a_visible_mask_is_that_of_the_box():
    _, mask, box = bright_square()
    expected = cut_target_map(box, None, TrackParams())
    np.testing.assert_array_equal(cut_target_map(box, mask * 0, TrackParams()), expected)


@pytest.mark.parametrize(
    ('at_most', 'expected'),
    [
        (None, [[0, 2, 3, 5, 6], [1, 4]]),
        (2, [[0, 2], [3, 5], [6], [1, 4]]),
        (1, [[0], [2], [3], [5], [6], [1], [4]]),
    ],
)
def test_batches_hold_targets_of_one_search_size(at_most, expected):
    sizes = [255, 287, 255, 255, 287, 255, 255]
    memos = [TrackMemo(None, np.zeros(4), 0.0, size, size) for size in sizes]
    assert batches(memos, at_most) == expected
    assert batches([], at_most) == []


def test_outlines_are_measured_at_the_elected_locations():
    boxes = [np.array([84.0, 64.0, 116.0, 96.0]), np.array([20.0, 30.0, 60.0, 70.0])]
    params = TrackParams(window_influence=0.0, penalty_k=0.0)
    memos = new_memos([None, None], boxes, 0, (200, 300), params)
    places, scales = [(11, 14), (5, 20)], [2.0, 0.5]
    peaks = [maps_with_peak(row, col, (100, 100, 150, 150)) for row, col in places]
    scores, ltrb = (np.stack(part) for part in zip(*peaks, strict=True))
    radii = np.arange(16, dtype=np.float32).reshape(2, 8) + 10
    asked = []

    def outline(locations):
        asked.append(locations.tolist())
        return radii

    found = locate_all(scores, ltrb, memos, scales, params, outline)
    for number, (elected, line) in enumerate(found):
        assert (elected.row, elected.col) == places[number]
        lengths = np.linalg.norm(line - elected.pole, axis=1)
        np.testing.assert_allclose(lengths, radii[number] / scales[number], rtol=1e-4)
    assert asked == [[11 * 25 + 14, 5 * 25 + 20]]
    plain = locate_all(scores, ltrb, memos, scales, params)
    assert [line for _, line in plain] == [None, None]
    assert [elected.row for elected, _ in plain] == [11, 5]
