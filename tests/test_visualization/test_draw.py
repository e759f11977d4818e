from dataclasses import replace

import numpy as np
import pytest

from mmpolar.structures.track_result import TrackResult
from mmpolar.visualization import (
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
    draw_result,
    draw_results,
    fit_to_size,
)
from mmpolar.visualization.draw import LOST_COLOR, PREDICTION_COLOR, TARGET_COLORS

RED = (0, 0, 255)


def grey(height=60, width=80, value=100):
    return np.full((height, width, 3), value, np.uint8)


def changed(before, after):
    return (before != after).any(axis=-1)


def disc(height=60, width=80):
    rows, columns = np.indices((height, width))
    return (rows - 30) ** 2 + (columns - 40) ** 2 <= 15**2


def two_answers():
    """Two targets side by side."""
    boxes = np.array([[5, 25, 25, 45], [45, 25, 70, 50]], np.float32)
    return [TrackResult(box, score) for box, score in zip(boxes, (0.9, 0.5), strict=True)]


DRAWINGS = {
    'box': lambda img: draw_box(img, [10, 10, 50, 40]),
    'polygon': lambda img: draw_polygon(img, [[10, 10], [50, 12], [30, 40]], RED),
    'mask': lambda img: draw_mask(img, disc(), RED, 0.5),
    'contour': lambda img: draw_mask_contour(img, disc()),
    'result': lambda img: draw_result(
        img, [10, 10, 50, 40], [[10, 10], [50, 12], [30, 40]], disc(), 0.876, 'cat'
    ),
    'results': lambda img: draw_results(img, two_answers()),
    'sheet': lambda img: contact_sheet([img], 1),
    'fitted': lambda img: fit_to_size(img, (80, 60)),
}


@pytest.mark.parametrize('name', DRAWINGS)
def test_the_input_stays_and_the_output_is_new_uint8(name):
    img = grey()
    out = DRAWINGS[name](img)
    assert out.dtype == np.uint8
    assert out.flags.owndata or out.base is not img
    assert not np.shares_memory(out, img)
    np.testing.assert_array_equal(img, grey())


@pytest.mark.parametrize('name', DRAWINGS)
def test_other_than_uint8_bgr_is_refused(name):
    with pytest.raises(TypeError, match='float64'):
        DRAWINGS[name](grey().astype(float))
    with pytest.raises(ValueError, match=r'\(60, 80\)'):
        DRAWINGS[name](grey()[..., 0])


def test_box_lies_on_its_coordinates():
    # The line is smoothed: its own pixels are nearly red, their neighbours faintly.
    marked = draw_box(grey(), [20, 10, 60, 40], RED, thickness=1)[..., 2] > 200
    expected = np.zeros_like(marked)
    expected[[10, 40], 20:61] = True
    expected[10:41, [20, 60]] = True
    np.testing.assert_array_equal(marked, expected)


def test_box_is_drawn_at_fractions_of_pixels():
    img = grey()
    out = draw_box(img, [20, 10.5, 60, 40], RED, thickness=1).astype(int)
    # A line between rows 10 and 11 colours both, each in part.
    for row in (10, 11):
        assert 100 < out[row, 40, 2] < 255


def test_polygon_is_closed():
    img = grey()
    marked = changed(img, draw_polygon(img, [[20, 10], [60, 10], [60, 40], [20, 40]], RED, 1))
    np.testing.assert_array_equal(marked, changed(img, draw_box(img, [20, 10, 60, 40], RED, 1)))


@pytest.mark.parametrize('box', [[-500, -500, 900, 900], [200, 200, 300, 300], [1e12, 0, 2e12, 9]])
def test_shapes_outside_the_image_leave_it_alone(box):
    img = grey()
    assert not changed(img, draw_box(img, box, RED, 1)).any()


def test_shapes_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match='box to draw'):
        draw_box(grey(), [1, 2, np.nan, 4])
    with pytest.raises(ValueError, match=r'shape \(4,\)'):
        draw_box(grey(), [[1, 2, 3, 4]])
    with pytest.raises(ValueError, match=r'shape \(V, 2\)'):
        draw_polygon(grey(), np.zeros((0, 2)), RED)


def test_mask_tints_exactly_its_pixels():
    img = grey()
    out = draw_mask(img, disc(), RED, alpha=0.5)
    np.testing.assert_array_equal(changed(img, out), disc())
    np.testing.assert_array_equal(out[30, 40], [50, 50, 178])


def test_mask_weights_at_their_ends():
    img = grey()
    assert not changed(img, draw_mask(img, disc(), RED, alpha=0)).any()
    assert (draw_mask(img, disc(), RED, alpha=1)[disc()] == RED).all()
    with pytest.raises(ValueError, match=r'\[0, 1\], got 1.5'):
        draw_mask(img, disc(), RED, alpha=1.5)


def test_empty_mask_changes_nothing():
    img = grey()
    nothing = np.zeros((60, 80), bool)
    assert not changed(img, draw_mask(img, nothing)).any()
    assert not changed(img, draw_mask_contour(img, nothing)).any()


