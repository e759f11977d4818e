from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import context_size, transform_points

STILL = {'template_shift': 0, 'template_scale': 0, 'search_shift': 0, 'search_scale': 0}


def build(**kwargs):
    return TRANSFORMS.build({'type': 'mmpolar.CropPair', **kwargs})


def draw_target(size, center, axes, angle):
    """A frame of noise with a bright ellipse, the ellipse's mask, and the box of that mask."""
    height, width = size
    img = np.random.default_rng(0).integers(0, 60, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, center, axes, angle, 0, 360, 1, cv2.FILLED)
    img[mask > 0] = (40, 200, 250)
    row, column = np.nonzero(mask)
    box = np.array(
        [column.min() - 0.5, row.min() - 0.5, column.max() + 0.5, row.max() + 0.5], np.float32
    )
    return PairSide(img_path='frame.png', img=img, box=box, mask=mask)


def make_pair(seed=0, mask=True, label=1):
    """Results as the pair dataset and the loader leave them."""
    template = draw_target((200, 300), (140, 90), (40, 22), 20)
    search = draw_target((260, 340), (190, 140), (42, 20), 30)
    if not mask:
        template.mask = search.mask = None
    return {
        'template': template,
        'search': search,
        'label': label,
        'rng': np.random.default_rng(seed),
        'sample_idx': seed,
        'dataset_name': 'ellipses',
    }


def box_of(mask):
    row, column = np.nonzero(mask)
    return [column.min() - 0.5, row.min() - 0.5, column.max() + 0.5, row.max() + 0.5]


def center_of(box):
    return (box[:2] + box[2:]) / 2


def test_crop_pair_gives_crops_of_the_asked_sizes_and_types():
    results = build().transform(make_pair())
    for key, size in (('template', 127), ('search', 255)):
        crop = results[key]
        assert crop.img.shape == (size, size, 3)
        assert crop.img.dtype == np.uint8
        assert crop.mask.shape == (size, size)
        assert set(np.unique(crop.mask)) == {0, 1}
        assert crop.box.dtype == np.float32
        assert crop.box.shape == (4,)
        assert crop.img_path == 'frame.png'


def test_crop_pair_without_augmentation_centres_the_target_at_a_fixed_scale():
    pair = make_pair()
    boxes = {key: pair[key].box for key in ('template', 'search')}
    results = build(**STILL).transform(pair)
    for key, size in (('template', 127), ('search', 255)):
        got = results[key].box
        zoom = 127 / context_size(boxes[key])
        np.testing.assert_allclose(center_of(got), (size - 1) / 2, atol=1e-3)
        np.testing.assert_allclose(
            got[2:] - got[:2], (boxes[key][2:] - boxes[key][:2]) * zoom, rtol=1e-5
        )


@pytest.mark.parametrize('with_mask', [True, False])
def test_crop_pair_without_rotation_maps_the_box_exactly(with_mask):
    """The four box sides go where the matrix says, with and without a mask."""
    transform = build(flip_prob=0.5)
    for seed in range(40):
        pair = make_pair(seed, with_mask)
        boxes = {key: pair[key].box for key in ('template', 'search')}
        results = transform.transform(pair)
        for key, box in boxes.items():
            corners = transform_points([box[:2], box[2:]], results[key].matrix)
            expected = np.concatenate([corners.min(0), corners.max(0)])
            np.testing.assert_allclose(results[key].box, expected, atol=1e-3)


@pytest.mark.parametrize('rotate', [0, 45, 180])
def test_crop_pair_box_lies_on_the_pixels_of_the_mask(rotate):
    """Box, mask and image stay together under every shift, scale, flip and rotation."""
    transform = build(flip_prob=0.5, rotate=rotate, search_shift=30)
    for seed in range(60):
        results = transform.transform(make_pair(seed))
        for key in ('template', 'search'):
            crop = results[key]
            inside = cv2.erode(crop.mask, np.ones((5, 5), np.uint8)) > 0
            outside = cv2.dilate(crop.mask, np.ones((5, 5), np.uint8)) == 0
            assert (crop.img[inside] == (40, 200, 250)).all()
            assert (crop.img[outside] < 80).all()
            np.testing.assert_allclose(crop.box, box_of(crop.mask), atol=1.01)


