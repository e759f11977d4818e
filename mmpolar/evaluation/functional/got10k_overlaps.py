"""Scores of GOT-10k: average overlap and success rates.

Huang, Zhao and Huang, "GOT-10k: A Large High-Diversity Benchmark for Generic Object Tracking in the
Wild", TPAMI 2019, with the conventions of the benchmark's published evaluation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmpolar.evaluation.functional.boxes import paired

_TINY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class GOT10kScores:
    """The metrics of GOT-10k.

    Attributes:
        ao: Average overlap over the frames that count, in [0, 1]; NaN if none does.
        sr50: Share of these frames with an overlap above 0.5.
        sr75: Share of these frames with an overlap above 0.75.
    """

    ao: float
    sr50: float
    sr75: float


def got10k_ious(
    pred: np.ndarray,
    gt: np.ndarray,
    size: tuple[int, int],
    visible: np.ndarray | None = None,
) -> np.ndarray:
    """Overlap in each frame of a sequence that counts.

    The first frame does not count, nor does one in which the target is not visible. Both boxes are
    cut to the image as the benchmark does it: a corner outside is moved to the border *without
    changing the width and height*, which are cut to what is left of the image afterwards.

    Args:
        pred: (T, 4) predicted x, y, width, height, pixel corners at integers. A row with a NaN
            means no prediction, which counts as overlap 0.
        gt: (T, 4) true x, y, width, height.
        size: Height and width of the frames.
        visible: (T,) whether the target is visible (``cover`` above 0); None for every frame whose
            true box has no NaN.

    Returns:
        (N,) float64 overlaps in [0, 1] of the frames that count, in order.

    Raises:
        ValueError: If the shapes do not fit, or a visible frame has no true box.
    """
    pred, gt, visible = _checked(pred, gt, visible)
    height, width = size
    pred, gt = (_cut(boxes[1:], np.array([width, height])) for boxes in (pred, gt))
    corner = np.maximum(pred[:, :2], gt[:, :2])
    opposite = np.minimum(pred[:, :2] + pred[:, 2:], gt[:, :2] + gt[:, 2:])
    intersection = (opposite - corner).clip(min=0).prod(axis=1)
    union = pred[:, 2:].prod(axis=1) + gt[:, 2:].prod(axis=1) - intersection
    ious = (intersection / (union + _TINY)).clip(0, 1)
    return np.where(np.isnan(ious), 0.0, ious)[visible[1:]]


def got10k_scores(ious: np.ndarray | Sequence[np.ndarray]) -> GOT10kScores:
    """Metrics of one sequence, or of a dataset.

    Args:
        ious: (N,) overlaps of :func:`got10k_ious`, or a list of such arrays, one a sequence. Every
            frame weighs the same, so that a long sequence weighs more than a short one.

    Returns:
        The metrics.
    """
    if not isinstance(ious, np.ndarray):
        ious = np.concatenate([np.zeros(0), *ious])
    if ious.size == 0:
        return GOT10kScores(np.nan, np.nan, np.nan)
    return GOT10kScores(
        ao=float(ious.mean()),
        sr50=float((ious > 0.5).mean()),
        sr75=float((ious > 0.75).mean()),
    )


def _checked(
    pred: np.ndarray, gt: np.ndarray, visible: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pred, gt = paired(pred, gt)
    known = ~np.isnan(gt).any(axis=1)
    if visible is None:
        return pred, gt, known
    visible = np.asarray(visible, dtype=bool)
    if visible.shape != known.shape:
        raise ValueError(f'visible has {visible.shape} values for {len(gt)} frames; give one each')
    lacking = np.flatnonzero(visible & ~known)
    if lacking.size:
        raise ValueError(
            f'frame {lacking[0]} is marked as visible but has no true box; mark it as not visible'
        )
    return pred, gt, visible


def _cut(boxes: np.ndarray, limits: np.ndarray) -> np.ndarray:
    corner = boxes[:, :2].clip(0, limits)
    return np.concatenate([corner, boxes[:, 2:].clip(0, limits - corner)], axis=1)
