import numpy as np
import pytest

from mmpolar.structures.crop import transform_points
from mmpolar.tracking.mask_stage import (
    BOX_ERROR,
    MaskMemory,
    MaskParams,
    MaskReference,
    box_coverage,
    cut_mask_inputs,
    join_views,
    keep_inside,
    mask_matrix,
    mask_to_cells,
    mask_to_frame,
    render_region,
    sigmoid,
)

PARAMS = MaskParams()


def slow_mask_to_frame(logits, matrix, frame_size):
    """Bilinear interpolation of the logits at the centre of each pixel, one by one."""
    mask = np.zeros(frame_size, np.uint8)
    padded = np.pad(logits, 1, constant_values=-1.0)
    for row in range(frame_size[0]):
        for column in range(frame_size[1]):
            crop = matrix @ (column, row, 1)
            x, y = (crop - 0.5) / 2 + 1
            if not (0 <= x < padded.shape[1] - 1 and 0 <= y < padded.shape[0] - 1):
                continue
            left, top = int(x), int(y)
            x, y = x - left, y - top
            upper = padded[top, left] * (1 - x) + padded[top, left + 1] * x
            lower = padded[top + 1, left] * (1 - x) + padded[top + 1, left + 1] * x
            mask[row, column] = upper * (1 - y) + lower * y > 0
    return mask


@pytest.mark.parametrize(
    'box', [[20, 10, 60, 40], [-15, -10, 30, 70], [70, 50, 110, 100], [30, 30, 34, 33]]
)
def test_mask_to_frame_matches_pixel_by_pixel_interpolation(box):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(80, 80)).astype(np.float32)
    matrix = mask_matrix(np.array(box, float), PARAMS)
    got = mask_to_frame(logits, matrix, (72, 96))
    expected = slow_mask_to_frame(logits, matrix, (72, 96))
    assert got.dtype == np.uint8
    # OpenCV interpolates in steps of 1/32 of a cell.
    assert (got != expected).mean() < 0.02
    assert expected.any()


def test_mask_to_frame_of_a_crop_outside_the_frame_is_empty():
    matrix = mask_matrix(np.array([500.0, 500, 540, 560]), PARAMS)
    assert not mask_to_frame(np.ones((80, 80), np.float32), matrix, (72, 96)).any()


@pytest.mark.parametrize('box', [[60, 40, 260, 200], [100, 60, 130, 90]])
def test_mask_survives_the_way_into_cells_and_back(box):
    mask = np.zeros((240, 320), np.uint8)
    x1, y1, x2, y2 = box
    mask[y1:y2, x1 : (x1 + x2) // 2] = 1
    mask[(y1 + y2) // 2 : y2, x1:x2] = 1
    matrix = mask_matrix(np.array(box, float), PARAMS)
    cells = mask_to_cells(mask, matrix, PARAMS)
    assert cells.shape == (80, 80)
    assert cells.min() >= 0
    assert cells.max() <= 1
    back = mask_to_frame(cells - 0.5, matrix, mask.shape)
    assert (back & mask).sum() / (back | mask).sum() > 0.93


def test_box_coverage_adds_up_to_the_area_of_the_box():
    coverage = box_coverage(np.array([37.0, 90.5]), 80)
    assert coverage.sum() / 255 * 4 == pytest.approx(37 * 90.5, rel=0.01)
    np.testing.assert_array_equal(coverage, coverage[::-1, ::-1])
    assert box_coverage(np.array([500.0, 500.0]), 80).min() == 255


def test_rendered_region_has_the_area_of_its_polygon():
    polygon = np.array([[30.0, 20], [120, 20], [120, 110], [30, 110]])
    area = render_region(polygon, 80).sum() / 255 * 4
    assert area == pytest.approx(90 * 90, rel=0.03)
    assert not render_region(None, 80).any()


def test_inputs_show_the_box_the_contour_and_the_recent_mask_in_the_middle_of_the_crop():
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[40:80, 60:100] = 200
    box = np.array([59.5, 39.5, 99.5, 79.5])
    polygon = np.array([[59.5, 39.5], [99.5, 39.5], [99.5, 79.5], [59.5, 79.5]], np.float32)
    recent = MaskReference(np.zeros((48, 400), np.float32), np.full((80, 80), 0.25, np.float32))
    memory = MaskMemory(None, recent)
    inputs = cut_mask_inputs([frame], [box], [polygon], [memory], [(0, 0, 0)], PARAMS)
    assert inputs.crops.shape == (1, 160, 160, 3)
    assert inputs.priors.shape == (1, 3, 80, 80)
    assert inputs.priors.dtype == np.float32
    bright = inputs.crops[0, ::2, ::2, 0] > 100
    for prior in inputs.priors[0, :2]:
        assert ((prior > 0.5) != bright).mean() < 0.03
    assert (inputs.priors[0, 2] == 0.25).all()
    assert not inputs.reference_keys.any()
    assert not inputs.reference_masks[0, 0].any()
    assert (inputs.reference_masks[0, 1] == 0.25).all()
    corner = transform_points([box[:2]], mask_matrix(box, PARAMS))[0]
    np.testing.assert_allclose(corner, 79.5 - 80 / 1.75, atol=1e-4)


@pytest.mark.parametrize('box', [[50, 50, 50.0001, 50.0001], [-300, -300, 900, 900]])
def test_tiny_and_huge_boxes_have_defined_inputs(box):
    frame = np.full((120, 160, 3), 90, np.uint8)
    inputs = cut_mask_inputs(
        [frame], [np.array(box, float)], [None], [MaskMemory()], [(9, 9, 9)], PARAMS
    )
    assert np.isfinite(inputs.priors).all()
    assert inputs.crops.shape == (1, 160, 160, 3)


def test_sigmoid_does_not_overflow():
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0, 1e4], np.float32)), [0, 0.5, 1])


