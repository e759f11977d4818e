from copy import deepcopy
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.transforms import CropPair
from mmpolar.mining.composites.fill_outside import FillOutside
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import invert, transform_points

HEIGHT, WIDTH = 60, 90
TEMPLATE, SEARCH = 31, 63


def build(**options):
    """A composite in one way, or as is, that fills up its pairs."""
    way = options.pop('way', 'positive')
    half = dict(probs={way: 1.0}, ratio_range=(0.5, 0.5))
    return TRANSFORMS.build(dict(type='mmpolar.PairComposite', fill_outside=options, **half))


def make_pair(role, seed=0, video=None, keep_frames=True):
    """A cropped pair whose frames say in blue where one is (x) and in green too (y)."""
    rng = np.random.default_rng([seed, role == 'negative'])
    x, y = np.meshgrid(2 * np.arange(WIDTH), 3 * np.arange(HEIGHT))
    red = 250 if role == 'negative' else 50
    frame = np.stack([x, y, np.full_like(x, red)], -1).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:45, 30:60] = 1
    sides = {
        key: PairSide(
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


def fill(seed=0, pair=None, other=None, **options):
    """A positive pair, filled up from the search frame of a negative one."""
    pair, other = pair or make_pair('positive', seed), other or make_pair('negative', seed)
    return FillOutside(**options)(pair, other['search'], np.random.default_rng(seed))


def compose(way, seed=0, positive=None, negative=None, **options):
    """What a composite makes of two pairs."""
    results = dict(
        positives=[positive or make_pair('positive', seed)],
        negatives=[negative or make_pair('negative', seed)],
        rng=np.random.default_rng(seed),
        sample_idx=seed,
    )
    return build(way=way, **dict(prob=1) | options).transform(results)


def lies_outside(side):
    """Pixels of a crop whose centres lie outside the frame."""
    places = np.stack(np.meshgrid(*[np.arange(len(side.img))] * 2), -1)
    x, y = np.moveaxis(transform_points(places, invert(side.matrix)), -1, 0)
    return ~((x > -0.5) & (x < WIDTH - 0.5) & (y > -0.5) & (y < HEIGHT - 0.5))


def is_filled(pair, role, seed):
    return not np.array_equal(pair['search'].img, make_pair(role, seed)['search'].img)


def test_what_lies_outside_shows_the_other_frame_and_the_rest_is_left():
    for seed in range(6):
        pair = fill(seed, prob=1)
        for key in ('template', 'search'):
            side = pair[key]
            outside = lies_outside(side)
            differs = (side.img != make_pair('positive', seed)[key].img).any(-1)
            # A pixel whose centre lies on the border of the frame may be either.
            assert np.count_nonzero(differs & ~outside) <= 2
            shown = side.img[outside & differs]
            assert (shown[:, 2] == 250).all()
            assert np.count_nonzero(outside & ~differs) <= 2
            assert key == 'template' or outside.sum() > 100


def window_of(side):
    """Left, top, right and bottom of the window in the other frame, by the colours shown."""
    outside = lies_outside(side)
    rows, cols = np.nonzero(outside)
    seen = side.img[outside].astype(float) / (2, 3, 1)
    size, edges = len(outside), []
    for places, values in ((cols, seen[:, 0]), (rows, seen[:, 1])):
        scale, start = np.polyfit(places, values, 1)
        edges.append((start - 0.5 * scale, start + (size - 0.5) * scale))
    return np.array(edges).T.ravel()


def test_window_is_a_square_within_the_other_frame_the_same_for_both_crops():
    sides = []
    for seed in range(40):
        pairs = make_pair('positive', seed), make_pair('negative', seed)
        for pair, other in (pairs, pairs[::-1]):
            pair = fill(seed, pair, other, prob=1, window=(0.4, 0.9))
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


def test_all_but_the_images_is_left():
    pair, other = make_pair('positive'), make_pair('negative')
    before = deepcopy([pair, other])
    filled = fill(pair=pair, other=other, prob=1)
    for key in ('template', 'search'):
        for name in ('box', 'mask', 'matrix', 'frame'):
            np.testing.assert_array_equal(filled[key][name], pair[key][name])
        for given, copied in zip([pair, other], before, strict=True):
            np.testing.assert_array_equal(given[key].img, copied[key].img)


def test_a_share_of_the_pairs_is_filled_up():
    for prob in (0.0, 0.6, 1.0):
        filled = [is_filled(fill(seed, prob=prob), 'positive', seed) for seed in range(80)]
        assert np.mean(filled) == pytest.approx(prob, abs=0.15 if 0 < prob < 1 else 0)


def test_what_is_drawn_later_does_not_depend_on_whether_a_pair_is_filled():
    for way in ('positive', 'negative', 'stitch', 'overlay', 'transplant', 'paste'):
        after = []
        for prob in (0, 0.5, 1):
            pair = compose(way, seed=3, prob=prob)
            after.append((pair['rng'].random(), pair['search'].box.tolist()))
        assert after[0] == after[1] == after[2]


def test_crops_within_their_frames_are_left():
    still = dict(template_shift=0, template_scale=0, search_shift=0, search_scale=0)
    crop = CropPair(7, 13, keep_frames=True, **still)
    frame = np.full((200, 200, 3), 60, np.uint8)
    side = PairSide(img=frame, img_path='still.jpg', mask=None, video='still',
                box=np.array([80, 80, 120, 120], np.float32))  # fmt: skip
    pair = dict(template=replace(side), search=replace(side), label=1, rng=np.random.default_rng(0))
    pair = crop.transform(pair)
    filled = fill(pair=pair, prob=1)
    for key in ('template', 'search'):
        assert filled[key].img is pair[key].img


@pytest.mark.parametrize('way', ['positive', 'stitch', 'overlay', 'transplant', 'paste'])
@pytest.mark.parametrize('side', ['template', 'search'])
def test_positive_is_not_filled_from_its_own_video(way, side):
    """The window might show the target a second time."""
    negative = make_pair('negative')
    negative['search'].video = 'shared'
    positive = make_pair('positive')
    positive[side].video = 'shared'
    pair = compose(way, positive=positive, negative=negative)
    expected = make_pair('positive')['template'].img
    np.testing.assert_array_equal(pair['template'].img, expected)


def test_negative_is_not_filled_from_its_own_video():
    """Its template may be of the positive's video though its search frame is not."""
    assert is_filled(compose('negative'), 'negative', 0)
    negative = make_pair('negative')
    negative['template'].video = 'positive/0.jpg'
    assert not is_filled(compose('negative', negative=negative), 'negative', 0)


def with_marked_target(seed):
    """A positive pair whose target has a colour of its own, and where a crop shows that colour."""
    pair = make_pair('positive', seed)
    for key in ('template', 'search'):
        side = pair[key]
        side.frame[20:45, 30:60, 2] = 130
        side.img = side.img.copy()
        side.img[side.mask > 0, 2] = 130
    return pair


@pytest.mark.parametrize('way', ['stitch', 'transplant'])
def test_composite_does_not_show_its_target_twice(way):
    """The second time it would be learnt as background."""
    for seed in range(20):
        search = compose(way, seed, positive=with_marked_target(seed))['search']
        marked = abs(search.img[..., 2].astype(int) - 130) < 3
        assert not marked[cv2.dilate(search.mask, np.ones((5, 5), np.uint8)) == 0].any()


def test_overlaid_crop_shows_nothing_of_the_positive():
    """Half of the red that only negatives' frames have is everywhere but on the target."""
    for seed in range(20):
        search = compose('overlay', seed, positive=with_marked_target(seed))['search']
        assert search.img[..., 2].min() >= (50 + 250) // 2 - 1


@pytest.mark.parametrize('way', ['stitch', 'transplant'])
def test_negative_below_a_target_shows_its_own_templates_frame(way):
    """Flat borders there, and nowhere else, would give the negative away."""
    shown = 0
    for seed in range(10):
        negative = make_pair('negative', seed)
        frame = negative['template'].frame = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
        outside = lies_outside(negative['search'])
        pair = compose(way, seed, negative=negative)
        filled = (pair['search'].img == 7).all(-1)
        assert not (filled & ~outside).any()
        shown += np.count_nonzero(filled)
        assert (frame == 7).all()
    assert shown > 200


@pytest.mark.parametrize('way', ['stitch', 'overlay', 'transplant'])
def test_negative_below_a_target_is_not_filled_from_the_targets_video(way):
    negative = make_pair('negative')
    negative['template'].video = 'positive/0.jpg'
    negative['template'].frame = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    pair = compose(way, negative=negative)
    assert not (pair['search'].img == 7).all(-1).any()


@pytest.mark.parametrize('role', ['positive', 'negative'])
def test_pairs_without_frames_are_named(role):
    pairs = {role: make_pair(role, keep_frames=False)}
    with pytest.raises(
        ValueError, match=rf'{role}/\w+\.jpg has kept no frame; set keep_frames=True in CropPair'
    ):
        compose('transplant', **pairs)


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
