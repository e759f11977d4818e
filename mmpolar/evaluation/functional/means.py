"""Means of values some of which are not known, their intervals, and frames a second."""

import math
from collections.abc import Sequence

import numpy as np


def mean_of_known(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN if there is none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def bootstrap_interval(
    values: Sequence[float], level: float = 0.95, n_samples: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron, Annals of Statistics 1979).

    Args:
        values: One value a sequence; NaN is left out.
        level: Share of the resampled means that lie in the interval, in (0, 1).
        n_samples: How often the sequences are sampled again, with replacement.
        seed: Seed of the sampling: the same values give the same interval.

    Returns:
        Lower and upper end; NaN without a known value.

    Raises:
        ValueError: If ``level`` is out of its range.
    """
    if not 0 < level < 1:
        raise ValueError(f'level must lie between 0 and 1, got {level}')
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float('nan'), float('nan')
    chosen = np.random.default_rng(seed).integers(known.size, size=(n_samples, known.size))
    ends = np.quantile(known[chosen].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(ends[0]), float(ends[1])


def frames_per_second(seconds: np.ndarray, skip: int = 1) -> float:
    """Frames a second over a sequence: how many frames, by the time that they took together.

    The mean of 1 / seconds, as some toolkits report it, is never below this and counts a few fast
    frames more than the slow ones.

    Args:
        seconds: (T,) measured time of each frame in seconds; NaN where the tracker did not run or
            nothing was measured.
        skip: Frames at the start that do not count: the first one initialises the tracker.

    Returns:
        Frames a second, NaN when no frame was measured.

    Raises:
        ValueError: If a time is not above 0.
    """
    seconds = np.asarray(seconds, dtype=np.float64)[skip:]
    seconds = seconds[~np.isnan(seconds)]
    if (seconds <= 0).any():
        raise ValueError(
            f'{(seconds <= 0).sum()} frames took {seconds.min()} s or less; a time must be '
            'measured, leave it NaN where it was not'
        )
    return float(seconds.size / seconds.sum()) if seconds.size else float('nan')
