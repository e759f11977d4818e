import numpy as np
import pytest

from mmpolar.evaluation.functional import (
    box_iou,
    center_distance,
    normalized_center_distance,
    normalized_precision_auc,
    normalized_precision_curve,
    precision_at,
    precision_curve,
    success_at,
    success_auc,
    success_curve,
)

NO_TARGET = [np.nan] * 4


def test_box_iou_hand_computed():
    pred = [[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]
    gt = [[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 7]]
    np.testing.assert_allclose(box_iou(pred, gt), [1, 50 / 150, 0, 10 / 100])


def test_box_iou_matches_counting_on_a_fine_grid():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 30, (200, 2, 2, 2))
    boxes = np.concatenate([corners.min(axis=2), corners.max(axis=2) + 1], axis=-1)
    expected = []
    for first, second in boxes:
        canvases = np.zeros((2, 32, 32), bool)
        for canvas, (x1, y1, x2, y2) in zip(canvases, (first, second), strict=True):
            canvas[y1:y2, x1:x2] = True
        expected.append((canvases[0] & canvases[1]).sum() / (canvases[0] | canvases[1]).sum())
    np.testing.assert_allclose(box_iou(boxes[:, 0], boxes[:, 1]), expected)


def test_box_iou_of_empty_boxes_is_zero():
    empty, inverted, real = [3, 3, 3, 3], [8, 8, 2, 2], [0, 0, 10, 10]
    ious = box_iou([empty, inverted, empty], [real, real, empty])
    np.testing.assert_array_equal(ious, [0, 0, 0])


def test_absent_target_is_unknown_and_missing_prediction_is_wrong():
    box = [0, 0, 10, 10]
    pred, gt = [box, NO_TARGET, NO_TARGET], [NO_TARGET, box, NO_TARGET]
    np.testing.assert_array_equal(box_iou(pred, gt), [np.nan, 0, np.nan])
    np.testing.assert_array_equal(center_distance(pred, gt), [np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(normalized_center_distance(pred, gt), [np.nan, np.inf, np.nan])


def test_box_functions_refuse_unpaired_boxes():
    with pytest.raises(ValueError, match=r'\(2, 4\) and \(3, 4\)'):
        box_iou(np.zeros((2, 4)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match='one row a frame'):
        center_distance(np.zeros(4), np.zeros(4))


def test_center_distance_hand_computed():
    pred, gt = [[0, 0, 10, 10], [3, 4, 13, 14]], [[0, 0, 10, 10], [0, 0, 10, 10]]
    np.testing.assert_allclose(center_distance(pred, gt), [0, 5])


def test_normalized_center_distance_uses_the_true_size():
    pred, gt = [[20, 0, 60, 10], [0, 3, 40, 13]], [[0, 0, 40, 10], [0, 0, 40, 10]]
    np.testing.assert_allclose(normalized_center_distance(pred, gt), [20 / 40, 3 / 10])


def test_normalized_center_distance_excludes_true_boxes_without_area():
    assert np.isnan(normalized_center_distance([[0, 0, 4, 4]], [[5, 5, 5, 9]]))[0]


def test_success_auc_hand_computed():
    # IoU 0.5 is above 0, .05, ..., .45: 10 thresholds; 1 is above 20; 0 above none.
    assert success_auc([0.5]) == pytest.approx(10 / 21)
    assert success_auc([1.0, 0.0]) == pytest.approx(10 / 21)
    assert success_auc([0.5, 1.0, 0.0]) == pytest.approx(30 / 63)


def test_success_auc_of_a_perfect_tracker_is_twenty_of_twenty_one():
    assert success_auc(np.ones(7)) == pytest.approx(20 / 21)


def test_success_auc_matches_loops():
    ious = np.random.default_rng(1).random(50)
    rates = [np.mean([iou > step * 0.05 for iou in ious]) for step in range(21)]
    assert success_auc(ious) == pytest.approx(np.mean(rates))


def test_precision_counts_the_threshold_itself():
    assert precision_at([20.0, 20.01, 0.0, np.inf]) == 0.5
    assert precision_at([3.0, 6.0], limit=5) == 0.5


def test_normalized_precision_auc_hand_computed():
    # A distance of 0.25 is within .25, .26, ..., .5: 26 of 51 thresholds.
    assert normalized_precision_auc([0.25]) == pytest.approx(26 / 51)
    assert normalized_precision_auc([0.0, np.inf]) == pytest.approx(0.5)


@pytest.mark.parametrize('summary', [success_auc, precision_at, normalized_precision_auc])
def test_frames_without_target_are_left_out(summary):
    values = [0.1, 0.4, 0.9]
    assert summary([*values, np.nan, np.nan]) == summary(values)
    assert np.isnan(summary([np.nan, np.nan]))
    assert np.isnan(summary([]))


def test_curves_hold_the_values():
    rng = np.random.default_rng(4)
    ious, distances = rng.random(40), rng.random(40) * 60
    success, precision = success_curve(ious), precision_curve(distances)
    assert success.mean() == pytest.approx(success_auc(ious))
    assert success[10] == success_at(ious, 0.5)
    assert precision[20] == precision_at(distances)
    normalized = normalized_precision_curve(distances / 100)
    assert normalized.mean() == pytest.approx(normalized_precision_auc(distances / 100))
    assert normalized[20] == precision_at(distances / 100, 0.2)


def test_success_at_is_strict():
    assert success_at([0.5, 0.5001, 0.2, 0.9], 0.5) == 0.5


@pytest.mark.parametrize('curve', [success_curve, precision_curve, normalized_precision_curve])
def test_curve_without_a_target_is_unknown(curve):
    assert np.isnan(curve([np.nan, np.nan])).all()
