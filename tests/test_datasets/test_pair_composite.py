from collections import Counter

import numpy as np
import pytest

from mmpolar.datasets.transforms.pair_composite import draw_side
from mmpolar.registry import TRANSFORMS

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
        template=dict(
            img=np.full((31, 31, 3), TEMPLATES[role], np.uint8),
            img_path=f'{role}/template.jpg',
            box=np.array([8, 8, 20, 20], np.float32),
            mask=None,
            video=video,
        ),
        search=dict(
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
        img = pair['search']['img']
        assert img.dtype == np.uint8
        np.testing.assert_allclose(img, painted(pair['composite_sources']), atol=0.51)
        for source, origin in zip(
            pair['composite_sources'],
            [negative] if way == 'negative' else [positive, negative],
            strict=False,
        ):
            assert source['img_path'] == origin['search']['img_path']


def test_positive_and_negative_are_the_pairs_themselves():
    for way, label in (('positive', 1), ('negative', 0)):
        pair, *origins = compose(only(way))
        origin = origins[1 - label]
        assert pair['label'] == label
        for side in ('template', 'search'):
            assert pair[side]['img_path'] == origin[side]['img_path']
            np.testing.assert_array_equal(pair[side]['img'], origin[side]['img'])
        assert pair['dataset_name'] == origin['dataset_name']


@pytest.mark.parametrize('way', ['stitch', 'overlay'])
def test_template_and_targets_of_the_positive_stay_untouched(way):
    for seed in range(40):
        pair, positive, _ = compose(only(way), seed)
        assert pair['label'] == 1
        assert pair['template']['img_path'] == 'positive/template.jpg'
        assert (pair['template']['img'] == TEMPLATES['positive']).all()
        np.testing.assert_array_equal(pair['search']['box'], positive['search']['box'])
        np.testing.assert_array_equal(pair['search']['mask'], positive['search']['mask'])
        assert len(pair['composite_sources']) == 2


def test_stitch_replaces_one_side_and_never_a_pixel_of_the_target():
    sides = Counter()
    for seed in range(200):
        pair, positive, _ = compose(only('stitch'), seed)
        is_negative = pair['search']['img'][..., 0] == SEARCHES['negative']
        assert is_negative.any()
        assert not is_negative[positive['search']['mask'] > 0].any()
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
        value = int(pair['search']['img'][0, 0, 0])
        share = (SEARCHES['negative'] - value) / (SEARCHES['negative'] - SEARCHES['positive'])
        assert 0.59 < share < 0.91
        weights.append(share)
    assert max(weights) - min(weights) > 0.2


def test_crops_that_go_in_are_not_changed():
    for seed in range(30):
        _, positive, negative = compose(build(), seed)
        for role, pair in (('positive', positive), ('negative', negative)):
            assert (pair['search']['img'] == SEARCHES[role]).all()
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
    np.testing.assert_array_equal(first['search']['img'], again['search']['img'])
    assert first['rng'].random() == again['rng'].random() != other['rng'].random()
    assert first['sample_idx'] == 7


@pytest.mark.parametrize('way', ['stitch', 'overlay'])
def test_frame_of_the_positives_own_video_is_not_mixed_in(way):
    """It might show the target a second time, where the label says that there is none."""
    pair, *_ = compose(only(way), video='videos/negative/0.jpg')
    assert pair['label'] == 1
    assert (pair['search']['img'] == SEARCHES['positive']).all()


@pytest.mark.parametrize(
    'box', [(-0.5, -0.5, SIZE - 0.5, SIZE - 0.5), (-30, -9, SIZE + 20, SIZE + 9)]
)
def test_target_that_fills_its_crop_is_not_stitched(box):
    pair, *_ = compose(only('stitch'), box=box)
    assert (pair['search']['img'] == SEARCHES['positive']).all()


def test_sides_lie_beside_the_box_for_any_box():
    size = (40, 60)
    for seed in range(500):
        rng = np.random.default_rng(seed)
        center, extent = rng.uniform(-10, (70, 50), 2), rng.uniform(0.2, 50, 2)
        box = np.concatenate([center - extent / 2, center + extent / 2])
        part = draw_side(box, size, rng)
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
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
