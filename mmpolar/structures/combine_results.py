"""A tracker's answers for the targets of one frame as one map of their numbers."""

from collections.abc import Sequence

import numpy as np

from mmpolar.structures.combine_objects import combine_objects
from mmpolar.structures.track_result import TrackResult


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
