import math

import numpy as np
import pytest

from mmpolar.structures.crop import context_size
from mmpolar.tracking import MaskParams, TrackParams
from mmpolar.tracking.mask_stage import FoundMask, MaskReference
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


def found(mask, seed=0):
    return FoundMask(np.uint8([[1, 0]]), 0.9, reference(mask, seed))


def slow_similarity(one, first):
    """Likeness and contrast, cell by cell."""

    def inside(mask, key):
        row, col = divmod(key, KEYS)
        return mask[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].mean()

    likeness, contrast = [], []
    for key in range(KEYS * KEYS):
        if inside(one.mask, key) <= 0.5:
            continue
        values = [one.keys[:, key] @ first.keys[:, other] for other in range(KEYS * KEYS)]
        target = max(v for k, v in enumerate(values) if inside(first.mask, k) > 0.5)
        background = max(v for k, v in enumerate(values) if inside(first.mask, k) < 0.1)
        likeness.append(target)
        contrast.append(target - background)
    return np.mean(likeness), np.mean(contrast)


def test_features_equal_loops():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    one.reference.mask[:] *= 0.8
    features = presence_features(0.7, one, first)
    assert features[:3] == pytest.approx([1, math.log(0.7 / 0.3), 0.8], rel=1e-5)
    assert features[3:] == pytest.approx(slow_similarity(one.reference, first), rel=1e-5)


def test_the_same_crop_is_most_alike():
    one = found(square(20, 20))
    assert presence_features(0.5, one, one.reference)[3] == pytest.approx(1, rel=1e-6)


def test_presence_is_a_logistic_regression():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    weights = (0.3, 0.8, -1.0, 2.0, 0.5)
    logit = presence_features(0.7, one, first) @ weights
    assert target_presence(0.7, one, first, weights) == pytest.approx(1 / (1 + np.exp(-logit)))


def test_the_online_model_is_one_more_feature():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    features = presence_features(0.7, one, first, online=0.6)
    np.testing.assert_array_equal(features[:5], presence_features(0.7, one, first))
    assert features[5] == 0.6
    weights = (0.3, 0.8, -1.0, 2.0, 0.5, 3.0)
    assert target_presence(0.7, one, first, weights, 0.6) == pytest.approx(
        1 / (1 + np.exp(-(features @ weights)))
    )


def test_weights_that_know_no_online_model_leave_it_out():
    one, first = found(square(20, 24), seed=1), reference(square(12, 16), seed=2)
    weights = (0.3, 0.8, -1.0, 2.0, 0.5)
    expected = target_presence(0.7, one, first, weights)
    assert target_presence(0.7, one, first, weights, 0.6) == expected


def test_without_weights_the_score_stays():
    assert target_presence(0.123, found(square(20, 20)), None, ()) == 0.123


def test_an_empty_mask_is_no_target():
    empty = FoundMask(np.zeros((1, 2), np.uint8), 0.9, reference(square(20, 20)))
    assert target_presence(0.99, empty, None, (9, 0, 0, 0, 0)) == 0


@pytest.mark.parametrize('score', [0.0, 1.0])
@pytest.mark.parametrize('first', [None, np.zeros((CELLS, CELLS)), np.ones((CELLS, CELLS))])
def test_extremes_are_finite(score, first):
    first = first if first is None else reference(first.astype(np.float32))
    thin = square(3, 7, 2) * 0.3
    assert np.isfinite(presence_features(score, found(thin), first)).all()


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


@pytest.mark.parametrize('weights', [(1, 2), (1, 2, 3, 4, math.nan)])
def test_weights_are_checked(weights):
    with pytest.raises(ValueError, match='presence'):
        MaskParams(presence=weights)


@pytest.mark.parametrize(
    'options',
    [dict(widen_after=-1), dict(scan_after=-1), dict(scan_zooms=()), dict(scan_zooms=[0.01])],
)
def test_scan_is_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TrackParams(**options)
