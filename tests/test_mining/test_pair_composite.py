from collections import Counter

import cv2
import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.mining.composites.cut_out import lay_over, sample_side
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.polar import mask_to_box

SIZE = 64
#: Each crop has one colour, by which its pixels are known wherever they go.
TEMPLATES, SEARCHES = dict(positive=10, negative=40), dict(positive=100, negative=220)


def build(**options):
    return TRANSFORMS.build(dict(type='mmpolar.PairComposite', **options))


def only(way, **options):
    return build(probs={way: 1.0}, **options)


def make_pair(role, box=(20, 24, 43.5, 40), video=None, label=None, size=SIZE):
    """A cropped pair; the target's box is filled with its mask."""
    video = video or f'videos/{role}/0.jpg'
    mask = np.zeros((size, size), np.uint8)
    x1, y1, x2, y2 = (int(np.floor(v + 0.5)) for v in np.clip(box, -0.5, size - 0.5))
    mask[y1:y2, x1:x2] = 1
    return dict(
        template=PairSide(
            img=np.full((31, 31, 3), TEMPLATES[role], np.uint8),
            img_path=f'{role}/template.jpg',
            box=np.array([8, 8, 20, 20], np.float32),
            mask=None,
            video=video,
        ),
        search=PairSide(
            img=np.full((size, size, 3), SEARCHES[role], np.uint8),
            img_path=f'{role}/search.jpg',
            box=np.array(box, np.float32),
            mask=mask,
            video=video,
        ),
        label=int(role == 'positive') if label is None else label,
        rng=np.random.default_rng(99),
        sample_idx=1234,
        dataset_name=role,
    )


def compose(transform, seed=0, **changes):
    """The composite, and the two pairs that it was made from."""
    positive = make_pair('positive', **changes)
    negative = make_pair('negative')
    results = dict(
        positives=[positive],
        negatives=[negative],
        rng=np.random.default_rng(seed),
        sample_idx=7,
    )
    return transform.transform(results), positive, negative


def painted(sources, size=SIZE):
    """What the sources say that the search crop looks like."""
    canvas = np.zeros((size, size, 3))
    for source in sources:
        x1, y1, x2, y2 = source['region']
        part = canvas[y1:y2, x1:x2]
        color = SEARCHES['negative' if source['is_negative'] else 'positive']
        part += source['weight'] * (color - part)
    return canvas


@pytest.mark.parametrize('way', ['positive', 'negative', 'stitch', 'overlay'])
def test_every_pixel_comes_from_where_the_sources_say(way):
    for seed in range(40):
        pair, positive, negative = compose(only(way), seed)
        img = pair['search'].img
        assert img.dtype == np.uint8
        np.testing.assert_allclose(img, painted(pair['composite_sources']), atol=0.51)
        for source, origin in zip(
            pair['composite_sources'],
            [negative] if way == 'negative' else [positive, negative],
            strict=False,
        ):
            assert source['img_path'] == origin['search'].img_path


def test_positive_and_negative_are_the_pairs_themselves():
    for way, label in (('positive', 1), ('negative', 0)):
        pair, *origins = compose(only(way))
        origin = origins[1 - label]
        assert pair['label'] == label
        for side in ('template', 'search'):
            assert pair[side].img_path == origin[side].img_path
            np.testing.assert_array_equal(pair[side].img, origin[side].img)
        assert pair['dataset_name'] == origin['dataset_name']


@pytest.mark.parametrize('way', ['stitch', 'overlay'])
def test_template_and_targets_of_the_positive_stay_untouched(way):
    for seed in range(40):
        pair, positive, _ = compose(only(way), seed)
        assert pair['label'] == 1
        assert pair['template'].img_path == 'positive/template.jpg'
        assert (pair['template'].img == TEMPLATES['positive']).all()
        np.testing.assert_array_equal(pair['search'].box, positive['search'].box)
        np.testing.assert_array_equal(pair['search'].mask, positive['search'].mask)
        assert len(pair['composite_sources']) == 2


