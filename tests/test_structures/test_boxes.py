import numpy as np
import pytest

from mmpolar.structures.boxes import box_overlap, check_box


def test_a_box_inside_the_frame_is_kept():
    np.testing.assert_array_equal(check_box([10, 20, 30, 50], (100, 200)), [10, 20, 30, 50])


def test_a_box_larger_than_the_frame_is_cut_to_the_frame():
    np.testing.assert_array_equal(
        check_box([-10, -10, 500, 500], (100, 200)), [-0.5, -0.5, 199.5, 99.5]
    )


@pytest.mark.parametrize(
    ('box', 'message'),
    [
        ([300, 20, 330, 50], 'outside the frame of 200x100'),
        ([10, -30, 30, -5], 'outside the frame'),
        ([30, 20, 10, 50], 'no positive width'),
        ([10, 20, 10, 20], 'no positive width'),
        ([10, 20, float('nan'), 50], 'finite'),
        ([10, 20, float('inf'), 50], 'finite'),
        ([10, 20, 30], 'four finite numbers'),
    ],
)
def test_an_unusable_box_is_named(box, message):
    with pytest.raises(ValueError, match=message):
        check_box(box, (100, 200))


@pytest.mark.parametrize(
    ('other', 'expected'),
    [([0, 0, 10, 10], 1), ([5, 0, 15, 10], 1 / 3), ([10, 10, 20, 20], 0), ([2, 2, 6, 6], 0.16)],
)
def test_box_overlap_is_intersection_over_union(other, expected):
    box = np.array([0.0, 0, 10, 10])
    assert box_overlap(box, np.array(other, float)) == pytest.approx(expected)
