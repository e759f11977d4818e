"""Scores of tracked boxes: overlap, centre distance, success and precision.

Boxes are x1, y1, x2, y2 in pixels, one row a frame. A ground-truth row that holds a NaN means *no
target in that frame*: its overlap and distance are NaN, and the summaries leave it out, so that it
counts neither as a hit nor as a miss. A predicted row that holds a NaN means *no prediction*: where
there is a target, its overlap is 0 and its distance infinite.
"""

import numpy as np

# Wu et al., "Object Tracking Benchmark", TPAMI 2015: 21 overlap thresholds, 20 pixels.
SUCCESS_THRESHOLDS = np.arange(21) / 20
PRECISION_PIXELS = 20.0
PRECISION_THRESHOLDS = np.arange(51.0)
# Mueller et al., "TrackingNet", ECCV 2018: distances in units of the true box, up to one half.
NORMALIZED_THRESHOLDS = np.arange(51) / 100
# Fan et al., "LaSOT", CVPR 2019: where the normalised precision is read off.
NORMALIZED_DISTANCE = 0.2


def box_iou(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Intersection over union of each predicted box with the true box of its frame.

    Args:
        pred: (T, 4) predicted boxes; a box with x2 <= x1 or y2 <= y1 is empty.
        gt: (T, 4) true boxes.

    Returns:
        (T,) float64 in [0, 1], NaN where there is no target. Two empty boxes have overlap 0.

    Raises:
        ValueError: If the two are not of one shape (T, 4).
    """
    pred, gt = paired(pred, gt)
    overlap = np.minimum(pred[:, 2:], gt[:, 2:]) - np.maximum(pred[:, :2], gt[:, :2])
    intersection = overlap.clip(min=0).prod(axis=1)
    union = _area(pred) + _area(gt) - intersection
    iou = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return _with_gaps(iou, pred, gt, missed=0.0)


def center_distance(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Distance of each predicted box's centre from the true centre of its frame.

    Args:
        pred: (T, 4) predicted boxes.
        gt: (T, 4) true boxes.

    Returns:
        (T,) float64 pixels, NaN where there is no target, infinite where there is no prediction.

    Raises:
        ValueError: If the two are not of one shape (T, 4).
    """
    pred, gt = paired(pred, gt)
    return _with_gaps(np.hypot(*(_center(pred) - _center(gt)).T), pred, gt, missed=np.inf)


def normalized_center_distance(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Centre distance with x in units of the true box's width and y of its height.

    Mueller et al., "TrackingNet", ECCV 2018, section 5. A true box without area counts as no target.

    Args:
        pred: (T, 4) predicted boxes.
        gt: (T, 4) true boxes.

    Returns:
        (T,) float64 without unit, NaN where there is no target, infinite where there is no
        prediction.

    Raises:
        ValueError: If the two are not of one shape (T, 4).
    """
    pred, gt = paired(pred, gt)
    size = gt[:, 2:] - gt[:, :2]
    gt = np.where((size > 0).all(axis=1, keepdims=True), gt, np.nan)
    size = np.where(size > 0, size, np.nan)
    distance = np.hypot(*((_center(pred) - _center(gt)) / size).T)
    return _with_gaps(distance, pred, gt, missed=np.inf)


def success_curve(ious: np.ndarray) -> np.ndarray:
    """Success plot of OTB: share of frames with an overlap **strictly** above each threshold.

    Args:
        ious: (T,) overlaps in [0, 1], NaN where there is no target.

    Returns:
        (21,) values at :data:`SUCCESS_THRESHOLDS`, NaN when no frame has a target.
    """
    return _shares(_known(ious)[:, None] > SUCCESS_THRESHOLDS)


def success_auc(ious: np.ndarray) -> float:
    """Area under the success plot, as the OTB toolkit computes it.

    The mean of :func:`success_curve`. As no IoU is above 1, a perfect tracker scores 20/21 = 0.952
    (Wu et al., "Object Tracking Benchmark", TPAMI 2015).

    Args:
        ious: (T,) overlaps in [0, 1], NaN where there is no target.

    Returns:
        Value in [0, 20/21], NaN when no frame has a target.
    """
    return float(success_curve(ious).mean())


def success_at(ious: np.ndarray, threshold: float) -> float:
    """Share of frames with an overlap above a threshold.

    Args:
        ious: (T,) overlaps, NaN where there is no target.
        threshold: An overlap that is not enough; 0.5 for OP50, 0.75 for OP75.

    Returns:
        Value in [0, 1], NaN when no frame has a target.
    """
    return float(_shares(_known(ious)[:, None] > threshold)[0])


def precision_curve(distances: np.ndarray) -> np.ndarray:
    """Precision plot of OTB: share of frames whose centre is at most so many pixels off.

    Args:
        distances: (T,) centre distances, NaN where there is no target.

    Returns:
        (51,) values at :data:`PRECISION_THRESHOLDS`, NaN when no frame has a target.
    """
    return _shares(_known(distances)[:, None] <= PRECISION_THRESHOLDS)


def precision_at(distances: np.ndarray, limit: float = PRECISION_PIXELS) -> float:
    """Share of frames whose centre is at most so far off (OTB: 20 pixels).

    Args:
        distances: (T,) centre distances in pixels or normalised, NaN where there is no target.
        limit: Largest distance that counts as a hit, in the same unit.

    Returns:
        Value in [0, 1], NaN when no frame has a target.
    """
    return float(_shares(_known(distances)[:, None] <= limit)[0])


def normalized_precision_curve(distances: np.ndarray) -> np.ndarray:
    """Share of frames whose normalised distance is at most each threshold.

    Args:
        distances: (T,) from :func:`normalized_center_distance`, NaN where there is no target.

    Returns:
        (51,) values at :data:`NORMALIZED_THRESHOLDS`, NaN when no frame has a target.
    """
    return _shares(_known(distances)[:, None] <= NORMALIZED_THRESHOLDS)


def normalized_precision_auc(distances: np.ndarray) -> float:
    """Area under the normalised precision plot between 0 and 0.5, as in TrackingNet.

    The mean of :func:`normalized_precision_curve` (Mueller et al., "TrackingNet", ECCV 2018).

    Args:
        distances: (T,) from :func:`normalized_center_distance`, NaN where there is no target.

    Returns:
        Value in [0, 1], NaN when no frame has a target.
    """
    return float(normalized_precision_curve(distances).mean())


def paired(pred: np.ndarray, gt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as arrays (T, 4) float64; refuses any that are not one row a frame."""
    pred, gt = np.asarray(pred, dtype=np.float64), np.asarray(gt, dtype=np.float64)
    if pred.shape != gt.shape or pred.ndim != 2 or pred.shape[1] != 4:
        raise ValueError(
            'predicted and true boxes must both be (T, 4), one row a frame; '
            f'got {pred.shape} and {gt.shape}'
        )
    return pred, gt


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)


def _center(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _with_gaps(values: np.ndarray, pred: np.ndarray, gt: np.ndarray, missed: float) -> np.ndarray:
    """Put ``missed`` where the prediction lacks, then NaN where the target does."""
    values = np.where(np.isnan(pred).any(axis=1), missed, values)
    return np.where(np.isnan(gt).any(axis=1), np.nan, values)


def _known(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return values[~np.isnan(values)]


def _shares(hits: np.ndarray) -> np.ndarray:
    """Share of hits in each column, NaN without rows."""
    return hits.mean(axis=0) if len(hits) else np.full(hits.shape[1], np.nan)
