import math
from dataclasses import replace

import numpy as np
import pytest

from mmpolar.structures.crop import context_size
from mmpolar.tracking import MaskParams, TrackParams
from mmpolar.tracking.colors import color_histogram
from mmpolar.tracking.mask_stage import FoundMask, MaskMemory, MaskReference
from mmpolar.tracking.presence import presence_features, scan_boxes, target_presence

CELLS, KEYS = 80, 20


def square(left, top, side=40):
    """A mask of output cells; its borders lie between keys."""
    mask = np.zeros((CELLS, CELLS), np.float32)
    mask[top : top + side, left : left + side] = 1
    return mask


def reference(mask, seed=0, channels=6):
    keys = np.random.default_rng(seed).normal(size=(channels, KEYS * KEYS)).astype(np.float32)
    return MaskReference(keys / np.linalg.norm(keys, axis=0), mask)


def found(mask, seed=0, crop=None):
    crop = np.full((2 * CELLS, 2 * CELLS, 3), 90, np.uint8) if crop is None else crop
    return FoundMask(np.uint8([[1, 0]]), 0.9, reference(mask, seed), crop)


def memory(first, colors=None):
    return MaskMemory(first, first, colors)


def slow_similarity(one, first):
    """Likeness, contrast and completeness, cell by cell."""

    def inside(mask, key):
        row, col = divmod(key, KEYS)
        return mask[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].mean()

    likeness, contrast = [], []
    completeness = {k: -1 for k in range(KEYS * KEYS) if inside(first.mask, k) > 0.5}
    for key in range(KEYS * KEYS):
        if inside(one.mask, key) <= 0.5:
            continue
        values = [one.keys[:, key] @ first.keys[:, other] for other in range(KEYS * KEYS)]
        target = max(v for k, v in enumerate(values) if inside(first.mask, k) > 0.5)
        background = max(v for k, v in enumerate(values) if inside(first.mask, k) < 0.1)
        likeness.append(target)
        contrast.append(target - background)
        completeness = {k: max(most, values[k]) for k, most in completeness.items()}
    return np.mean(likeness), np.mean(contrast), np.mean(list(completeness.values()))


def test_features_equal_loops():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    one.reference.mask[:] *= 0.8
    colors = color_histogram(one.crop, one.reference.mask)
    features = presence_features(0.7, one, memory(first, colors))
    likeness, contrast, completeness = slow_similarity(one.reference, first)
    assert features == pytest.approx(
        dict(
            bias=1,
            score=math.log(0.7 / 0.3),
            confidence=0.8,
            likeness=likeness,
            contrast=contrast,
            completeness=completeness,
            quality=math.log(0.9 / 0.1),
            color=1,
        ),
        rel=1e-5,
    )


def test_the_same_crop_is_most_alike():
    one = found(square(20, 20))
    features = presence_features(0.5, one, memory(one.reference))
    assert features['likeness'] == pytest.approx(1, rel=1e-6)
    assert features['completeness'] == pytest.approx(1, rel=1e-6)


def test_part_of_a_target_is_alike_and_not_complete():
    whole, part = found(square(20, 20)), found(square(20, 20, 16))
    features = presence_features(0.5, part, memory(whole.reference))
    assert features['likeness'] == pytest.approx(1, rel=1e-6)
    assert features['completeness'] < 0.9


def test_presence_is_a_logistic_regression():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    weights = dict(bias=0.3, score=0.8, confidence=-1.0, completeness=2.0, quality=0.5)
    features = presence_features(0.7, one, memory(first))
    logit = sum(weights[name] * features[name] for name in weights)
    presence = target_presence(0.7, one, memory(first), weights)
    assert presence == pytest.approx(1 / (1 + np.exp(-logit)))


def test_the_online_model_is_one_more_feature():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    without = presence_features(0.7, one, memory(first))
    assert presence_features(0.7, one, memory(first), online=0.6) == without | dict(online=0.6)
    assert target_presence(0.7, one, memory(first), dict(online=3.0), 0.6) == pytest.approx(
        1 / (1 + np.exp(-3 * 0.6))
    )


def test_weights_that_know_no_online_model_leave_it_out():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    weights = dict(bias=0.3, score=0.8, confidence=-1.0, likeness=2.0, contrast=0.5)
    expected = target_presence(0.7, one, memory(first), weights)
    assert target_presence(0.7, one, memory(first), weights, 0.6) == expected


def test_without_weights_the_score_stays():
    assert target_presence(0.123, found(square(20, 20)), memory(None), {}) == 0.123


def test_an_empty_mask_is_no_target():
    empty = found(square(20, 20))
    empty = replace(empty, mask=np.zeros((1, 2), np.uint8))
    assert target_presence(0.99, empty, memory(None), dict(bias=9)) == 0


@pytest.mark.parametrize('score', [0.0, 1.0])
@pytest.mark.parametrize('first', [None, np.zeros((CELLS, CELLS)), np.ones((CELLS, CELLS))])
def test_extremes_are_finite(score, first):
    first = first if first is None else reference(first.astype(np.float32))
    thin = found(square(3, 7, 2) * 0.3)
    features = presence_features(score, thin, memory(first))
    assert np.isfinite(list(features.values())).all()


@pytest.mark.parametrize('frame_size', [(120, 160), (1080, 1920), (480, 854)])
def test_windows_of_the_scan_cover_the_frame(frame_size):
    box = np.array([20.0, 30.0, 60.0, 90.0])
    params = TrackParams()
    boxes = scan_boxes(box, frame_size, params)
    count = len(boxes) // len(params.scan_zooms)
    for zoom in params.scan_zooms:
        part = [one for one in boxes if one[2] - one[0] == pytest.approx(40 * zoom)]
        half = context_size(part[0]) * 511 / 127 / 2
        centers = np.stack([(one[:2] + one[2:]) / 2 for one in part])
        ys, xs = np.mgrid[: frame_size[0] : 16, : frame_size[1] : 16]
        offsets = np.abs(np.stack([xs, ys], -1)[:, :, None] - centers)
        assert (offsets.max(-1).min(-1) < half).all()
    np.testing.assert_allclose(boxes[0][2:] - boxes[0][:2], [40, 60])
    assert count >= 1


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ((1, 2), 'presence must be weights by name'),
        ((1, 2, 3, 4, math.nan), 'presence must be finite'),
        (dict(colour=1.0), "presence has no weight 'colour'"),
        (dict(color=math.inf), 'presence must be finite'),
    ],
)
def test_weights_are_checked(weights, message):
    with pytest.raises(ValueError, match=message):
        MaskParams(presence=weights)


def test_weights_of_earlier_releases_get_their_names():
    names = ['bias', 'score', 'confidence', 'likeness', 'contrast', 'online']
    for count in (5, 6):
        weights = [0.5 * number for number in range(count)]
        expected = dict(zip(names[:count], weights, strict=True))
        assert MaskParams(presence=weights).presence == expected


@pytest.mark.parametrize(
    'options',
    [dict(widen_after=-1), dict(scan_after=-1), dict(scan_zooms=()), dict(scan_zooms=[0.01])],
)
def test_scan_is_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TrackParams(**options)
