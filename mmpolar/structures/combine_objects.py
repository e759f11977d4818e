"""Several objects, or targets, of one frame as one map of their ids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mmpolar.structures.track_result import TrackResult

#: Largest id of an object: the masks of the benchmarks are 8-bit, and 255 is void in them.
MAX_OBJECT_ID = 254


def combine_objects(
    masks: ArrayLike, scores: ArrayLike, ids: Sequence[int] | None = None
) -> np.ndarray:
    """Lay the masks of several objects on top of each other, the one with the highest score up.

    A pixel that several objects claim goes to the one with the highest score, among equal scores to
    the first of them.

    Args:
        masks: Masks of shape (N, H, W), bool or any number, non-zero inside.
        scores: Score of each object, shape (N,). NaN is below every number.
        ids: Value of each object in the map, different and in 1..254; 1 to N by default.

    Returns:
        Object ids of shape (H, W), uint8; 0 where no object is.

    Raises:
        ValueError: If the shapes do not fit each other, or an id is out of range or repeats.
    """
    masks = np.asarray(masks)
    scores = np.asarray(scores, dtype=np.float64)
    ids = np.arange(1, len(scores) + 1) if ids is None else np.asarray(ids, dtype=np.int64)
    _check_objects(masks, scores, ids)
    combined = np.zeros(masks.shape[1:], dtype=np.uint8)
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind='stable')
    for number in order[::-1]:
        combined[masks[number].astype(bool, copy=False)] = ids[number]
    return combined


def combine_results(results: Sequence[TrackResult], ids: Sequence[int] | None = None) -> np.ndarray:
    """One map of the targets of a frame; where masks overlap the highest score decides.

    Args:
        results: Answers for the targets of one frame, with masks; at least one.
        ids: Number of each target in the map, see :func:`combine_objects`; 1, 2, ... by default.

    Returns:
        Numbers of the targets of shape (H, W), uint8; 0 where there is none.

    Raises:
        ValueError: If an answer has no mask, or as :func:`combine_objects`.
    """
    if any(result.mask is None for result in results):
        raise ValueError('the tracker gave boxes only: take a model with a mask head')
    masks = np.stack([result.mask for result in results])
    return combine_objects(masks, [result.score for result in results], ids)


def _check_objects(masks: np.ndarray, scores: np.ndarray, ids: np.ndarray) -> None:
    count = len(masks) if masks.ndim == 3 else -1
    if scores.shape != (count,) or ids.shape != (count,):
        raise ValueError(
            'expected masks (N, H, W), a score and an id for each of the N objects; '
            f'got masks {masks.shape}, scores {scores.shape} and ids {ids.shape}'
        )
    if count and not 1 <= ids.min() <= ids.max() <= MAX_OBJECT_ID:
        raise ValueError(
            f'object ids must lie in 1..{MAX_OBJECT_ID} (0 is background, 255 void), got '
            f'{ids.min()} to {ids.max()}; number the objects anew'
        )
    if len(np.unique(ids)) < count:
        raise ValueError(f'two objects have the same id in {ids.tolist()}')
