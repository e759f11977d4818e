import cv2
import numpy as np
import pytest
from plain_ocean import crop_window

from mmpolar.structures.crop import (
    _halve,
    context_size,
    crop_image,
    crop_matrix,
    crop_whole_pixels,
    invert,
    mean_color,
    score_locations,
    transform_box,
    transform_mask_box,
    transform_points,
    warp_frame,
    warp_image,
    warp_mask,
    whole_mean_color,
)

BORDER = (30, 120, 210)


@pytest.fixture
def frame():
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def random_matrix(rng, size, degrees=180.0):
    """A window of 60..200 frame px somewhere over a 200 x 150 frame, turned and maybe mirrored."""
    matrix = crop_matrix(rng.uniform((0, 0), (200, 150)), rng.uniform(60, 200), size)
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]]) * (rng.choice([-1, 1]), 1)
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([turn @ matrix[:, :2], turn @ (matrix[:, 2] - middle) + middle])


def pad_and_warp(frame, matrix, size, pad=400):
    """The slow way: pad the whole frame with the border colour, then warp all of it."""
    padded = cv2.copyMakeBorder(frame, *[pad] * 4, cv2.BORDER_CONSTANT, value=BORDER)
    shifted = matrix.copy()
    shifted[:, 2] -= matrix[:, :2] @ (pad, pad)
    return cv2.warpAffine(padded, shifted, (size, size), flags=cv2.INTER_LINEAR)


def test_context_size_of_a_square_is_twice_its_side():
    assert context_size((10, 20, 60, 70)) == pytest.approx(100)


def test_context_size_follows_the_formula_for_boxes_and_sizes():
    expected = np.sqrt((30 + 35) * (40 + 35))
    assert context_size((5, 5, 35, 45)) == pytest.approx(expected)
    assert context_size((30, 40)) == pytest.approx(expected)
    assert context_size((30, 40), context_amount=0) == pytest.approx(np.sqrt(30 * 40))


@pytest.mark.parametrize('box', [(5, 5, 5, 9), (9, 5, 5, 9), (0, 0, np.nan, 4), (0, np.inf)])
def test_context_size_refuses_boxes_without_area(box):
    with pytest.raises(ValueError, match='width and height above 0'):
        context_size(box)


def test_context_size_refuses_other_shapes():
    with pytest.raises(ValueError, match=r'shape \(3,\)'):
        context_size((1, 2, 3))


@pytest.mark.parametrize('size', [1, 127, 255, 256])
def test_crop_matrix_maps_center_and_window_edges(size):
    matrix = crop_matrix((31.25, -7.5), 80, size)
    corners = [(31.25, -7.5), (31.25 - 40, -7.5 - 40), (31.25 + 40, -7.5 + 40)]
    middle, low, high = transform_points(corners, matrix)
    np.testing.assert_allclose(middle, (size - 1) / 2, atol=1e-4)
    np.testing.assert_allclose(low, -0.5, atol=1e-4)
    np.testing.assert_allclose(high, size - 0.5, atol=1e-4)


def test_invert_undoes_any_matrix():
    rng = np.random.default_rng(1)
    points = rng.uniform(-100, 300, (50, 2))
    for _ in range(20):
        matrix = random_matrix(rng, 127)
        there = points @ matrix[:, :2].T + matrix[:, 2]
        np.testing.assert_allclose(transform_points(there, invert(matrix)), points, atol=1e-3)


def test_transform_box_holds_the_turned_corners():
    quarter_turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    boxes = [[[1, 2, 4, 8]], [[0, 0, 2, 1]]]
    expected = [[[-8, 1, -2, 4]], [[-1, 0, 0, 2]]]
    np.testing.assert_allclose(transform_box(boxes, quarter_turn), expected, atol=1e-6)


def test_crop_image_of_the_whole_frame_at_its_own_size_is_the_frame(frame):
    square = frame[:, :150]
    np.testing.assert_array_equal(crop_image(square, (74.5, 74.5), 150, 150), square)


@pytest.mark.parametrize('side', [40, 90.5, 127, 250])
def test_crop_image_equals_padding_and_warping_the_whole_frame(frame, side):
    rng = np.random.default_rng(2)
    for center in rng.uniform((-60, -60), (260, 210), (15, 2)):
        got = crop_image(frame, center, side, 127, BORDER).astype(int)
        expected = pad_and_warp(frame, crop_matrix(center, side, 127), 127)
        assert np.abs(got - expected).max() <= 1


def test_warp_image_equals_padding_and_warping_for_any_rotation(frame):
    rng = np.random.default_rng(3)
    for _ in range(25):
        matrix = random_matrix(rng, 127)
        got = warp_image(frame, matrix, 127, BORDER).astype(int)
        assert np.abs(got - pad_and_warp(frame, matrix, 127)).max() <= 1