def test_stitch_replaces_one_side_and_never_a_pixel_of_the_target():
    sides = Counter()
    for seed in range(200):
        pair, positive, _ = compose(only('stitch'), seed)
        is_negative = pair['search'].img[..., 0] == SEARCHES['negative']
        assert is_negative.any()
        assert not is_negative[positive['search'].mask > 0].any()
        rows, cols = is_negative.any(axis=1), is_negative.any(axis=0)
        assert is_negative.sum() == rows.sum() * cols.sum()
        assert rows.all() or cols.all()
        side = (rows[0], rows[-1], cols[0], cols[-1])
        assert sum(side) == 3
        sides[side] += 1
    assert len(sides) == 4
    assert min(sides.values()) > 20


def test_overlay_keeps_the_positive_dominant():
    weights = []
    for seed in range(60):
        pair, *_ = compose(only('overlay', ratio_range=(0.6, 0.9)), seed)
        value = int(pair['search'].img[0, 0, 0])
        share = (SEARCHES['negative'] - value) / (SEARCHES['negative'] - SEARCHES['positive'])
        assert 0.59 < share < 0.91
        weights.append(share)
    assert max(weights) - min(weights) > 0.2


@pytest.mark.parametrize('transform', [build(), only('transplant'), only('paste')])
def test_crops_that_go_in_are_not_changed(transform):
    for seed in range(30):
        _, positive, negative = compose(transform, seed)
        for role, pair in (('positive', positive), ('negative', negative)):
            assert (pair['search'].img == SEARCHES[role]).all()
            for name, value in vars(make_pair(role)['search']).items():
                np.testing.assert_array_equal(getattr(pair['search'], name), value)
            assert 'composite_sources' not in pair


def test_ways_are_drawn_with_their_probabilities():
    transform = build(probs=dict(positive=0.5, negative=0.2, stitch=0.3))
    ways = Counter()
    for seed in range(600):
        pair, *_ = compose(transform, seed)
        ways[pair['label'], len(pair['composite_sources'])] += 1
    assert set(ways) == {(1, 1), (0, 1), (1, 2)}
    for key, share in (((1, 1), 0.5), ((0, 1), 0.2), ((1, 2), 0.3)):
        assert abs(ways[key] / 600 - share) < 0.07


