"""Whether what was found is the target, and where a lost one is looked for."""

import math
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.boxes import box_center
from mmpolar.structures.crop import context_size
from mmpolar.structures.grid import frame_limits
from mmpolar.tracking.colors import color_histogram, color_similarity
from mmpolar.tracking.mask_stage import (
    KEY_STRIDE,
    MASK_STRIDE,
    FoundMask,
    MaskMemory,
    MaskReference,
)
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.products import product

# Keeps the logarithm of a score of 0 or 1 finite.
_MIN_SHARE = 1e-4
# A cell belongs to the target from this share of the largest one on, to the background below it.
_INSIDE, _OUTSIDE = 0.5, 0.1
_WINDOW_STEP = 0.6


def presence_features(
    score: float, found: FoundMask, memory: MaskMemory, online: float | None = None
) -> dict[str, float] | None:
    """What speaks for a found mask being the target.

    Args:
        score: Score of the selected location, in [0, 1].
        found: The mask that the mask stage found there.
        memory: What the stage remembers of the target.
        online: Score of the online model at the selected location; None without one.

    Returns:
        By name, of :data:`PRESENCE_FEATURES`: ``bias``, 1; ``score``, the logit of the score; ``confidence``, the
        mean share of the target in the cells of the mask; ``likeness``, the mean, over these cells, of the
        highest cosine similarity with the target in the first frame; ``contrast``, by how much it exceeds that
        with the background there; ``completeness``, the mean, over the target's cells in the first frame, of
        the highest similarity with a cell of the mask; ``quality``, the logit of the mask's expected IoU; ``color``,
        the similarity of the colours with those in the first frame; and ``online``, the online model's score,
        if there is one. Comparisons with a first frame that is not known are 0. None of an empty mask.
    """
    if found.box is None:
        return None
    shares = found.reference.mask
    likeness, contrast, completeness = _similarity(found.reference, memory.first)
    color = 0.0
    if memory.colors is not None:
        color = color_similarity(color_histogram(found.crop, shares), memory.colors)
    features = dict(
        bias=1.0,
        score=logit(score),
        confidence=float(shares[shares > _INSIDE * shares.max()].mean()),
        likeness=likeness,
        contrast=contrast,
        completeness=completeness,
        quality=logit(found.quality),
        color=color,
    )
    return features if online is None else features | dict(online=online)


def target_presence(
    score: float,
    found: FoundMask,
    memory: MaskMemory,
    weights: Mapping[str, float],
    online: float | None = None,
) -> float:
    """Probability in [0, 1] that a found mask is the target.

    Args:
        score: Score of the selected location, in [0, 1].
        found: The mask that the mask stage found there.
        memory: What the stage remembers of the target.
        weights: Weights of :func:`presence_features` by name, in a logistic regression; none to
            take the score as it is.
        online: Score of the online model at the selected location; needed if it has a weight.

    Returns:
        The probability; 0 of an empty mask.
    """
    if not weights:
        return score
    features = presence_features(score, found, memory, online)
    if features is None:
        return 0.0
    logit = sum(weight * features[name] for name, weight in weights.items())
    return 0.5 * (1 + math.tanh(0.5 * logit))


def scan_boxes(
    box: NDArray[np.float64], frame_size: tuple[int, int], params: TrackParams
) -> NDArray[np.float64]:
    """Boxes around which a lost target is looked for, so that all of the frame is searched.

    The search regions of neighbouring boxes overlap, and the target may have grown or shrunk by
    :attr:`TrackParams.scan_zooms`.

    Args:
        box: The target's last box, (4,) xyxy in pixels.
        frame_size: Height and width of the frame in pixels.
        params: Hyper-parameters of tracking.

    Returns:
        (n, 4) boxes, those of the target's own size first, each from the nearest to the farthest.
    """
    limits = frame_limits(frame_size)
    extent, sides = limits[2:] - limits[:2], box[2:] - box[:2]
    boxes = []
    for zoom in params.scan_zooms:
        half = np.minimum(sides * zoom, extent) / 2
        context = context_size(2 * half, params.context_amount)
        window = context * params.lost_search_size / params.template_size
        counts = np.ceil(extent / (_WINDOW_STEP * window)).astype(int)
        axes = [
            low + (np.arange(count) + 0.5) * length / count
            for low, length, count in zip(limits[:2], extent, counts, strict=True)
        ]
        centers = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
        order = np.linalg.norm(centers - box_center(box), axis=1).argsort(kind='stable')
        boxes.append(np.hstack([centers[order] - half, centers[order] + half]))
    return np.concatenate(boxes)


def logit(share: float) -> float:
    """Logit of a share in [0, 1], finite: at most 9.2 for one."""
    share = min(max(share, _MIN_SHARE), 1 - _MIN_SHARE)
    return math.log(share / (1 - share))


def _similarity(found: MaskReference, first: MaskReference | None) -> tuple[float, float, float]:
    """Likeness, contrast and completeness of :func:`presence_features`."""
    if first is None:
        return 0.0, 0.0, 0.0
    inside, _ = _key_cells(found.mask)
    target, background = _key_cells(first.mask)
    if not target.any():
        return 0.0, 0.0, 0.0
    similarity = product(found.keys[:, inside].T, first.keys)
    to_target = similarity[:, target]
    closest = to_target.max(1)
    contrast = 0.0
    if background.any():
        contrast = float((closest - similarity[:, background].max(1)).mean())
    return float(closest.mean()), contrast, float(to_target.max(0).mean())


def _key_cells(mask: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which keys (R,) lie on the target of a mask (h, w), and which on its background."""
    cells = len(mask) * MASK_STRIDE // KEY_STRIDE
    share = cv2.resize(mask, (cells, cells), interpolation=cv2.INTER_AREA).ravel()
    return share > _INSIDE * share.max(), share < _OUTSIDE
