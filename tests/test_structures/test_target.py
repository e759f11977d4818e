import numpy as np
import pytest

from mmpolar.structures.target import draw_target


def slow_ellipse(box, size):
    """The ellipse in a box, pixel by pixel; at least a pixel's diagonal wide."""
    drawn = np.zeros((size, size), np.uint8)
    x1, y1, x2, y2 = box
    for row, col in np.ndindex(size, size):
        x = (col - (x1 + x2) / 2) / max((x2 - x1) / 2, 0.71)
        y = (row - (y1 + y2) / 2) / max((y2 - y1) / 2, 0.71)
        drawn[row, col] = x * x + y * y <= 1
    return drawn


def test_without_a_mask_the_ellipse_in_the_box_is_drawn():
    rng = np.random.default_rng(0)
    for _ in range(30):
        first, extent = rng.uniform(-5, 25, 2), np.exp(rng.uniform(-2, 3, 2))
        box = np.concatenate([first, first + extent])
        got = draw_target(box, 21)
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, slow_ellipse(box, 21))


def test_ellipse_touches_the_sides_of_its_box():
    drawn = draw_target(np.array([9.5, 19.5, 50.5, 34.5]), 61)
    rows, cols = np.nonzero(drawn)
    assert (cols.min(), rows.min(), cols.max(), rows.max()) == (10, 20, 50, 34)
    assert drawn.sum() == pytest.approx(np.pi / 4 * 41 * 15, rel=0.02)


def test_mask_is_drawn_as_it_is():
    mask = np.zeros((9, 9), np.uint8)
    mask[2, 3:7] = 255
    got = draw_target(np.array([0.0, 0, 8, 8]), 9, mask)
    np.testing.assert_array_equal(got, mask > 0)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(draw_target(np.array([0.0, 0, 8, 8]), 9, mask > 0), got)


def test_empty_mask_counts_as_none():
    box = np.array([1.0, 2, 7, 6])
    got = draw_target(box, 9, np.zeros((9, 9), np.uint8))
    np.testing.assert_array_equal(got, draw_target(box, 9))


@pytest.mark.parametrize('extent', [1e-3, 0.5, 1.0, 1.3])
def test_smallest_targets_hold_a_pixel_wherever_they_lie(extent):
    rng = np.random.default_rng(0)
    centers = [(-0.5, -0.5), (15.5, 15.5), (3.5, 8.5), *rng.uniform(-0.5, 15.5, (50, 2))]
    for x, y in centers:
        box = np.array([x - extent / 2, y - extent / 2, x + extent / 2, y + extent / 2])
        assert draw_target(box, 16).any()


def test_drawing_follows_a_mirrored_and_a_moved_box():
    box = np.array([3.2, 5.1, 14.9, 11.0])
    drawn = draw_target(box, 24)
    mirrored = draw_target(np.array([23 - 14.9, 5.1, 23 - 3.2, 11.0]), 24)
    np.testing.assert_array_equal(mirrored, drawn[:, ::-1])
    moved = draw_target(box + [4, 2, 4, 2], 24)
    np.testing.assert_array_equal(moved[2:, 4:], drawn[:-2, :-4])
