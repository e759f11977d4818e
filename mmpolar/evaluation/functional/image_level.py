"""Scores of image-level decisions: an image is flagged when its score reaches a threshold.

Recall is the share of images with a target that are flagged, precision the share of flagged images
that do hold a target, and the false alarms are counted per 10,000 images without one. Images of
equal score are flagged together, so that no metric depends on the order of the images.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALARM_UNIT = 10_000


@dataclass(frozen=True)
class OperatingPoint:
    """What flagging at one threshold gives.

    Attributes:
        threshold: Images that score at least this much are flagged.
        recall: In [0, 1].
        precision: In [0, 1], NaN where nothing is flagged.
        false_alarms_per_10k: In [0, 10000].

    All four are NaN where the wanted point does not exist.
    """

    threshold: float
    recall: float
    precision: float
    false_alarms_per_10k: float

    @property
    def exists(self) -> bool:
        """Whether there is such a point."""
        return not math.isnan(self.threshold)


NO_POINT = OperatingPoint(math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class PRCurve:
    """Every decision that the scores allow: one point for each distinct score, highest first.

    Attributes:
        thresholds: (P,) distinct scores, falling.
        recall: (P,) in [0, 1], never falling; the last is 1.
        precision: (P,) in [0, 1].
        false_alarms_per_10k: (P,) in [0, 10000], never falling; the last is 10000.
    """

    thresholds: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    false_alarms_per_10k: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.thresholds)

    def __getitem__(self, index: int) -> OperatingPoint:
        return OperatingPoint(
            float(self.thresholds[index]),
            float(self.recall[index]),
            float(self.precision[index]),
            float(self.false_alarms_per_10k[index]),
        )

    def __iter__(self) -> Iterator[OperatingPoint]:
        return (self[index] for index in range(len(self)))


def recall(scores: ArrayLike, has_target: ArrayLike, threshold: float) -> float:
    """Share of the images with a target that are flagged.

    Args:
        scores: (N,) score of each image, finite.
        has_target: (N,) whether the image holds a target.
        threshold: Images that score at least this much are flagged.

    Returns:
        Recall in [0, 1].

    Raises:
        ValueError: If the two differ in length, a score is not finite, or no image has a target.
    """
    scores, has_target = _checked(scores, has_target)
    _require_positives(has_target)
    return float(np.mean(scores[has_target] >= threshold))


def precision(scores: ArrayLike, has_target: ArrayLike, threshold: float) -> float:
    """Share of the flagged images that hold a target.

    Args:
        scores: (N,) score of each image, finite.
        has_target: (N,) whether the image holds a target.
        threshold: Images that score at least this much are flagged.

    Returns:
        Precision in [0, 1], NaN where nothing is flagged.

    Raises:
        ValueError: If the two differ in length or a score is not finite.
    """
    scores, has_target = _checked(scores, has_target)
    flagged = scores >= threshold
    return float(np.mean(has_target[flagged])) if flagged.any() else math.nan


def false_alarms_per_10k(scores: ArrayLike, has_target: ArrayLike, threshold: float) -> float:
    """How many of 10,000 images without a target would be flagged.

    Args:
        scores: (N,) score of each image, finite.
        has_target: (N,) whether the image holds a target.
        threshold: Images that score at least this much are flagged.

    Returns:
        False alarms in [0, 10000].

    Raises:
        ValueError: If the two differ in length, a score is not finite, or every image has a target.
    """
    scores, has_target = _checked(scores, has_target)
    _require_negatives(has_target)
    return ALARM_UNIT * float(np.mean(scores[~has_target] >= threshold))


def operating_point(scores: ArrayLike, has_target: ArrayLike, threshold: float) -> OperatingPoint:
    """Recall, precision and false alarms at a threshold.

    Args:
        scores: (N,) score of each image, finite.
        has_target: (N,) whether the image holds a target.
        threshold: Images that score at least this much are flagged.

    Returns:
        The point; its precision is NaN where nothing is flagged.

    Raises:
        ValueError: If the two differ in length, a score is not finite, or there are not both images
            with a target and images without.
    """
    return OperatingPoint(
        threshold=float(threshold),
        recall=recall(scores, has_target, threshold),
        precision=precision(scores, has_target, threshold),
        false_alarms_per_10k=false_alarms_per_10k(scores, has_target, threshold),
    )


def pr_curve(scores: ArrayLike, has_target: ArrayLike) -> PRCurve:
    """Recall, precision and false alarms at every threshold that makes a difference.

    Args:
        scores: (N,) score of each image, finite.
        has_target: (N,) whether the image holds a target.

    Returns:
        One point for each distinct score.

    Raises:
        ValueError: If the two differ in length, a score is not finite, or there are not both images
            with a target and images without.
    """
    scores, has_target = _checked(scores, has_target)
    _require_positives(has_target)
    _require_negatives(has_target)
    order = np.argsort(-scores, kind='stable')
    scores, has_target = scores[order], has_target[order]
    last_of_ties = np.append(scores[1:] != scores[:-1], True)
    hits = np.cumsum(has_target)[last_of_ties]
    flagged = np.flatnonzero(last_of_ties) + 1
    alarms = flagged - hits
    return PRCurve(
        thresholds=scores[last_of_ties],
        recall=hits / hits[-1],
        precision=hits / flagged,
        false_alarms_per_10k=ALARM_UNIT * (alarms / alarms[-1]),
    )


def average_precision(curve: PRCurve) -> float:
    """Area under the curve of steps: each gain in recall times the precision at its end.

    Args:
        curve: From :func:`pr_curve`.

    Returns:
        Average precision in (0, 1].
    """
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def point_for_precision(curve: PRCurve, wanted: float) -> OperatingPoint:
    """The point with the highest recall among those whose precision is at least the wanted one.

    Precision may rise and fall with the threshold, so that this is not always the lowest threshold
    below which precision is first lost. Of equal recalls the highest threshold is taken.

    Args:
        curve: From :func:`pr_curve`.
        wanted: Precision to reach, in (0, 1].

    Returns:
        The point, or ``NO_POINT`` if no threshold reaches that precision.

    Raises:
        ValueError: If ``wanted`` is not in (0, 1].
    """
    check_share(wanted, 'precision')
    # A point without a hit has precision 0 and never gets here.
    candidates = np.flatnonzero(curve.precision >= wanted)
    if not len(candidates):
        return NO_POINT
    return curve[candidates[np.argmax(curve.recall[candidates])]]


def point_for_recall(curve: PRCurve, wanted: float) -> OperatingPoint:
    """The point with the highest threshold, thus the fewest false alarms, that reaches a recall.

    There always is one, as the lowest threshold flags every image.

    Args:
        curve: From :func:`pr_curve`.
        wanted: Recall to reach, in (0, 1].

    Returns:
        The point.

    Raises:
        ValueError: If ``wanted`` is not in (0, 1].
    """
    check_share(wanted, 'recall')
    return curve[int(np.argmax(curve.recall >= wanted))]


def _checked(
    scores: ArrayLike, has_target: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, has_target = np.asarray(scores, dtype=np.float64), np.asarray(has_target)
    if scores.ndim != 1 or scores.shape != has_target.shape:
        raise ValueError(
            'scores and has_target must be two rows of equal length, got the shapes '
            f'{scores.shape} and {has_target.shape}'
        )
    if not np.isin(has_target, (0, 1)).all():
        raise ValueError(f'has_target must hold true or false only, got {np.unique(has_target)}')
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise ValueError(
            f'{len(broken)} of {len(scores)} scores are not finite; the first is '
            f'{scores[broken[0]]}, of image {broken[0]}'
        )
    return scores, has_target.astype(bool)


def _require_positives(has_target: NDArray[np.bool_]) -> None:
    if not has_target.any():
        raise ValueError(f'none of {len(has_target)} images has a target: there is no recall')


def _require_negatives(has_target: NDArray[np.bool_]) -> None:
    if has_target.all():
        raise ValueError(
            f'all of {len(has_target)} images have a target: false alarms cannot be counted'
        )


def check_share(value: float, name: str) -> None:
    """Refuse a wanted precision or recall that is not in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f'the wanted {name} must be above 0 and at most 1, got {value}')