def test_crop_pair_box_of_a_target_without_a_mask_holds_the_turned_corners():
    results = build(**STILL, rotate=60).transform(make_pair(3, mask=False))
    unrotated = build(**STILL).transform(make_pair(3, mask=False))
    width, height = np.ptp(unrotated['search'].box.reshape(2, 2), axis=0)
    linear = results['search'].matrix[:, :2]
    cos, sin = np.abs(linear[:, 0]) / np.hypot(*linear[:, 0])
    got_width, got_height = np.ptp(results['search'].box.reshape(2, 2), axis=0)
    assert got_width == pytest.approx(width * cos + height * sin, rel=1e-5)
    assert got_height == pytest.approx(width * sin + height * cos, rel=1e-5)


def test_crop_pair_shift_and_scale_fill_their_ranges_and_no_more():
    nominal = build(**STILL).transform(make_pair())
    transform = build()
    ranges = {'template': (127, 4, 0.05), 'search': (255, 64, 0.18)}
    offsets, factors = {key: [] for key in ranges}, {key: [] for key in ranges}
    for seed in range(400):
        results = transform.transform(make_pair(seed))
        for key, (size, _, _) in ranges.items():
            box, still = results[key].box, nominal[key].box
            offsets[key].append(center_of(box) - (size - 1) / 2)
            factors[key].append((still[2:] - still[:2]) / (box[2:] - box[:2]))
    for key, (_, shift, scale) in ranges.items():
        offset, factor = np.array(offsets[key]), np.array(factors[key]) - 1
        for values, limit in ((offset, shift), (factor, scale)):
            assert np.abs(values).max() <= limit * 1.001
            assert (values.max(0) > 0.95 * limit).all()
            assert (values.min(0) < -0.95 * limit).all()
            np.testing.assert_allclose(values.mean(0), 0, atol=0.1 * limit)
            np.testing.assert_allclose(values.std(0), limit / np.sqrt(3), rtol=0.1)


def test_crop_pair_flip_mirrors_both_crops():
    plain = build(**STILL).transform(make_pair())
    mirrored = build(**STILL, flip_prob=1).transform(make_pair())
    for key in ('template', 'search'):
        difference = np.abs(plain[key].img.astype(int) - mirrored[key].img[:, ::-1])
        assert difference.max() <= 2
        assert (plain[key].mask != mirrored[key].mask[:, ::-1]).mean() < 1e-3
    flips = set()
    transform = build(flip_prob=0.5)
    for seed in range(30):
        results = transform.transform(make_pair(seed))
        signs = {np.sign(results[key].matrix[0, 0]) for key in ('template', 'search')}
        assert len(signs) == 1
        flips |= signs
    assert flips == {-1, 1}


def test_crop_pair_fills_the_outside_with_the_mean_colour():
    pair = make_pair()
    pair['search'] = draw_target((120, 120), (8, 8), (20, 10), 0)
    expected = np.rint(pair['search'].img.reshape(-1, 3).mean(0))
    crop = build(**STILL).transform(pair)['search']
    assert (crop.img[:40] == expected).all()
    assert not crop.mask[:40].any()


def test_crop_pair_does_not_clip_the_box_of_a_target_that_leaves_its_crop():
    transform = build(**STILL | {'search_shift': 120})
    leaving = 0
    for seed in range(12):
        pair = make_pair(seed)
        pair['search'] = draw_target((400, 1200), (600, 200), (500, 12), 0)
        zoom = 127 / context_size(pair['search'].box)
        crop = transform.transform(pair)['search']
        x1, _, x2, _ = crop.box
        assert x2 - x1 == pytest.approx(1001 * zoom, rel=1e-4)
        leaving += x1 < -0.5 or x2 > 254.5
        visible = np.flatnonzero(crop.mask.any(axis=0))
        assert visible[0] == pytest.approx(max(x1 + 0.5, 0), abs=4)
        assert visible[-1] == pytest.approx(min(x2 - 0.5, 254), abs=4)
    assert leaving > 3


