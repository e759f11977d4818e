import numpy as np
import pytest

from mmpolar.structures.track_result import TrackResult
from mmpolar.structures.vot_region import (
    MaskRegion,
    Polygon,
    Rectangle,
    Special,
    decode_runs,
    encode_runs,
    format_region,
    mask_to_region,
    parse_region,
    region_box,
    region_mask,
    result_region,
)

SIZE = (12, 16)


def runs_by_loop(mask):
    """Zeros first, one pixel at a time."""
    runs, value = [0], 0
    for pixel in mask.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def random_mask(seed, size=SIZE, share=0.5):
    return (np.random.default_rng(seed).random(size) < share).astype(np.uint8)


@pytest.mark.parametrize('share', [0, 0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize('size', [(1, 1), (1, 7), (5, 1), (12, 16)])
def test_runs_equal_the_loop_and_come_back(share, size):
    for seed in range(5):
        mask = random_mask(seed, size, share)
        runs = encode_runs(mask)
        assert runs.tolist() == runs_by_loop(mask)
        np.testing.assert_array_equal(decode_runs(runs, size), mask)
        without_last_zeros = runs[:-1] if len(runs) % 2 else runs
        np.testing.assert_array_equal(decode_runs(without_last_zeros, size), mask)


def test_hand_written_mask():
    region = parse_region('m3,2,4,2,1,2,2,3')
    assert (region.x, region.y) == (3, 2)
    np.testing.assert_array_equal(region.mask, [[0, 1, 1, 0], [0, 1, 1, 1]])
    np.testing.assert_array_equal(region_box(region), [3.5, 1.5, 6.5, 3.5])
    full = region_mask(region, SIZE)
    assert np.argwhere(full).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5], [3, 6]]


@pytest.mark.parametrize('share', [0, 0.02, 0.5, 1])
def test_mask_of_a_frame_comes_back(share):
    for seed in range(10):
        mask = random_mask(seed, share=share)
        region = parse_region(format_region(mask_to_region(mask)))
        np.testing.assert_array_equal(region_mask(region, SIZE), mask)
        if mask.any():
            rows, columns = np.nonzero(mask)
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_array_equal(region_box(region), np.array(expected) - 0.5)
        else:
            assert np.isnan(region_box(region)).all()


@pytest.mark.parametrize(('x', 'y'), [(-2, -1), (14, 10), (0, 0), (-9, 3), (40, 3)])
def test_mask_over_the_border_is_cut_off(x, y):
    part = random_mask(1, (5, 6))
    got = region_mask(MaskRegion(x, y, part), SIZE)
    expected = np.zeros(SIZE, np.uint8)
    for row, column in np.argwhere(part).tolist():
        if 0 <= row + y < SIZE[0] and 0 <= column + x < SIZE[1]:
            expected[row + y, column + x] = 1
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('text', ['3,4,5,2', '3\t4 5, 2', '3.0 4 5 2\n'])
def test_rectangle_with_any_separator(text):
    region = parse_region(text)
    assert region == Rectangle(3, 4, 5, 2)
    np.testing.assert_array_equal(region_box(region), [2.5, 3.5, 7.5, 5.5])
    expected = np.zeros(SIZE, np.uint8)
    expected[4:6, 3:8] = 1
    np.testing.assert_array_equal(region_mask(region, SIZE), expected)


def test_polygon_gives_its_enclosing_box_and_its_pixels():
    region = parse_region('10,5,20,15,10,25,0,15')
    assert region.points.shape == (4, 2)
    np.testing.assert_array_equal(region_box(region), [-0.5, 4.5, 19.5, 24.5])
    mask = region_mask(region, (30, 30))
    centres = np.argwhere(mask) + 0.5
    assert (np.abs(centres[:, 1] - 10) + np.abs(centres[:, 0] - 15) <= 10).all()
    assert abs(int(mask.sum()) - 200) <= 20


@pytest.mark.parametrize(
    'text', ['1.5,2,3.25,4', '0.1,0.2,1e-3,7,-5,123456.789', '0', '2', 'm4,5,3,2,0,6', 'm0,0,0,0']
)
def test_text_comes_back_exactly(text):
    region = parse_region(text)
    again = parse_region(format_region(region))
    assert type(again) is type(region)
    for name, value in vars(region).items():
        np.testing.assert_array_equal(getattr(again, name), value)


@pytest.mark.parametrize('text', ['nan,nan,nan,nan', 'nan,1,2,3,4,5,6,7', '0', 'nan', 'm0,0,0,0'])
def test_regions_without_a_target(text):
    region = parse_region(text)
    assert np.isnan(region_box(region)).any()
    assert not region_mask(region, SIZE).any()


def test_special_codes():
    assert [parse_region(text) for text in ('0', '1', '2', 'nan')] == [
        Special(code) for code in (0, 1, 2, 0)
    ]


def test_triangle_is_a_polygon():
    assert isinstance(parse_region('0,0,4,0,0,4'), Polygon)


@pytest.mark.parametrize('text', ['', '1,2', '1,2,3', '1,2,3,4,5', '1,2,3,4,5,6,7', 'a,b,c,d'])
def test_text_that_is_no_region(text):
    with pytest.raises(ValueError, match='expected 4 numbers|could not convert'):
        parse_region(text)


@pytest.mark.parametrize('text', ['1,2,inf,4', '-inf,2,3,4,5,6', '1e300,2,3,4', '1e9'])
def test_numbers_that_are_no_coordinates(text):
    with pytest.raises(ValueError, match='must be finite and at most'):
        parse_region(text)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('m1,2,3', 'must start with x, y'),
        ('m1,2,-3,4', 'must start with x, y'),
        ('m0,0,2,2,5', 'do not fit a mask of 2 x 2'),
        ('m0,0,2,2,3,-1', 'do not fit'),
        ('m0,0,2,2.5', 'whole numbers'),
        (f'm0,0,10,10,{2**63 - 1},{2**63 - 1},2', 'do not fit'),
        (f'm0,0,10,10,{2**64}', 'whole numbers'),
        ('m0,0,200000,200000,1', 'are more than'),
        (f'm{10**30},0,1,1,1', 'must start with x, y'),
        (f'm0,0,1,1,{"9" * 5000}', 'whole numbers'),
    ],
)
def test_broken_masks(text, message):
    with pytest.raises(ValueError, match=message):
        parse_region(text)


def test_answers_of_a_tracker_as_regions():
    mask = np.zeros((8, 10), np.uint8)
    mask[2:5, 3:7] = 1
    result = TrackResult(np.array([2.5, 1.5, 6.5, 4.5], np.float32), 0.9, None, mask)
    assert result_region(result, 'box') == Rectangle(3, 2, 4, 3)
    found = result_region(result, 'mask')
    assert (found.x, found.y) == (3, 2)
    np.testing.assert_array_equal(found.mask, np.ones((3, 4)))
