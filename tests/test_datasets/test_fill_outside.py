from copy import deepcopy

import numpy as np
import pytest

from mmpolar.datasets.transforms import CropPair
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import invert, transform_points

HEIGHT, WIDTH = 60, 90
TEMPLATE, SEARCH = 31, 63


def build(**options):
    return TRANSFORMS.build(dict(type='mmpolar.FillOutside', **options))


def make_pair(role, seed=0, video=None, keep_frames=True):
    """A cropped pair whose frames say in blue where one is (x) and in green too (y)."""
    rng = np.random.default_rng([seed, role == 'negative'])
    x, y = np.meshgrid(2 * np.arange(WIDTH), 3 * np.arange(HEIGHT))
    red = 250 if role == 'negative' else 50
    frame = np.stack([x, y, np.full_like(x, red)], -1).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:45, 30:60] = 1
    sides = {
        key: dict(
            img=frame.copy(),
            img_path=f'{role}/{key}.jpg',
            box=np.array([29.5, 19.5, 59.5, 44.5], np.float32),
            mask=mask,
            video=video or f'{role}/0.jpg',
        )
        for key in ('template', 'search')
    }
    crop = CropPair(
        TEMPLATE, SEARCH, search_shift=12, rotate=10, flip_prob=0.5, keep_frames=keep_frames
    )
    return crop.transform(dict(**sides, label=int(role == 'positive'), rng=rng))


def fill(transform, seed=0, positive=None, negative=None):
    """Both pairs, filled up."""
    results = dict(
        positives=[positive or make_pair('positive', seed)],
        negatives=[negative or make_pair('negative', seed)],
        rng=np.random.default_rng(seed),
        sample_idx=seed,
    )
    return transform.transform(results)


def lies_outside(side):
    """Pixels of a crop whose centres lie outside the frame."""
    places = np.stack(np.meshgrid(*[np.arange(len(side['img']))] * 2), -1)
    x, y = np.moveaxis(transform_points(places, invert(side['matrix'])), -1, 0)
    return ~((x > -0.5) & (x < WIDTH - 0.5) & (y > -0.5) & (y < HEIGHT - 0.5))


def both_sides(results):
    for role in ('positive', 'negative'):
        (pair,) = results[f'{role}s']
        for key in ('template', 'search'):
            yield role, key, pair[key]


def is_filled(results, role):
    (pair,) = results[f'{role}s']
    plain = make_pair(role, results['sample_idx'])
    return not np.array_equal(pair['search']['img'], plain['search']['img'])


def test_what_lies_outside_shows_the_other_pair_and_the_rest_is_left():
    for seed in range(6):
        for role, key, side in both_sides(fill(build(prob=1), seed)):
            outside = lies_outside(side)
            plain = make_pair(role, seed)[key]['img']
            differs = (side['img'] != plain).any(-1)
            # A pixel whose centre lies on the border of the frame may be either.
            assert np.count_nonzero(differs & ~outside) <= 2
            shown = side['img'][outside & differs]
            assert (shown[:, 2] == (50 if role == 'negative' else 250)).all()
            assert np.count_nonzero(outside & ~differs) <= 2
            assert key == 'template' or outside.sum() > 100


def window_of(side):
    """Left, top, right and bottom of the window in the other frame, by the colours shown."""
    outside = lies_outside(side)
    rows, cols = np.nonzero(outside)
    seen = side['img'][outside].astype(float) / (2, 3, 1)
    size, edges = len(outside), []
    for places, values in ((cols, seen[:, 0]), (rows, seen[:, 1])):
        scale, start = np.polyfit(places, values, 1)
        edges.append((start - 0.5 * scale, start + (size - 0.5) * scale))
    return np.array(edges).T.ravel()


def test_window_is_a_square_within_the_other_frame_the_same_for_both_crops():
    sides = []
    for seed in range(40):
        results = fill(build(prob=1, window=(0.4, 0.9)), seed)
        for role in ('positive', 'negative'):
            (pair,) = results[f'{role}s']
            x1, y1, x2, y2 = window = window_of(pair['search'])
            assert min(x1, y1) > -1
            assert x2 < WIDTH
            assert y2 < HEIGHT
            assert x2 - x1 == pytest.approx(y2 - y1, abs=1)
            sides.append(((x2 - x1) / HEIGHT, x1, y1))
            if np.count_nonzero(lies_outside(pair['template'])) > 100:
                np.testing.assert_allclose(window_of(pair['template']), window, atol=2)
    shares, lefts, tops = np.array(sides).T
    assert 0.39 < shares.min() < 0.45
    assert 0.85 < shares.max() < 0.91
    assert np.ptp(lefts) > 30
    assert np.ptp(tops) > 15


