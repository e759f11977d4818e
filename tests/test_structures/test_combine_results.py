import numpy as np
import pytest

from mmpolar.structures.combine_results import combine_results
from mmpolar.structures.track_result import TrackResult


def answer(mask, score):
    return TrackResult(np.zeros(4, np.float32), score, None, np.array([mask], np.uint8))


def test_higher_score_wins_where_masks_overlap():
    results = [answer([1, 1, 0, 0], 0.4), answer([0, 1, 1, 0], 0.9)]
    np.testing.assert_array_equal(combine_results(results), [[1, 2, 2, 0]])
    np.testing.assert_array_equal(combine_results(results, ids=[7, 3]), [[7, 3, 3, 0]])


def test_boxes_alone_cannot_be_combined():
    with pytest.raises(ValueError, match='mask head'):
        combine_results([TrackResult(np.zeros(4, np.float32), 0.5)])