@pytest.mark.parametrize('shape', [(2, 2), (3, 5, 3), (1001, 1203, 3), (700, 900), (3, 300001)])
def test_halving_in_bands_equals_halving_at_once(shape):
    img = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    before = img.copy()
    height, width = shape[0] // 2, shape[1] // 2
    expected = cv2.resize(
        img[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
    )
    np.testing.assert_array_equal(_halve(img), expected)
    np.testing.assert_array_equal(img, before)


@pytest.mark.parametrize('grey', [False, True])
def test_warp_frame_is_warp_image_and_warp_mask_bit_for_bit(frame, grey):
    rng = np.random.default_rng(4)
    img = frame[..., 0] if grey else frame
    mask = (frame[..., 1] > 128).astype(np.uint8)
    matrices = [random_matrix(rng, 127) for _ in range(25)]
    # Inside the frame, across its sides, halved, and off it.
    sides = [20, 60, 127, 300, 700]
    matrices += [crop_matrix(rng.uniform(0, 150, 2), side, 127) for side in sides * 8]
    matrices.append(crop_matrix((-900, 0), 100, 127))
    inside = 0
    for matrix in matrices:
        crop, cropped_mask = warp_frame(img, mask, matrix, 127)
        np.testing.assert_array_equal(crop, warp_image(img, matrix, 127, mean_color(img)))
        np.testing.assert_array_equal(cropped_mask, warp_mask(mask, matrix, 127))
        inside += warp_mask(np.ones_like(mask), matrix, 127).all()
    assert 5 < inside < len(matrices) - 5
    assert warp_frame(img, None, matrices[0], 127)[1] is None


@pytest.mark.parametrize('center', [(-500, 75), (100, -500), (900, 75), (100, 900), (-9e4, 9e4)])
def test_crop_image_off_the_frame_is_all_border(frame, center):
    crop = crop_image(frame, center, 100, 63, BORDER)
    assert crop.shape == (63, 63, 3)
    assert crop.dtype == np.uint8
    assert (crop == BORDER).all()


def test_crop_image_takes_grey_frames_and_one_border_value_for_all_channels(frame):
    grey = crop_image(frame[..., 0], (0, 0), 100, 63, 77)
    color = crop_image(frame, (0, 0), 100, 63, 77)
    np.testing.assert_array_equal(grey, color[..., 0])
    assert (color[0, 0] == 77).all()
    assert (crop_image(frame[..., 0], (-900, 0), 100, 63, 77) == 77).all()


def test_crop_image_takes_a_channel_reversed_view(frame):
    flipped = crop_image(frame[..., ::-1], (60, 60), 100, 63, BORDER[::-1])
    np.testing.assert_array_equal(flipped[..., ::-1], crop_image(frame, (60, 60), 100, 63, BORDER))


def test_crop_image_handles_frames_wider_than_opencv_can_warp():
    frame = np.zeros((40, 40000, 3), np.uint8)
    frame[:, 35000:] = 200
    crop = crop_image(frame, (34999.5, 20), 32, 32)
    assert (crop[:, :16] == 0).all()
    assert (crop[:, 16:] == 200).all()


@pytest.mark.parametrize('factor', [2.5, 3.3, 5])
def test_crop_image_averages_when_it_shrinks(factor):
    noise = np.random.default_rng(4).integers(0, 256, (320, 320), dtype=np.uint8)
    size = int(320 / factor)
    crop = crop_image(noise, (159.5, 159.5), 320, size)
    mean_of_all = cv2.resize(noise, (size, size), interpolation=cv2.INTER_AREA)
    skipping = cv2.warpAffine(noise, crop_matrix((159.5, 159.5), 320, size), (size, size))
    inside = (slice(2, -2), slice(2, -2))
    error = np.abs(crop.astype(float) - mean_of_all)[inside].mean()
    assert error < 0.5 * np.abs(skipping.astype(float) - mean_of_all)[inside].mean()


@pytest.mark.parametrize('factor', [0.7, 1.5, 2, 2.7, 4, 5.5])
def test_crop_image_keeps_positions_however_often_the_frame_is_halved(factor):
    """The centroid of a blob goes where the matrix says, to a tenth of a frame pixel."""
    side = 64 * factor
    y, x = np.mgrid[:401, :503]
    blob = 255 * np.exp(-((x - 240.3) ** 2 + (y - 190.7) ** 2) / (2 * (side / 16) ** 2))
    matrix = crop_matrix((231.1, 197.4), side, 64)
    crop = warp_image(np.rint(blob).astype(np.uint8), matrix, 64).astype(float)
    y, x = np.mgrid[:64, :64]
    centroid = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
    back_in_frame = transform_points(centroid, invert(matrix))
    np.testing.assert_allclose(back_in_frame, (240.3, 190.7), atol=0.1)


def test_warp_mask_keeps_the_area_of_a_mask():
    """Averaged over many matrices, the area scales by the determinant; nothing is rounded off."""
    mask = np.zeros((150, 200), np.uint8)
    mask[60:63, 90:110] = 1
    mask[63:75, 98] = 1
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(200):
        matrix = random_matrix(rng, 127)
        matrix[:, 2] += 63 - transform_points((99, 66), matrix)
        area = warp_mask(mask, matrix, 127).sum()
        ratios.append(area / (mask.sum() * abs(np.linalg.det(matrix[:, :2]))))
    assert np.mean(ratios) == pytest.approx(1, abs=0.01)


def test_warp_mask_takes_the_pixel_under_each_crop_pixel():
    rng = np.random.default_rng(6)
    mask = (rng.random((150, 200)) < 0.3).astype(np.uint8)
    y, x = np.mgrid[:127, :127]
    for _ in range(10):
        matrix = random_matrix(rng, 127)
        source = transform_points(np.stack([x, y], -1), invert(matrix))
        column, row = np.rint(source).astype(int).transpose(2, 0, 1)
        inside = (row >= 0) & (row < 150) & (column >= 0) & (column < 200)
        expected = np.where(inside, mask[row.clip(0, 149), column.clip(0, 199)], 0)
        near_an_edge = (np.abs(source - np.floor(source) - 0.5) < 0.01).any(axis=-1)
        got = warp_mask(mask, matrix, 127)
        np.testing.assert_array_equal(got[~near_an_edge], expected[~near_an_edge])
        assert near_an_edge.mean() < 0.1


def test_warp_mask_off_the_frame_is_empty():
    mask = np.ones((50, 60), np.uint8)
    assert not warp_mask(mask, crop_matrix((-300, 20), 100, 127), 127).any()
    assert not warp_mask(mask, crop_matrix((30, 20), 400, 127), 127)[:30].any()


def test_transform_mask_box_is_the_box_of_the_mapped_pixel_squares():
    rng = np.random.default_rng(7)
    for _ in range(20):
        mask = (rng.random((40, 50)) < 0.01).astype(np.uint8)
        mask[20, 25] = 1
        matrix = random_matrix(rng, 127)
        row, column = np.nonzero(mask)
        squares = np.stack([column - 0.5, row - 0.5, column + 0.5, row + 0.5], -1)
        boxes = transform_box(squares, matrix)
        expected = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
        np.testing.assert_allclose(transform_mask_box(mask, matrix), expected, atol=1e-3)


def test_transform_mask_box_without_rotation_and_of_an_empty_mask():
    mask = np.zeros((60, 80), np.uint8)
    assert transform_mask_box(mask, np.eye(3)[:2]) is None
    mask[10:30, 20:40] = 1
    np.testing.assert_allclose(transform_mask_box(mask, np.eye(3)[:2]), (19.5, 9.5, 39.5, 29.5))


@pytest.mark.parametrize('out_size', [127, 255])
def test_whole_pixel_crops_equal_the_published_codes(frame, out_size):
    rng = np.random.default_rng(3)
    color = whole_mean_color(frame)
    centers = np.concatenate([rng.uniform((-120, -120), (320, 270), (60, 2)), [[99.5, 75], [3, 4]]])
    for center, side in zip(centers, [*rng.uniform(1, 300, 60), out_size, 31.5], strict=True):
        expected = crop_window(frame, center + 0.5, out_size, int(side + 0.5), frame.mean((0, 1)))
        got = crop_whole_pixels(frame, center, side, out_size, color)
        np.testing.assert_array_equal(got, expected)


def test_whole_pixel_crops_may_be_grey_or_lie_outside(frame):
    color = crop_whole_pixels(frame, (5, 5), 50, 63, 77)
    grey = crop_whole_pixels(frame[..., 0], (5, 5), 50, 63, 77)
    np.testing.assert_array_equal(grey, color[..., 0])
    assert (crop_whole_pixels(frame, (-900, 0), 100, 63, (7, 8, 9)) == (7, 8, 9)).all()
    assert whole_mean_color(frame[..., 0]) == (np.floor(frame[..., 0].mean()),)


def test_mean_color_of_small_and_large_images():
    small = np.random.default_rng(8).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    np.testing.assert_allclose(mean_color(small), small.reshape(-1, 3).mean(0), rtol=1e-6)
    assert mean_color(small[..., 0]) == pytest.approx((small[..., 0].mean(),))
    ramp = np.repeat(np.linspace(0, 255, 1080).astype(np.uint8)[:, None, None], 30, axis=1)
    large = np.concatenate([ramp, ramp // 2, 255 - ramp], axis=2)
    np.testing.assert_allclose(mean_color(large), large.reshape(-1, 3).mean(0), atol=1)


def test_score_locations_are_centred_on_oceans_grid():
    locations = score_locations()
    assert locations.shape == (25, 25, 2)
    assert locations[12, 12].tolist() == [127, 127]
    assert locations[0, 24].tolist() == [223, 31]
    assert locations[24, 0].tolist() == [31, 223]
    np.testing.assert_array_equal(score_locations(4, 16, 64)[0, :, 0], [0, 16, 32, 48])
