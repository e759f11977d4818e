"""Scores of one video are means over its frames after the first."""

import math

import numpy as np
import pytest

from mmpolar.evaluation.functional import boundary_f, box_similarity
from mmpolar.evaluation.video_score import VideoScore
from mmpolar.structures.polar import mask_to_box, polar_ceiling
from mmpolar.structures.track_result import TrackResult


def square(left, top, side=20, shape=(60, 80)):
    mask = np.zeros(shape, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def found(mask, visible=True):
    return TrackResult(mask_to_box(mask), 0.9, mask=mask, visible=visible)


def test_values_are_means_of_hand_computed_ones():
    first, moved = square(10, 10), square(20, 10)
    score = VideoScore(first, n_rays=36)
    score.add(found(moved), moved)
    score.add(found(first), moved)
    assert len(score) == 2
    values = score.values()
    # The first box overlaps the one beside it in half of its width: 10 of 30 columns.
    assert values['iou'] == pytest.approx((1 + 1 / 3) / 2)
    assert values['J'] == pytest.approx((1 + 1 / 3) / 2)
    assert values['static_iou'] == pytest.approx(1 / 3)
    assert values['F'] == pytest.approx((1 + boundary_f(first, moved)) / 2)
    assert values['J_box'] == pytest.approx(
        (box_similarity(mask_to_box(moved), moved) + box_similarity(mask_to_box(first), moved)) / 2
    )
    assert values['ceiling'] == pytest.approx(polar_ceiling(moved, 36))


def test_a_target_that_is_not_visible_counts_for_masks_alone():
    score = VideoScore(square(10, 10))
    nothing = np.zeros((60, 80), np.uint8)
    score.add(TrackResult(np.array([1.0, 1, 5, 5]), 0.1, mask=nothing, visible=False), nothing)
    values = score.values()
    assert values['J'] == values['F'] == values['J_box'] == 1
    assert math.isnan(values['iou'])


def test_a_tracker_of_boxes_has_no_mask_values():
    mask = square(10, 10)
    score = VideoScore(mask)
    score.add(TrackResult(mask_to_box(mask), 0.9), mask)
    assert math.isnan(score.values()['J'])
    assert 'ceiling' not in score.values()


def test_an_empty_first_mask_is_refused():
    with pytest.raises(ValueError, match='is empty'):
        VideoScore(np.zeros((4, 4), np.uint8))
