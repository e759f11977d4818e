import numpy as np
import pytest

from mmpolar.evaluation.functional import clip_polygon, exact_overlap, pixel_overlap
from mmpolar.structures.polar import rasterize_polygon
from mmpolar.structures.vot_region import MaskRegion, Polygon, Rectangle, Special

SIZE = (60, 80)


def rotated(center, size, angle):
    """Corners of a rectangle turned around its centre."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return Polygon(corners @ turn + center)


def random_polygon(rng):
    return rotated(rng.uniform(15, 55, 2), rng.uniform(6, 35, 2), rng.uniform(0, 7))


def fine_overlap(first, second, size, scale=32):
    """IoU counted on a grid of 1/32 px; corners of pixels lie at integers."""
    masks = [
        rasterize_polygon(points * scale - 0.5, (size[0] * scale, size[1] * scale)).astype(bool)
        for points in (first, second)
    ]
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


def slow_polygon_pixels(points, size):
    """The toolkit's rule for a convex polygon: each row from its first to its last crossing."""
    points = np.round(points)
    found = np.zeros(size, bool)
    for row in range(size[0]):
        crossings = []
        for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if min(y1, y2) <= row <= max(y1, y2):
                crossings += [x1, x2] if y1 == y2 else [x1 + (row - y1) / (y2 - y1) * (x2 - x1)]
        if crossings:
            low, high = int(min(crossings)), int(max(crossings))
            found[row, max(low, 0) : max(high + 1, 0)] = True
    return found


@pytest.mark.parametrize('seed', range(8))
def test_exact_overlap_matches_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    first, second = random_polygon(rng), random_polygon(rng)
    expected = fine_overlap(first.points, second.points, SIZE)
    assert exact_overlap(first, second, SIZE) == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize('seed', range(30))
def test_exact_overlap_is_symmetric_and_within_bounds(seed):
    rng = np.random.default_rng(100 + seed)
    first, second = random_polygon(rng), random_polygon(rng)
    value = exact_overlap(first, second)
    assert 0 <= value <= 1
    assert exact_overlap(second, first) == pytest.approx(value, abs=1e-12)
    assert exact_overlap(first, first) == pytest.approx(1)
    shuffled = Polygon(second.points[::-1])
    assert exact_overlap(first, shuffled) == pytest.approx(value, abs=1e-12)


def test_exact_overlap_of_rectangles_by_hand():
    first = Rectangle(0.5, 0.25, 10, 10)
    assert exact_overlap(first, Rectangle(5.5, 0.25, 10, 10)) == pytest.approx(50 / 150)
    assert exact_overlap(first, Rectangle(30, 30, 5, 5)) == 0
    # Both are cut to the frame: 4 px of the width are left of each.
    narrow = exact_overlap(Rectangle(-6, 0, 10, 10), Rectangle(-20, 0, 24, 10), (10, 10))
    assert narrow == pytest.approx(1)


def test_exact_overlap_of_a_concave_prediction():
    # A U of 3 x 3 with a notch of 1 x 2; the window covers its upper two rows.
    points = [[0, 0], [1, 0], [1, 2], [2, 2], [2, 0], [3, 0], [3, 3], [0, 3]]
    value = exact_overlap(Polygon(np.array(points, float)), Rectangle(0, 0, 3, 2))
    assert value == pytest.approx(4 / (7 + 6 - 4))


def test_exact_overlap_of_nothing():
    box = Rectangle(1, 1, 5, 5)
    for nothing in (Special(0), Rectangle(1, 1, 0, 5), Polygon(np.full((4, 2), np.nan))):
        assert exact_overlap(nothing, box) == exact_overlap(box, nothing) == 0
        assert exact_overlap(nothing, nothing) == 1


def test_exact_overlap_refuses_masks():
    with pytest.raises(TypeError, match='pixel_overlap'):
        exact_overlap(MaskRegion(0, 0, np.ones((3, 3), np.uint8)), Rectangle(0, 0, 3, 3))


def test_clip_polygon_leaves_what_is_inside():
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    np.testing.assert_array_equal(clip_polygon(square + 1, square * 3), square + 1)
    assert len(clip_polygon(square + 10, square)) == 0


@pytest.mark.parametrize('seed', range(10))
def test_pixel_overlap_of_convex_polygons_matches_loops(seed):
    rng = np.random.default_rng(seed)
    first, second = random_polygon(rng), random_polygon(rng)
    masks = [slow_polygon_pixels(polygon.points, SIZE) for polygon in (first, second)]
    expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1])[:, : SIZE[1]].sum()
    assert pixel_overlap(first, second, SIZE) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('seed', range(10))
def test_pixel_overlap_is_near_the_exact_one(seed):
    rng = np.random.default_rng(seed)
    first = rotated([40, 30], rng.uniform(20, 40, 2), rng.uniform(0, 7))
    second = rotated([44, 33], rng.uniform(20, 40, 2), rng.uniform(0, 7))
    assert pixel_overlap(first, second, SIZE) == pytest.approx(
        exact_overlap(first, second, SIZE), abs=0.04
    )


def test_pixel_overlap_of_rectangles_by_hand():
    first = Rectangle(10, 10, 20, 20)
    assert pixel_overlap(first, Rectangle(20, 10, 20, 20), SIZE) == pytest.approx(200 / 600)
    # Rounded: x 10.4 to 10, width 19.6 to 20.
    assert pixel_overlap(first, Rectangle(10.4, 10, 19.6, 20), SIZE) == 1
    assert pixel_overlap(first, Rectangle(50, 40, 5, 5), SIZE) == 0
    # Outside of the frame nothing counts.
    assert pixel_overlap(Rectangle(70, 0, 10, 10), Rectangle(70, 0, 500, 10), SIZE) == 1
    assert pixel_overlap(Rectangle(100, 0, 10, 10), Rectangle(100, 5, 10, 10), SIZE) == 0


def test_pixel_overlap_of_masks_by_hand():
    first = MaskRegion(10, 10, np.ones((20, 20), np.uint8))
    holes = MaskRegion(10, 10, np.tile([[1], [0]], (10, 20)).astype(np.uint8))
    assert pixel_overlap(first, holes, SIZE) == 0.5
    assert pixel_overlap(first, Rectangle(10, 10, 20, 20), SIZE) == 1
    # 5 columns lie left of the frame.
    assert pixel_overlap(MaskRegion(-5, 0, first.mask), Rectangle(0, 0, 15, 20), SIZE) == 1


def test_pixel_overlap_of_nothing():
    empty, box = MaskRegion(0, 0, np.zeros((0, 0), np.uint8)), Rectangle(20, 20, 9, 9)
    for nothing in (Special(0), empty, Polygon(np.full((4, 2), np.nan))):
        assert pixel_overlap(nothing, box, SIZE) == pixel_overlap(box, nothing, SIZE) == 0
        assert pixel_overlap(nothing, Special(0), SIZE) == 1
