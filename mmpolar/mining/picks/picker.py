"""The picks of a round: the hardest negatives, a sample that prefers them, or random ones."""

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.picks.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.picks.picked_round import PickedRound
from mmpolar.utils.checks import check_at_least

SELECTIONS = ('hardest', 'sampled', 'random')
#: Scores are told apart down to here where picks are sampled.
_LEAST_SCORE = 1e-6


class Picker:
    """Picks the negatives of a round.

    Equal scores are put in an order that depends on ``seed`` and the round alone.

    Args:
        rule: How many negatives to pick.
        selection: ``'hardest'``; ``'sampled'`` for a sample without replacement, each with a probability
            in proportion to its score to the power ``1 / temperature``; or ``'random'`` to pick without
            scores.
        seed: At least 0.
        temperature: Above 0; the lower, the nearer are sampled picks to the hardest ones.

    Raises:
        ValueError: If an option is out of its range, or picks that are not the hardest are asked for by
            score.
    """

    def __init__(
        self,
        rule: PickRule,
        selection: str = 'hardest',
        seed: int = 0,
        temperature: float = 1.0,
    ) -> None:
        check_at_least(0, seed=seed)
        if not temperature > 0:
            raise ValueError(f'temperature must be above 0, got {temperature}')
        if selection not in SELECTIONS:
            raise ValueError(f'selection must be one of {SELECTIONS}, got {selection!r}')
        if selection != 'hardest' and rule.score_thr is not None:
            raise ValueError(
                f'{selection} picks have no least score; give num_picks or share, not score_thr'
            )
        self.rule = rule
        self.selection = selection
        self.seed = seed
        self.temperature = temperature

    def tie_ranks(self, pool_size: int, round_number: int) -> NDArray[np.int64]:
        """Rank of each negative among those of equal score, shape (P,); lower ranks come first."""
        return ranks_in(shuffled(pool_size, self.seed, round_number))

    def pick_hardest(
        self,
        round_number: int,
        tie_ranks: NDArray[np.int64],
        indices: NDArray[np.int64],
        scores: NDArray[np.float64],
        pool_size: int | None = None,
    ) -> PickedRound:
        """Pick the negatives with the highest scores, or a sample that prefers them.

        Args:
            round_number: The round, from 1.
            tie_ranks: From :meth:`tie_ranks`, shape (P,).
            indices: Negatives that were scored, as indices in the pool, shape (S,).
            scores: Their scores, shape (S,).
            pool_size: See :meth:`PickRule.count`.
        """
        count = self.rule.count(scores, pool_size)
        order = hardest_first(scores, tie_ranks[indices])
        if self.selection == 'sampled':
            order = order[self._sample(scores[order], count, round_number)]
        order = order[:count]
        return PickedRound(round_number, indices[order], scores[order])

    def _sample(
        self, scores: NDArray[np.float64], count: int, round_number: int
    ) -> NDArray[np.int64]:
        """Positions of sampled picks among falling scores, rising.

        The largest sums of log probability and Gumbel noise are a sample without replacement (Vieira,
        2014; Kool et al., ICML 2019).
        """
        rng = np.random.default_rng([self.seed, round_number, 1])
        weights = np.log(np.maximum(scores, _LEAST_SCORE)) / self.temperature
        keys = weights + rng.gumbel(size=len(scores))
        return np.sort(np.argsort(-keys)[:count])

    def pick_random(
        self, round_number: int, tie_ranks: NDArray[np.int64], left_out: NDArray[np.bool_]
    ) -> PickedRound:
        """Pick negatives at random.

        Args:
            round_number: The round, from 1.
            tie_ranks: From :meth:`tie_ranks`, shape (P,).
            left_out: Whether a negative is none of the picks, shape (P,).
        """
        order = np.argsort(tie_ranks)
        order = order[~left_out[order]]
        return PickedRound(round_number, order[: self.rule.count(np.zeros(len(order)))], None)
