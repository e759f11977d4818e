"""Metrics of mask scores over the frames of videos: DAVIS and YouTube-VOS.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR
2016; Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017; Xu et al.,
"YouTube-VOS: A Large-Scale Video Object Segmentation Benchmark", 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmpolar.evaluation.functional.means import mean_of_known

#: A frame above this score counts as recalled.
RECALL_THRESHOLD = 0.5
_N_BINS = 4


@dataclass(frozen=True)
class ScoreStatistics:
    """How a score goes over the frames of one object.

    Attributes:
        mean: Mean over the frames; NaN without frames.
        recall: Share of the frames with a score above :data:`RECALL_THRESHOLD`.
        decay: Mean over the first quarter of the frames minus that over the last.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class YouTubeVOSScores:
    """The metrics of YouTube-VOS; NaN where no object belongs to a metric.

    Attributes:
        overall: G, the mean of the other four.
        j_seen: Mean J of the objects whose category is in the training set.
        f_seen: Mean F of the same.
        j_unseen: Mean J of the objects of other categories.
        f_unseen: Mean F of the same.
    """

    overall: float
    j_seen: float
    f_seen: float
    j_unseen: float
    f_unseen: float


def scored_frames(length: int, skip_last: bool) -> slice:
    """Frames of a video that DAVIS scores when the first mask is given.

    Args:
        length: Frames of the video.
        skip_last: Whether the last frame is left out, as in the toolkits of DAVIS 2016 and 2017.

    Returns:
        The frames after the first, with or without the last.
    """
    return slice(1, max(length - 1, 1) if skip_last else length)


def score_statistics(scores: np.ndarray) -> ScoreStatistics:
    """Mean, recall and decay of a score, as the toolkits of DAVIS compute them.

    The frames are split into four bins that share their border frames. A sequence of more than 255
    scored frames is binned rightly here, where the toolkits' frame numbers of 8 bits wrap around.

    Args:
        scores: (T,) J or F of the scored frames, in [0, 1]. NaN marks a frame without an
            annotation, which is left out.

    Returns:
        The statistics.
    """
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[~np.isnan(scores)]
    if scores.size == 0:
        return ScoreStatistics(np.nan, np.nan, np.nan)
    # Rounded upwards at one half, which the benchmark reaches by a small addition.
    edges = np.round(np.linspace(1, scores.size, _N_BINS + 1) + 1e-10).astype(np.int64) - 1
    first, last = scores[: edges[1] + 1], scores[edges[-2] :]
    return ScoreStatistics(
        mean=float(scores.mean()),
        recall=float((scores > RECALL_THRESHOLD).mean()),
        decay=float(first.mean() - last.mean()),
    )


def quarter_means(scores: np.ndarray) -> list[float]:
    """Mean of a score in each quarter of a sequence: a tracker that drifts loses towards the end.

    Args:
        scores: (T,) score of each frame; NaN marks a frame that is left out.

    Returns:
        Four means; NaN for a quarter without a known score.
    """
    return [mean_of_known(part) for part in np.array_split(np.asarray(scores, np.float64), _N_BINS)]


def youtube_vos_scores(
    j: Sequence[float], f: Sequence[float], seen: Sequence[bool]
) -> YouTubeVOSScores:
    """Metrics of YouTube-VOS from those of its objects.

    Args:
        j: (N,) mean J of each object.
        f: (N,) mean F of each object.
        seen: (N,) whether the object's category is in the training set.

    Returns:
        The metrics; ``overall`` is the mean of those that exist.

    Raises:
        ValueError: If the three differ in length.
    """
    j, f, seen = np.asarray(j, float), np.asarray(f, float), np.asarray(seen, bool)
    if not j.shape == f.shape == seen.shape:
        raise ValueError(
            f'J, F and seen must have one value an object; got {j.shape}, {f.shape}, {seen.shape}'
        )
    means = [mean_of_known(values) for values in (j[seen], f[seen], j[~seen], f[~seen])]
    return YouTubeVOSScores(mean_of_known(means), *means)