def test_crop_pair_depends_on_the_generator_alone():
    transform = build(flip_prob=0.5, rotate=20)
    first, again, other = (transform.transform(make_pair(seed)) for seed in (5, 5, 6))
    for key in ('template', 'search'):
        for part in ('img', 'mask', 'box', 'matrix'):
            np.testing.assert_array_equal(first[key][part], again[key][part])
        assert not np.allclose(first[key].matrix, other[key].matrix)


def test_crop_pair_rotation_leaves_the_other_draws_alone():
    still = build().transform(make_pair(7))['search'].matrix
    turned = build(rotate=30).transform(make_pair(7))['search'].matrix
    center = center_of(make_pair(7)['search'].box)
    np.testing.assert_allclose(
        transform_points(center, still), transform_points(center, turned), atol=1e-3
    )
    assert not np.allclose(still, turned)


def test_crop_pair_leaves_the_frame_as_it_was():
    pair = make_pair()
    frame, mask = pair['search'].img, pair['search'].mask
    before = frame.copy(), mask.copy()
    build().transform(pair)
    np.testing.assert_array_equal(frame, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_crop_pair_names_the_image_of_a_box_without_area():
    pair = make_pair()
    pair['search'].box = np.array([5, 5, 5, 40], np.float32)
    with pytest.raises(ValueError, match=r'frame\.png.*width and height above 0'):
        build().transform(pair)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('template_size', 0),
        ('search_scale', 1),
        ('template_scale', -0.1),
        ('search_shift', -1),
        ('context_amount', -0.5),
        ('rotate', -5),
        ('flip_prob', 1.5),
    ],
)
def test_crop_pair_refuses_values_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        build(**{name: value})


def test_crop_pair_crops_around_the_region_where_there_is_one():
    pair, framed = make_pair(4), make_pair(4)
    region = np.array([100, 60, 160, 130], np.float32)
    pair['search'].region = region
    framed['search'] = replace(framed['search'], box=region, mask=None)
    crop, expected = (build().transform(p)['search'] for p in (pair, framed))
    np.testing.assert_array_equal(crop.img, expected.img)
    np.testing.assert_allclose(crop.box, box_of(crop.mask), atol=1.01)
    np.testing.assert_allclose(crop.region, expected.box, atol=1e-3)


@pytest.mark.parametrize('rotate', [0, 40])
def test_crop_pair_never_shows_what_is_to_be_avoided(rotate):
    """The ellipse is what is avoided, and the only bright thing in the frame."""
    transform = build(flip_prob=0.5, rotate=rotate)
    is_still = []
    for seed in range(60):
        pair = make_pair(seed)
        box = np.array([50, 50, 84, 84], np.float32)
        pair['search'] = replace(pair['search'], box=box, mask=None, avoid=pair['search'].box)
        crop = transform.transform(pair)['search']
        assert crop.img.max() < 80
        x1, y1, x2, y2 = crop.avoid
        assert max(x1 - 254.5, y1 - 254.5, -0.5 - x2, -0.5 - y2) >= 0
        is_still.append(np.allclose(center_of(crop.box), 127, atol=1e-3))
    assert 0 < np.mean(is_still) < 1


def test_crop_pair_says_so_where_nothing_helps_to_avoid_the_target():
    pair = make_pair()
    pair['search'].avoid = pair['search'].box
    with pytest.raises(ValueError, match=r'frame\.png: the search crop .* shows its target'):
        build().transform(pair)


def test_crop_pair_keeps_the_frames_when_asked():
    plain, pair = build(flip_prob=0.5).transform(make_pair(3)), make_pair(3)
    frames = {key: pair[key].img for key in ('template', 'search')}
    kept = build(flip_prob=0.5, keep_frames=True).transform(pair)
    for key, frame in frames.items():
        assert kept[key].frame is frame
        assert 'frame' not in plain[key]
        for part in ('img', 'mask', 'box', 'matrix'):
            np.testing.assert_array_equal(kept[key][part], plain[key][part])
