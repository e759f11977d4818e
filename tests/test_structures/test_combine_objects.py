import numpy as np
import pytest

from mmpolar.structures import combine_objects
from mmpolar.structures.combine_objects import combine_results
from mmpolar.structures.track_result import TrackResult


def slow_combine(masks, scores, ids):
    """The definition, pixel by pixel."""
    height, width = masks.shape[1:]
    combined = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            best = None
            for number in range(len(masks)):
                if not masks[number, row, column]:
                    continue
                score = -np.inf if np.isnan(scores[number]) else scores[number]
                if best is None or score > best:
                    best, combined[row, column] = score, ids[number]
    return combined


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.float32])
@pytest.mark.parametrize('count', [0, 1, 2, 5, 12])
@pytest.mark.parametrize('size', [(1, 1), (7, 5), (16, 23)])
def test_matches_the_slow_reference(dtype, count, size):
    rng = np.random.default_rng([count, *size])
    for _ in range(4):
        masks = (rng.random((count, *size)) < 0.5).astype(dtype)
        # Few different scores: ties are frequent, and some are unknown.
        scores = rng.choice([0.0, 0.5, -np.inf, np.nan, 1.0], count)
        ids = rng.permutation(np.arange(1, 255))[:count]
        combined = combine_objects(masks, scores, ids)
        assert combined.dtype == np.uint8
        np.testing.assert_array_equal(combined, slow_combine(masks, scores, ids))


def test_objects_are_numbered_from_one_and_the_higher_score_lies_on_top():
    first = [[1, 1, 1, 0]]
    second = [[0, 1, 1, 1]]
    np.testing.assert_array_equal(combine_objects([first, second], [0.9, 0.2]), [[1, 1, 1, 2]])
    np.testing.assert_array_equal(combine_objects([first, second], [0.2, 0.9]), [[1, 2, 2, 2]])


def test_the_first_of_equal_scores_wins_and_an_unknown_score_loses():
    full = np.ones((2, 1, 3))
    assert (combine_objects(full, [0.5, 0.5]) == 1).all()
    assert (combine_objects(full, [np.nan, -5.0]) == 2).all()
    assert (combine_objects(full, [np.nan, np.nan]) == 1).all()


def test_masks_are_left_as_they_are():
    masks = np.ones((2, 2, 2), bool)
    combine_objects(masks, [0.1, 0.2])
    assert masks.all()


@pytest.mark.parametrize(
    ('masks', 'scores', 'ids', 'message'),
    [
        (np.ones((2, 3)), [1, 1], None, r'masks \(2, 3\)'),
        (np.ones((2, 3, 3)), [1], None, r'scores \(1,\)'),
        (np.ones((2, 3, 3)), [1, 1], [1, 2, 3], r'ids \(3,\)'),
        (np.ones((2, 3, 3)), [1, 1], [0, 1], 'must lie in 1..254'),
        (np.ones((2, 3, 3)), [1, 1], [1, 255], 'must lie in 1..254'),
        (np.ones((2, 3, 3)), [1, 1], [4, 4], 'the same id'),
        (np.ones((255, 1, 1)), np.ones(255), None, 'number the objects anew'),
    ],
)
def test_what_does_not_fit_is_named(masks, scores, ids, message):
    with pytest.raises(ValueError, match=message):
        combine_objects(masks, scores, ids)


def answer(mask, score):
    return TrackResult(np.zeros(4, np.float32), score, None, np.array([mask], np.uint8))


def test_higher_score_wins_where_masks_overlap():
    results = [answer([1, 1, 0, 0], 0.4), answer([0, 1, 1, 0], 0.9)]
    np.testing.assert_array_equal(combine_results(results), [[1, 2, 2, 0]])
    np.testing.assert_array_equal(combine_results(results, ids=[7, 3]), [[7, 3, 3, 0]])


def test_boxes_alone_cannot_be_combined():
    with pytest.raises(ValueError, match='mask head'):
        combine_results([TrackResult(np.zeros(4, np.float32), 0.5)])