def test_composite_draws_from_its_own_generator_and_hands_it_on():
    first, again, other = (compose(build(), seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first['search'].img, again['search'].img)
    assert first['rng'].random() == again['rng'].random() != other['rng'].random()
    assert first['sample_idx'] == 7


@pytest.mark.parametrize('way', ['stitch', 'overlay', 'transplant', 'paste'])
def test_frame_of_the_positives_own_video_is_not_mixed_in(way):
    """It might show the target a second time, where the label says that there is none."""
    pair, *_ = compose(only(way), video='videos/negative/0.jpg')
    assert pair['label'] == 1
    assert (pair['search'].img == SEARCHES['positive']).all()


@pytest.mark.parametrize(
    'box', [(-0.5, -0.5, SIZE - 0.5, SIZE - 0.5), (-30, -9, SIZE + 20, SIZE + 9)]
)
def test_target_that_fills_its_crop_is_not_stitched(box):
    pair, *_ = compose(only('stitch'), box=box)
    assert (pair['search'].img == SEARCHES['positive']).all()


def test_sides_lie_beside_the_box_for_any_box():
    size = (40, 60)
    for seed in range(500):
        rng = np.random.default_rng(seed)
        center, extent = rng.uniform(-10, (70, 50), 2), rng.uniform(0.2, 50, 2)
        box = np.concatenate([center - extent / 2, center + extent / 2])
        part = sample_side(box, size, rng)
        y, x = np.mgrid[: size[0], : size[1]]
        touched = (x + 0.5 > box[0]) & (x - 0.5 < box[2]) & (y + 0.5 > box[1]) & (y - 0.5 < box[3])
        if part is None:
            assert touched.any(axis=0).all()
            assert touched.any(axis=1).all()
            continue
        x1, y1, x2, y2 = part
        assert 0 <= x1 < x2 <= size[1]
        assert 0 <= y1 < y2 <= size[0]
        assert not touched[y1:y2, x1:x2].any()


def test_positives_alone_need_no_negative():
    results = dict(
        positives=[make_pair('positive')],
        negatives=[],
        rng=np.random.default_rng(0),
        sample_idx=0,
    )
    assert only('positive').transform(results)['label'] == 1
    with pytest.raises(ValueError, match='one negative pair, got 0; set num_negatives=1'):
        only('stitch').transform(results)


def test_pairs_that_do_not_fit_are_refused():
    def results(**changes):
        return dict(
            positives=[make_pair('positive')],
            negatives=[make_pair('negative', **changes)],
            rng=np.random.default_rng(0),
            sample_idx=0,
        )

    with pytest.raises(ValueError, match=r'negative/search\.jpg has the label 1'):
        only('negative').transform(results(label=1))
    with pytest.raises(ValueError, match='same search_size'):
        only('overlay').transform(results(size=32))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(probs=dict(mosaic=1.0)), r"probs has \['mosaic'\]"),
        (dict(probs=dict(positive=0.5)), 'add up to 1'),
        (dict(probs=dict(positive=1.5, negative=-0.5)), 'at least 0'),
        (dict(probs={}), 'add up to 1'),
        (dict(ratio_range=(0.4, 0.8)), 'ratio_range'),
        (dict(ratio_range=(0.9, 0.8)), 'ratio_range'),
        (dict(paste_zoom=(0, 1)), 'paste_zoom'),
        (dict(paste_zoom=(1.2, 1.1)), 'paste_zoom'),
        (dict(max_occlusion=1.0), 'max_occlusion'),
        (dict(max_occlusion=-0.1), 'max_occlusion'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_cut_out_is_laid_over_with_an_edge_of_a_pixel():
    """Along a straight edge the share of the cut-out is the Gaussian's integral."""
    mask = np.zeros((20, 30), np.uint8)
    mask[:, 15:] = 9
    below, top = np.full((20, 30, 3), 200, np.uint8), np.full((20, 30, 3), 100, np.uint8)
    got = lay_over(below, top, mask)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got[:, :12], 200)
    np.testing.assert_array_equal(got[:, 18:], 100)
    shares = (200 - got[10, 13:17, 0].astype(float)) / 100
    np.testing.assert_allclose(shares, [0.02, 0.24, 0.76, 0.98], atol=0.02)
    np.testing.assert_array_equal(below, 200)
    np.testing.assert_array_equal(lay_over(below, top, mask * 0), below)
    np.testing.assert_array_equal(lay_over(below, top, mask * 0 + 1), top)


def grown(mask, pixels):
    """A mask, wider (or narrower) by some pixels."""
    kernel = np.ones((2 * abs(pixels) + 1,) * 2, np.uint8)
    return (cv2.dilate if pixels > 0 else cv2.erode)(mask, kernel) > 0


def test_transplant_shows_the_target_on_the_negative():
    pair, positive, negative = compose(only('transplant'))
    img, mask = pair['search'].img, positive['search'].mask
    assert (img[grown(mask, -3)] == SEARCHES['positive']).all()
    assert (img[~grown(mask, 3)] == SEARCHES['negative']).all()
    assert pair['label'] == 1
    assert pair['template'] is positive['template']
    np.testing.assert_array_equal(pair['search'].box, positive['search'].box)
    np.testing.assert_array_equal(pair['search'].mask, positive['search'].mask)
    sources = [(source['img_path'], source['is_negative']) for source in pair['composite_sources']]
    assert sources == [('negative/search.jpg', True), ('positive/search.jpg', False)]


def pasted_pixels(img):
    """Pixels that are the negative's by more than a half; exact for rectangles."""
    return img[..., 0] > (SEARCHES['positive'] + SEARCHES['negative']) / 2


def test_paste_leaves_the_mask_and_the_box_of_what_is_left_to_see():
    kinds = Counter()
    for seed in range(150):
        pair, positive, _ = compose(only('paste'), seed)
        search, before = pair['search'], positive['search']
        covered = pasted_pixels(search.img)
        assert pair['label'] == 1
        np.testing.assert_array_equal(search.mask, (before.mask > 0) & ~covered)
        share = 1 - search.mask.sum() / before.mask.sum()
        assert share <= 0.5
        if share > 0:
            np.testing.assert_array_equal(search.box, mask_to_box(search.mask))
        else:
            np.testing.assert_array_equal(search.box, before.box)
        kinds['occluder' if share > 0 else 'distractor' if covered.any() else 'nothing'] += 1
    assert kinds['nothing'] == 0
    assert min(kinds['occluder'], kinds['distractor']) > 20


