"""Alarms that lie among the positives in feature space."""

import numpy as np
from numpy.typing import NDArray


def among_positives(
    features: NDArray[np.floating],
    positives: NDArray[np.floating],
    neighbours: int,
) -> NDArray[np.float64]:
    """How typical alarms are of the positives.

    What an alarm has in common with the positives is the mean cosine with the nearest of them. It is
    as typical as the share of the positives that have less in common with the others.

    Args:
        features: Of the alarms, each of length 1, (A, D).
        positives: Of the positives, each of length 1, (P, D).
        neighbours: How many of the nearest count, at least 1 and less than P.

    Returns:
        (A,) in [0, 1]; 0 for an alarm less typical than all positives.

    Raises:
        ValueError: If there are not more positives than neighbours.
    """
    if len(positives) <= neighbours:
        raise ValueError(
            f'{len(positives)} positives are too few for {neighbours} neighbours; give more'
        )
    own = positives @ positives.T
    np.fill_diagonal(own, -np.inf)
    usual = np.sort(_nearest_mean(own, neighbours))
    common = _nearest_mean(features @ positives.T, neighbours)
    return np.searchsorted(usual, common) / len(usual)


def _nearest_mean(similarities: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """Mean of the largest ``count`` of each row."""
    return np.partition(similarities, -count, axis=1)[:, -count:].mean(axis=1)