@pytest.mark.parametrize(
    'options', [dict(crop_size=150), dict(crop_size=0), dict(context=0.5), dict(memory_quality=2)]
)
def test_params_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MaskParams(**options)


@pytest.mark.parametrize('box', [[20, 10, 60, 40], [-15, -10, 30, 70], [30.4, 30.2, 34.6, 33.1]])
def test_a_mask_is_kept_inside_its_box_pixel_by_pixel(box):
    box, shape = np.array(box, float), (72, 96)
    kept = keep_inside(np.ones(shape, np.uint8), box)
    margin = BOX_ERROR * (box[2:] - box[:2])
    for row in range(shape[0]):
        for column in range(shape[1]):
            inside = (box[:2] - margin <= (column, row)) & ((column, row) <= box[2:] + margin)
            assert kept[row, column] == inside.all()


def test_views_of_a_box_are_joined_where_they_show_the_same_pixels():
    box = np.array([40.0, 30, 90, 70])

    def logits(params):
        """Logits that are a plane in the frame, at the centres of the cells."""
        matrix = mask_matrix(box, params)
        cells = 2 * np.arange(params.cells) + 0.5
        x, y = ((cells - matrix[i, 2]) / matrix[0, 0] for i in (0, 1))
        return (0.3 * x - 0.2 * y[:, None] + 1).astype(np.float32)

    wide, close = logits(PARAMS), logits(PARAMS.close)
    assert PARAMS.close.context < PARAMS.context
    joined = join_views(wide, close, close[:, ::-1], PARAMS)
    # OpenCV samples at multiples of 1/32 cell.
    np.testing.assert_allclose(joined, close, atol=0.02)
    # Each of the three counts as much as the others.
    for number in range(3):
        views = [wide, close, close[:, ::-1]]
        views[number] = views[number] + 3
        np.testing.assert_allclose(join_views(*views, PARAMS), close + 1, atol=0.02)


def test_mirrored_inputs_are_those_of_the_mirrored_frame():
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    box = np.array([29.5, 40, 89.5, 75])
    polygon = np.array([[30.0, 41], [80, 50], [60, 74]])
    width = frame.shape[1] - 1
    mirrored_box = np.array([width - box[2], box[1], width - box[0], box[3]])
    inputs, expected = (
        cut_mask_inputs([image], [one], [points], [MaskMemory()], [(0, 0, 0)], PARAMS)
        for image, one, points in (
            (frame, box, polygon),
            (np.ascontiguousarray(frame[:, ::-1]), mirrored_box, polygon * (-1, 1) + (width, 0)),
        )
    )
    # The frame is noise, in which a 32nd of a pixel, to which OpenCV rounds, shows.
    difference = inputs.mirrored().crops.astype(int) - expected.crops
    assert abs(difference).mean() < 3 < abs(inputs.crops.astype(int) - expected.crops).mean()
    # An antialiased edge differs in single cells, by the rounding of the polygon's points.
    np.testing.assert_allclose(inputs.mirrored().priors, expected.priors, atol=0.3)
    assert abs(inputs.mirrored().priors - expected.priors).mean() < 1e-3
    np.testing.assert_array_equal(inputs.mirrored().mirrored().priors, inputs.priors)