def test_paste_puts_the_object_anywhere_in_any_of_the_sizes():
    centers, zooms = [], []
    for seed in range(150):
        pair, _, negative = compose(only('paste', paste_zoom=(0.5, 1.5), max_occlusion=0.9), seed)
        x1, y1, x2, y2 = region = pair['composite_sources'][1]['region']
        covered = pasted_pixels(pair['search'].img)
        rows, cols = np.nonzero(covered)
        assert region == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
        assert pair['composite_sources'][1]['img_path'] == 'negative/search.jpg'
        if min(x1, y1) > 0 and max(x2, y2) < SIZE:
            width, height = (negative['search'].box[2:] - negative['search'].box[:2]).tolist()
            assert (x2 - x1) / (y2 - y1) == pytest.approx(width / height, rel=0.25)
            zooms.append((x2 - x1) / width)
            centers.append(((x1 + x2) / 2, (y1 + y2) / 2))
    assert 0.45 < min(zooms) < 0.6
    assert 1.3 < max(zooms) < 1.55
    assert (np.ptp(centers, axis=0) > 0.6 * SIZE).all()


def test_paste_in_front_of_the_target_covers_no_more_than_it_may():
    for most in (0.0, 0.2):
        shares = []
        for seed in range(80):
            pair, positive, _ = compose(only('paste', max_occlusion=most), seed)
            shares.append(1 - pair['search'].mask.sum() / positive['search'].mask.sum())
        assert max(shares) <= most
        assert (max(shares) > 0) == (most > 0)


def test_paste_without_room_leaves_the_pair_as_it_is():
    box = (-0.5, -0.5, SIZE - 0.5, SIZE - 0.5)
    pair, positive, _ = compose(only('paste', max_occlusion=0.0), box=box)
    assert (pair['search'].img == SEARCHES['positive']).all()
    assert pair['search'].mask.all()
    assert len(pair['composite_sources']) == 1


@pytest.mark.parametrize('way', ['transplant', 'paste'])
@pytest.mark.parametrize('role', ['positive', 'negative'])
@pytest.mark.parametrize('mask', [None, np.zeros((SIZE, SIZE), np.uint8)], ids=['none', 'empty'])
def test_cut_outs_need_the_masks_that_they_are_cut_along(way, role, mask):
    pairs = {name: make_pair(name) for name in ('positive', 'negative')}
    pairs[role]['search'].mask = mask
    results = dict(positives=[pairs['positive']], negatives=[pairs['negative']],
                   rng=np.random.default_rng(0), sample_idx=0)  # fmt: skip
    pair = only(way).transform(results)
    assert pair['label'] == 1
    is_plain = (pair['search'].img == SEARCHES['positive']).all()
    # A transplant needs the target's mask only.
    assert is_plain == (role == 'positive' or way == 'paste')


def test_object_that_vanishes_is_no_source():
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[30, 30] = 1
    for seed in range(20):
        negative = make_pair('negative')
        negative['search'].mask = mask
        results = dict(positives=[make_pair('positive')], negatives=[negative],
                       rng=np.random.default_rng(seed), sample_idx=0)  # fmt: skip
        pair = only('paste', paste_zoom=(0.2, 0.2)).transform(results)
        np.testing.assert_allclose(pair['search'].img, painted(pair['composite_sources']), atol=90)


def test_object_that_is_cut_off_by_its_crop_gets_no_dark_rim():
    negative = make_pair('negative', box=(-0.5, -0.5, 20.5, 30.5))
    for seed in range(30):
        results = dict(positives=[make_pair('positive')], negatives=[negative],
                       rng=np.random.default_rng(seed), sample_idx=0)  # fmt: skip
        img = only('paste').transform(results)['search'].img
        assert img.min() >= SEARCHES['positive'] - 1