def test_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r'\(60, 79\).*\(60, 80\)'):
        draw_mask(grey(), np.zeros((60, 79), bool))


def test_contour_follows_border_and_hole():
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 255
    mask[25:35, 35:45] = 0
    img = grey()
    marked = changed(img, draw_mask_contour(img, mask, RED, thickness=1))
    assert marked[10, 20:60].all()
    assert marked[10:50, 59].all()
    assert marked[24, 36:44].all()
    assert not marked[15, 25]
    assert not marked[30, 40]
    assert not marked[:9].any()


def test_result_draws_only_what_there_is():
    img = grey()
    assert not changed(img, draw_result(img, None, None, None, None)).any()
    tinted = draw_mask(img, disc())
    shown = draw_mask_contour(tinted, disc(), PREDICTION_COLOR, thickness=2)
    np.testing.assert_array_equal(draw_result(img, None, None, disc(), None), shown)
    polygon = [[10, 10], [50, 12], [30, 40]]
    np.testing.assert_array_equal(draw_result(img, None, polygon, disc(), None), shown)
    np.testing.assert_array_equal(
        draw_result(img, None, polygon, None, None), draw_polygon(img, polygon, PREDICTION_COLOR)
    )
    box = [20, 20, 60, 50]
    assert changed(draw_box(img, box), draw_result(img, box, None, None, 0.5)).any()


@pytest.mark.parametrize('box', [None, [-50, -50, 5, 5], [75, 55, 200, 200], [20, 30, 40, 50]])
def test_result_keeps_its_text_in_the_image(box):
    img = grey(200, 300)
    blank = draw_result(img, box, None, None, None)
    assert changed(blank, draw_result(img, box, None, None, 0.5)).sum() > 100


def test_sheet_places_images_row_by_row():
    images = [grey(20, 30, value) for value in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(images, columns=3)
    assert sheet.shape == (2 * 20 + 3 * 4, 3 * 30 + 4 * 4, 3)
    for index, value in enumerate((10, 20, 30, 40, 50)):
        top, left = 4 + 24 * (index // 3), 4 + 34 * (index % 3)
        assert (sheet[top : top + 20, left : left + 30] == value).all()
    assert (sheet[28:48, 72:102] == sheet[0, 0]).all()


def test_sheet_is_no_wider_than_its_images_need():
    assert contact_sheet([grey(20, 30)], columns=6).shape == (28, 38, 3)


def test_targets_have_colours_of_their_own():
    drawn = draw_results(grey(60, 80), two_answers())
    for x, color in ((5, TARGET_COLORS[0]), (45, TARGET_COLORS[1])):
        np.testing.assert_array_equal(drawn[38, x], color)
    one = draw_results(grey(60, 80), two_answers()[:1])
    alone = draw_result(grey(60, 80), two_answers()[0].box, None, None, 0.9)
    np.testing.assert_array_equal(one, alone)


def test_a_lost_target_is_drawn_in_grey_and_called_lost():
    first, second = two_answers()
    lost = replace(second, visible=False, mask=np.zeros((60, 80), np.uint8))
    drawn = draw_results(grey(60, 80), [first, lost])
    expected = draw_result(grey(60, 80), first.box, None, None, 0.9, '1')
    expected = draw_result(expected, lost.box, None, None, 0.5, '2 lost', LOST_COLOR)
    np.testing.assert_array_equal(drawn, expected)


def test_sheet_scales_images_of_any_size_into_its_cells():
    sheet = contact_sheet([grey(200, 100), grey(10, 90)], 2, cell=(50, 40))
    assert sheet.shape == (48, 112, 3)
    # The tall image becomes 20 x 40, the wide one 50 x 6, both centred.
    is_image = (sheet == 100).all(axis=-1)
    assert is_image[4:44, 19:39].all()
    assert is_image[21:27, 58:108].all()
    assert is_image.sum() == 20 * 40 + 50 * 6


def test_sheet_writes_a_caption_under_each_image():
    plain = contact_sheet([grey()] * 2, 2)
    sheet = contact_sheet([grey()] * 2, 2, ['', 'frame 7'])
    assert sheet.shape[0] == plain.shape[0] + 22
    strip = sheet[64:86]
    assert (strip[:, :84] == sheet[0, 0]).all()
    assert (strip[:, 88:] != sheet[0, 0]).any()


def test_sheet_refuses_what_it_cannot_lay_out():
    with pytest.raises(ValueError, match='at least one image'):
        contact_sheet([], 3)
    with pytest.raises(ValueError, match='at least 1 column, got 0'):
        contact_sheet([grey()], 0)
    with pytest.raises(ValueError, match='2 captions for 1 images'):
        contact_sheet([grey()], 1, ['a', 'b'])
    with pytest.raises(ValueError, match=r'\(0, 5\)'):
        contact_sheet([grey()], 1, cell=(0, 5))