def test_boxes_masks_and_frames_are_left():
    positive, negative = make_pair('positive'), make_pair('negative')
    before = deepcopy([positive, negative])
    crops = [pair[key]['img'] for pair in (positive, negative) for key in ('template', 'search')]
    shown = [crop.copy() for crop in crops]
    results = fill(build(prob=1), positive=positive, negative=negative)
    for (_, key, side), pair in zip(both_sides(results), np.repeat(before, 2), strict=True):
        for name in ('box', 'mask', 'matrix', 'frame'):
            np.testing.assert_array_equal(side[name], pair[key][name])
    for crop, expected in zip(crops, shown, strict=True):
        np.testing.assert_array_equal(crop, expected)


def test_a_share_of_the_pairs_is_filled_up():
    for prob in (0.0, 0.6, 1.0):
        transform, filled = build(prob=prob), []
        for seed in range(40):
            results = fill(transform, seed)
            filled += [is_filled(results, role) for role in ('positive', 'negative')]
        assert np.mean(filled) == pytest.approx(prob, abs=0.15 if 0 < prob < 1 else 0)


def test_a_pair_is_filled_alike_whether_the_other_one_is_or_not():
    transform, surely = build(prob=0.5), build(prob=1)
    alone = 0
    for seed in range(20):
        results, expected = fill(transform, seed), fill(surely, seed)
        filled = [role for role in ('positive', 'negative') if is_filled(results, role)]
        alone += filled == ['negative']
        for role in filled:
            got, wanted = (r[f'{role}s'][0]['search']['img'] for r in (results, expected))
            np.testing.assert_array_equal(got, wanted)
        assert results['rng'].random() == expected['rng'].random()
    assert alone > 2


def test_frames_of_the_pairs_own_video_are_not_shown():
    """They might show the target a second time."""
    common = dict(
        positive=make_pair('positive', video='a'), negative=make_pair('negative', video='a')
    )
    results = fill(build(prob=1), **common)
    assert not any(is_filled(results, role) for role in ('positive', 'negative'))
    # The negative's template may be of the positive's video though its search frame is not.
    negative = make_pair('negative')
    negative['template']['video'] = 'positive/0.jpg'
    results = fill(build(prob=1), negative=negative)
    assert is_filled(results, 'positive')
    assert not is_filled(results, 'negative')


def test_crops_within_their_frames_are_left():
    still = dict(template_shift=0, template_scale=0, search_shift=0, search_scale=0)
    crop = CropPair(7, 13, keep_frames=True, **still)
    pairs = {}
    for role in ('positive', 'negative'):
        frame = np.full((200, 200, 3), 60, np.uint8)
        side = dict(img=frame, img_path=role, mask=None, video=role,
                    box=np.array([80, 80, 120, 120], np.float32))  # fmt: skip
        pair = dict(template=dict(side), search=dict(side), label=1, rng=np.random.default_rng(0))
        pairs[role] = crop.transform(pair)
    images = {role: pair['search']['img'] for role, pair in pairs.items()}
    results = fill(build(prob=1), **pairs)
    for role, image in images.items():
        assert results[f'{role}s'][0]['search']['img'] is image


def test_pairs_without_frames_are_named():
    negative = make_pair('negative', keep_frames=False)
    with pytest.raises(
        ValueError, match=r'negative/search\.jpg has kept no frame; set keep_frames'
    ):
        fill(build(prob=1), negative=negative)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(prob=-0.1), 'prob'),
        (dict(prob=1.1), 'prob'),
        (dict(window=(0, 0.5)), 'window'),
        (dict(window=(0.6, 0.5)), 'window'),
        (dict(window=(0.5, 1.2)), 'window'),
        (dict(window=(0.5,)), 'window'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f'FillOutside: {message} must be'):
        build(**options)


@pytest.mark.xfail(
    strict=True,
    reason="a negative crop is filled up with the positive's search frame, on which the composite "
    'then lays the same target',
)
@pytest.mark.parametrize('way', ['transplant', 'stitch', 'overlay'])
def test_composite_does_not_show_its_target_twice(way):
    """The second time it would be learnt as background."""
    compose = TRANSFORMS.build(dict(type='mmpolar.PairComposite', probs={way: 1.0}))
    for seed in range(20):
        positive = make_pair('positive', seed)
        for key in ('template', 'search'):
            frame = positive[key]['frame']
            frame[20:45, 30:60, 2] = 130
        results = fill(build(prob=1), seed, positive=positive)
        (negative,) = results['negatives']
        again = abs(negative['search']['img'][..., 2].astype(int) - 130) < 3
        search = compose.transform(results)['search']
        if way == 'overlay':
            assert not again.any()
        else:
            beside = (search['img'] == negative['search']['img']).all(-1) & again
            assert np.count_nonzero(beside) < 5
