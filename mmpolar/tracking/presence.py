"""Whether what was found is the target, and where a lost one is looked for."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.boxes import box_center
from mmpolar.structures.crop import context_size
from mmpolar.structures.grid import frame_limits
from mmpolar.tracking.mask_stage import KEY_STRIDE, MASK_STRIDE, FoundMask, MaskReference
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.products import product

#: What presence is computed from, in the order of :attr:`MaskParams.presence`.
PRESENCE_FEATURES = ('bias', 'score', 'confidence', 'likeness', 'contrast', 'online')
# Keeps the logarithm of a score of 0 or 1 finite.
_MIN_SHARE = 1e-4
# A cell belongs to the target from this share of the largest one on, to the background below it.
_INSIDE, _OUTSIDE = 0.5, 0.1
_WINDOW_STEP = 0.6


def presence_features(
    score: float, found: FoundMask, first: MaskReference | None, online: float | None = None
) -> NDArray[np.float64] | None:
    """What speaks for a found mask being the target.

    Args:
        score: Score of the selected location, in [0, 1].
        found: The mask that the mask stage found there.
        first: The frame in which the target was given; None if it is not known.
        online: Score of the online model at the selected location; None without one.

    Returns:
        (5,), or (6,) with an online model: 1; the logit of the score; the mean share of the target in the cells of the mask;
        the mean, over these cells, of the highest cosine similarity with the target in the first
        frame; by how much it exceeds that with the background there; and the online model's score.
        None of an empty mask.
    """
    if found.box is None:
        return None
    share = min(max(score, _MIN_SHARE), 1 - _MIN_SHARE)
    shares = found.reference.mask
    confidence = shares[shares > _INSIDE * shares.max()].mean()
    likeness, contrast = _similarity(found.reference, first) if first is not None else (0.0, 0.0)
    features = [1.0, math.log(share / (1 - share)), confidence, likeness, contrast]
    return np.array(features if online is None else [*features, online])


def target_presence(
    score: float,
    found: FoundMask,
    first: MaskReference | None,
    weights: tuple[float, ...],
    online: float | None = None,
) -> float:
    """Probability in [0, 1] that a found mask is the target.

    Args:
        score: Score of the selected location, in [0, 1].
        found: The mask that the mask stage found there.
        first: The frame in which the target was given; None if it is not known.
        weights: A weight of each of :data:`PRESENCE_FEATURES` in a logistic regression; none to
            take the score as it is. One weight less if they know no online model.
        online: Score of the online model at the selected location.

    Returns:
        The probability; 0 of an empty mask.
    """
    if not weights:
        return score
    features = presence_features(score, found, first, online)
    if features is None:
        return 0.0
    return 0.5 * (1 + math.tanh(0.5 * float(features[: len(weights)] @ weights)))


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


def _similarity(found: MaskReference, first: MaskReference) -> tuple[float, float]:
    """Likeness and contrast of :func:`presence_features`."""
    inside, _ = _key_cells(found.mask)
    target, background = _key_cells(first.mask)
    if not target.any():
        return 0.0, 0.0
    similarity = product(found.keys[:, inside].T, first.keys)
    to_target = similarity[:, target].max(1)
    likeness = float(to_target.mean())
    if not background.any():
        return likeness, 0.0
    return likeness, float((to_target - similarity[:, background].max(1)).mean())


def _key_cells(mask: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which keys (R,) lie on the target of a mask (h, w), and which on its background."""
    cells = len(mask) * MASK_STRIDE // KEY_STRIDE
    share = cv2.resize(mask, (cells, cells), interpolation=cv2.INTER_AREA).ravel()
    return share > _INSIDE * share.max(), share < _OUTSIDE
