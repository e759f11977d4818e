import cv2
import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import score_locations
from mmpolar.structures.polar import (
    MIN_RADIUS,
    decode_points,
    encode_radii,
    mass_center,
    polar_centerness,
    rasterize_polygon,
)

LOCATIONS = score_locations()


def build(**kwargs):
    return TRANSFORMS.build({'type': 'mmpolar.GeneratePolarTarget', **kwargs})


def ellipse(center=(130, 118), axes=(45, 25), angle=25, size=255):
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, center, axes, angle, 0, 360, 1, cv2.FILLED)
    return mask


def ring():
    mask = np.zeros((255, 255), np.uint8)
    cv2.circle(mask, (127, 127), 50, 1, cv2.FILLED)
    cv2.circle(mask, (127, 127), 30, 0, cv2.FILLED)
    return mask


def make_results(mask, box=None, label=1):
    if box is None and mask is not None and mask.any():
        row, column = np.nonzero(mask)
        box = [column.min() - 0.5, row.min() - 0.5, column.max() + 0.5, row.max() + 0.5]
    return {
        'search': PairSide('frame.png', np.array(box, np.float32), mask),
        'label': label,
    }


def polar_of(mask, box=None, **kwargs):
    return build(**kwargs).transform(make_results(mask, box))['polar']


def mask_at_locations(mask):
    column, row = LOCATIONS.astype(int).transpose(2, 0, 1)
    return mask[row, column] > 0


def test_target_has_the_asked_shapes_and_types():
    polar = polar_of(ellipse())
    assert polar['radii'].shape == (36, 25, 25)
    assert polar['radii'].dtype == np.float32
    assert polar['positive'].shape == polar['centerness'].shape == (25, 25)
    assert polar['positive'].dtype == np.bool_
    assert polar['centerness'].dtype == np.float32


@pytest.mark.parametrize('crossing', ['farthest', 'nearest'])
@pytest.mark.parametrize('n_rays', [3, 36, 72])
def test_radii_are_those_of_a_direct_encoding_at_each_location(n_rays, crossing):
    mask = ring()
    polar = polar_of(mask, n_rays=n_rays, crossing=crossing)
    for row, column in ((7, 12), (12, 17), (17, 11), (9, 9)):
        assert polar['positive'][row, column]
        pole = LOCATIONS[row, column][None]
        expected, valid = encode_radii(mask, pole, n_rays, crossing)
        assert valid.all()
        np.testing.assert_array_equal(polar['radii'][:, row, column], expected[0])
        assert polar['centerness'][row, column] == polar_centerness(expected)[0]


def test_radii_of_a_rectangle_are_the_distances_to_its_sides():
    mask = np.zeros((255, 255), np.uint8)
    mask[100:141, 90:181] = 1
    polar = polar_of(mask, n_rays=4)
    assert polar['positive'].sum() == 5 * 11
    np.testing.assert_allclose(polar['radii'][:, 12, 12], [53.5, 13.5, 37.5, 27.5], atol=1e-4)
    assert polar['centerness'][12, 12] == pytest.approx(np.sqrt(13.5 / 53.5), rel=1e-5)


def test_decoding_a_location_gives_the_mask_back():
    mask = ellipse()
    polar = polar_of(mask, n_rays=72)
    points = decode_points(LOCATIONS[11, 12], polar['radii'][:, 11, 12])
    decoded = rasterize_polygon(points, mask.shape)
    assert (decoded & mask).sum() / (decoded | mask).sum() > 0.97


def test_locations_that_are_not_positive_hold_the_documented_filler():
    polar = polar_of(ellipse())
    outside = ~polar['positive']
    assert outside.any()
    assert (polar['radii'][:, outside] == 1).all()
    assert (polar['centerness'][outside] == 0).all()
    assert (polar['radii'] > 0).all()
    assert (polar['centerness'][polar['positive']] > 0).all()


def test_positive_mask_means_inside_the_mask():
    for mask in (ellipse(), ring()):
        np.testing.assert_array_equal(polar_of(mask)['positive'], mask_at_locations(mask))


def test_positive_box_means_strictly_inside_the_box():
    polar = polar_of(ellipse(), box=(95, 103, 151, 127), positive='box')
    x, y = LOCATIONS.transpose(2, 0, 1)
    expected = (x > 95) & (x < 151) & (y > 103) & (y < 127)
    assert expected.sum() == 6 * 2
    np.testing.assert_array_equal(polar['positive'], expected)


def test_rays_of_a_positive_outside_the_mask_that_miss_it_have_the_least_radius():
    mask = np.zeros((255, 255), np.uint8)
    mask[60:101, 60:101] = 1
    polar = polar_of(mask, box=(50, 50, 140, 140), positive='box', n_rays=4)
    row = column = 12
    assert polar['positive'][row, column]
    np.testing.assert_allclose(polar['radii'][:, row, column], MIN_RADIUS)


def test_positive_center_means_near_the_mass_centre_and_inside():
    mask = ellipse()
    distance = np.linalg.norm(LOCATIONS - mass_center(mask), axis=-1)
    got = polar_of(mask, positive='center', center_radius=20)['positive']
    np.testing.assert_array_equal(got, (distance <= 20) & mask_at_locations(mask))
    assert 0 < got.sum() < polar_of(mask)['positive'].sum()


def test_positive_center_of_a_ring_takes_the_locations_in_its_hole():
    got = polar_of(ring(), positive='center', center_radius=12)
    distance = np.linalg.norm(LOCATIONS - mass_center(ring()), axis=-1)
    np.testing.assert_array_equal(got['positive'], distance <= 12)
    assert not mask_at_locations(ring())[got['positive']].any()
    assert (got['radii'][:, got['positive']] > 35).all()


@pytest.mark.parametrize('positive', ['mask', 'box', 'center'])
def test_a_target_between_locations_has_the_nearest_one(positive):
    mask = np.zeros((255, 255), np.uint8)
    mask[89:92, 153:156] = 1
    polar = polar_of(mask, positive=positive, center_radius=1)
    assert np.argwhere(polar['positive']).tolist() == [[7, 15]]
    np.testing.assert_array_equal(
        polar['radii'][:, 7, 15], encode_radii(mask, LOCATIONS[7, 15][None])[0][0]
    )


def test_nothing_is_made_without_a_contour_to_learn():
    transform = build()
    empty = np.zeros((255, 255), np.uint8)
    for results in (
        make_results(ellipse(), label=0),
        make_results(None, box=(1, 2, 30, 40)),
        make_results(empty, box=(1, 2, 30, 40)),
    ):
        assert 'polar' not in transform.transform(results)


def test_other_grids_are_followed():
    mask = ellipse(center=(60, 60), axes=(30, 20), size=127)
    polar = polar_of(mask, stride=16, score_size=7, search_size=127, n_rays=12)
    column, row = score_locations(7, 16, 127).astype(int).transpose(2, 0, 1)
    np.testing.assert_array_equal(polar['positive'], mask[row, column] > 0)
    assert polar['radii'].shape == (12, 7, 7)


def test_a_mask_of_another_size_is_refused_with_its_image():
    with pytest.raises(ValueError, match=r'frame\.png.*\(127, 127\).*search_size'):
        build().transform(make_results(ellipse(size=127)))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'n_rays': 2}, 'n_rays'),
        ({'stride': 0}, 'stride'),
        ({'score_size': 0}, 'score_size'),
        ({'crossing': 'first'}, 'crossing'),
        ({'positive': 'all'}, 'positive'),
        ({'center_radius': 0}, 'center_radius'),
        ({'search_size': 127}, 'do not fit'),
    ],
)
def test_values_out_of_range_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)
