"""How far a mean over sequences may be off by the choice of the sequences."""

from collections.abc import Sequence

import numpy as np


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
