"""How many negatives of a scored pool are picked, and in which order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.utils.checks import check_at_least

#: Candidates that are kept of a pool of which all above a score are picked.
MOST_CANDIDATES = 20_000


@dataclass(frozen=True)
class PickRule:
    """How many negatives a round picks. Exactly one field is given.

    Attributes:
        num_picks: So many, at least 1; all where the pool is smaller.
        share: This share of the pool, in (0, 1], rounded, at least one.
        score_thr: All that score at least this much; it may be none.

    Raises:
        ValueError: If not exactly one field is given, or it is out of its range.
    """

    num_picks: int | None = None
    share: float | None = None
    score_thr: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            raise ValueError(
                f'give exactly one of num_picks, share and score_thr, got {given or "none"}'
            )
        check_at_least(1, num_picks=self.num_picks)
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f'share must lie in (0, 1], got {self.share}')

    def candidates(self, pool_size: int, per_pick: int) -> int:
        """How many of the hardest negatives picks are chosen from.

        Args:
            pool_size: Number of negatives.
            per_pick: So many for each pick, at least 1; ``MOST_CANDIDATES`` with ``score_thr``, where
                the number of picks is not known before.
        """
        if self.score_thr is not None:
            return min(pool_size, MOST_CANDIDATES)
        return min(pool_size, per_pick * self.count(np.zeros(pool_size)))

    def count(self, scores: NDArray[np.float64], pool_size: int | None = None) -> int:
        """How many negatives to pick out of some.

        Args:
            scores: Their scores, shape (S,).
            pool_size: Number that ``share`` is a share of; None for S.
        """
        if self.num_picks is not None:
            return min(self.num_picks, len(scores))
        if self.share is not None:
            wanted = round(self.share * (len(scores) if pool_size is None else pool_size))
            return min(max(1, wanted), len(scores))
        return int(np.count_nonzero(scores >= self.score_thr))


def shuffled(size: int, seed: int, round_number: int) -> NDArray[np.int64]:
    """A permutation of the pool that depends on the seed and the round alone.

    It decides between equal scores and is the order of random picks.

    Args:
        size: Number of negatives in the pool.
        seed: At least 0.
        round_number: At least 0.

    Returns:
        Permutation of shape (size,).
    """
    return np.random.default_rng([seed, round_number]).permutation(size)


def ranks_in(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each item in a permutation: its inverse, shape (size,)."""
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def hardest_first(scores: NDArray[np.float64], tie_ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of negatives by falling score; equal scores by rising rank.

    Args:
        scores: Shape (S,), finite.
        tie_ranks: Shape (S,), distinct.

    Returns:
        Positions of shape (S,).
    """
    return np.lexsort((tie_ranks, -scores))
