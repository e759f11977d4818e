"""Scores of videos whose target leaves and returns, as the VOT challenge counts them.

Two conventions, computed as VOT's toolkit (0.9) does:

- *VOT-LT*, 2018 to 2022: precision, recall and F of a tracker that says in each frame how sure it is
  (Lukezic et al., "Performance Evaluation Methodology for Long-Term Single-Object Tracking", IEEE
  Transactions on Cybernetics, 2021);
- *VOTS*, from 2023 on: a tracker reports the target, or an empty region (Kristan et al., "The First
  Visual Object Tracking Segmentation VOTS2023 Challenge Results", ICCVW 2023).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.evaluation.functional.means import mean_of_known

#: Confidences at which precision and recall are computed, infinity on both sides included.
RESOLUTION = 100
#: A target must be absent in more frames than this for its absence to be scored.
ABSENT_FRAMES = 10


@dataclass(frozen=True)
class LongTermTrack:
    """What a tracker reported for one target; arrays of one value a frame.

    Attributes:
        overlaps: (T,) overlap of what was reported with the ground truth in [0, 1]: 0 where only one of
            both is empty, 1 where both are.
        reported: (T,) bool, whether a target was reported, rather than an empty region.
        present: (T,) bool, whether the target is in the frame.
        confidences: (T,) how sure the tracker is; 0 where it reports nothing.

    Raises:
        ValueError: If the arrays differ in shape.
    """

    overlaps: NDArray[np.float64]
    reported: NDArray[np.bool_]
    present: NDArray[np.bool_]
    confidences: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = [np.shape(values) for values in vars(self).values()]
        if len(set(shapes)) != 1 or len(shapes[0]) != 1:
            raise ValueError(f'a track needs one value a frame of each array, got shapes {shapes}')


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision, recall and F at the confidence at which F is highest; NaN without a target.

    Attributes:
        precision: Mean overlap over the frames in which a target is reported, 0 for those without one.
        recall: Sum of these overlaps by the number of frames with the target.
        f_score: Harmonic mean of both.
    """

    precision: float
    recall: float
    f_score: float


@dataclass(frozen=True)
class QualityScores:
    """The values of VOTS of one target, or their means over several. NaN where there is no such frame.

    Attributes:
        quality: Mean overlap of all frames; 1 for one without target in which nothing is reported.
        accuracy: Mean overlap of the frames with the target in which it is above 0; 0 without such frames.
        robustness: Share of these among the frames with the target.
        not_reported: Share of the frames with the target in which nothing is reported (NRE).
        drift: Share of the frames with the target in which something else is reported (DRE).
        absence: Share of the frames without the target in which nothing is reported (ADQ); NaN unless
            there are more than :data:`ABSENT_FRAMES`.
    """

    quality: float
    accuracy: float
    robustness: float
    not_reported: float
    drift: float
    absence: float


def confidence_thresholds(
    confidences: Iterable[float], resolution: int = RESOLUTION
) -> NDArray[np.float64]:
    """Confidences at which precision and recall are computed.

    Args:
        confidences: Those of all frames of all targets.
        resolution: Largest number of thresholds, at least 3.

    Returns:
        (K,) descending, from infinity to its negative; between them all confidences, or so many that as
        many frames lie between any two neighbours.
    """
    ordered = np.sort(np.fromiter(confidences, np.float64))[::-1]
    inner = resolution - 2
    if len(ordered) > inner:
        step = len(ordered) // inner
        ordered = ordered[np.round(np.linspace(step, len(ordered) - step, inner)).astype(np.int64)]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall_curve(
    track: LongTermTrack, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of a target if it counts as reported from each confidence on.

    Args:
        track: What was reported; the target is in at least one frame.
        thresholds: (K,) confidences, descending.

    Returns:
        Precision (K,), 1 where nothing is reported, and recall (K,).
    """
    order = np.argsort(-track.confidences, kind='stable')
    overlaps = np.where(track.present, track.overlaps, 0.0)[order]
    sums = np.concatenate([[0.0], np.cumsum(overlaps)])
    counts = np.searchsorted(-track.confidences[order], -thresholds, side='right')
    precision = np.where(counts == 0, 1.0, sums[counts] / np.maximum(counts, 1))
    return precision, sums[counts] / np.count_nonzero(track.present)


def precision_recall(
    tracks: Sequence[LongTermTrack], resolution: int = RESOLUTION
) -> PrecisionRecall:
    """Precision, recall and F of all targets together.

    The curves of the targets, each of which weighs the same, are averaged at common confidences.

    Args:
        tracks: What was reported for each target. Those that are in no frame do not count.
        resolution: See :func:`confidence_thresholds`.
    """
    tracks = [track for track in tracks if track.present.any()]
    if not tracks:
        return PrecisionRecall(np.nan, np.nan, np.nan)
    thresholds = confidence_thresholds(np.concatenate([t.confidences for t in tracks]), resolution)
    curves = [precision_recall_curve(track, thresholds) for track in tracks]
    precision, recall = np.mean(curves, axis=0)
    total = precision + recall
    f_scores = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    best = int(f_scores.argmax())
    return PrecisionRecall(float(precision[best]), float(recall[best]), float(f_scores[best]))


def quality_scores(track: LongTermTrack) -> QualityScores:
    """The values of VOTS for one target."""
    present, tracked = track.present, track.present & (track.overlaps > 0)
    absent = ~track.reported[~present]
    return QualityScores(
        quality=mean_of_known(track.overlaps),
        accuracy=float(track.overlaps[tracked].mean()) if tracked.any() else 0.0,
        robustness=mean_of_known(tracked[present]),
        not_reported=mean_of_known((~tracked & ~track.reported)[present]),
        drift=mean_of_known((~tracked & track.reported)[present]),
        absence=mean_of_known(absent) if len(absent) > ABSENT_FRAMES else np.nan,
    )
