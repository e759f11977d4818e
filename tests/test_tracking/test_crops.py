import math

import numpy as np
import pytest

from mmpolar.tracking.crops import cut_target_map, cut_template
from mmpolar.tracking.params import TrackParams


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
