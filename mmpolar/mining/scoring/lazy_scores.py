"""Which negatives of a large pool a round scores again, and the last known scores of all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Scores are told apart up to this close to 0 and 1; the odds of lower ones say little.
_LEAST = 1e-3
#: Rounds for which a pick is scored again in each: training on it lowers its score, and forgetting raises it.
_PICK_ROUNDS = 4
#: Pairs of an earlier and a later score from which their relation is estimated, at least.
_MIN_PAIRS = 50


class LazyScores:
    """The last known scores of a pool, and a choice of the negatives to score again.

    Scores change slowly from round to round. After a first round over the whole pool, a round scores a
    share of it: the picks of the last rounds, the negatives that most likely score as high as a pick, and
    those that were not scored for longest, in turn, so that every negative comes up again.

    How likely a negative reaches a score is read from the negatives that were scored in two consecutive
    rounds: a straight line from the earlier log odds to the later ones, and the spread around it. Over
    several rounds the line is followed and the spread adds up, so that an old score tells less than a new
    one.

    Args:
        pool_size: Number of negatives.
        share: Share of the pool that a round scores, in (0, 1].
        likely_share: Share of these that are not in turn, in [0, 1].

    Raises:
        ValueError: If a share is out of its range.
    """

    def __init__(self, pool_size: int, share: float, likely_share: float = 0.8) -> None:
        if not 0 < share <= 1 or not 0 <= likely_share <= 1:
            raise ValueError(
                'share must lie above 0 and likely_share at least at 0, both at most 1, '
                f'got {share} and {likely_share}'
            )
        self._share = share
        self._likely_share = likely_share
        self._scores = np.full(pool_size, np.nan, np.float32)
        self._rounds = np.zeros(pool_size, np.int32)  # in which each was scored; 0: never
        self._picked = np.full(
            pool_size, -_PICK_ROUNDS, np.int32
        )  # round in which each was picked last
        self._line: tuple[float, float, float] | None = None  # offset, slope and spread

    def known(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Negatives with a score, (S,) rising, and the last score of each, (S,)."""
        indices = np.flatnonzero(self._rounds)
        return indices, self._scores[indices].astype(np.float64)

    def choose(
        self, round_number: int, num_picks: int, tie_ranks: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Negatives to score in a round: all that never were, and the share of the others.

        Args:
            round_number: The round, from 1.
            num_picks: How many of the hardest are wanted, at least 1.
            tie_ranks: Rank of each negative among those that are equal, shape (P,).

        Returns:
            Indices in the pool, rising.
        """
        is_chosen = self._rounds == 0
        scored = np.flatnonzero(self._rounds)
        budget = int(np.ceil(self._share * len(self._rounds))) - int(is_chosen.sum())
        if budget <= 0 or not len(scored):
            return np.flatnonzero(is_chosen)
        num_likely = min(round(self._likely_share * budget), len(scored))
        distance = self._distance(scored, round_number, num_picks)
        is_old = round_number - self._picked[scored] > _PICK_ROUNDS
        order = np.lexsort((tie_ranks[scored], distance, is_old))
        is_chosen[scored[order[:num_likely]]] = True
        rest = np.flatnonzero(~is_chosen)
        in_turn = np.lexsort((tie_ranks[rest], self._rounds[rest]))
        is_chosen[rest[in_turn[: budget - num_likely]]] = True
        return np.flatnonzero(is_chosen)

    def update(
        self, round_number: int, indices: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> None:
        """Take the scores of a round, and learn from them how scores change.

        Args:
            round_number: The round, from 1.
            indices: Negatives that were scored, shape (S,).
            scores: Their scores, shape (S,).
        """
        is_pair = self._rounds[indices] == max(round_number - 1, 1)
        # Training on picks changes them in another way than all others.
        is_pair &= round_number - self._picked[indices] > _PICK_ROUNDS
        before, after = self._odds(self._scores[indices[is_pair]]), self._odds(scores[is_pair])
        self._line = _fit_line(before, after) or self._line
        self._scores[indices] = scores
        self._rounds[indices] = round_number

    def mark_picks(self, round_number: int, picks: NDArray[np.int64]) -> None:
        """Remember the picks of a round, of shape (K,)."""
        self._picked[picks] = round_number

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a checkpoint."""
        return dict(scores=self._scores, rounds=self._rounds, picked=self._picked, line=self._line)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take the scores of a checkpoint, of the same pool; see :meth:`to_state`."""
        for name in ('scores', 'rounds', 'picked'):
            getattr(self, f'_{name}')[:] = state[name]
        self._line = state['line']

    def _distance(
        self, scored: NDArray[np.int64], round_number: int, num_picks: int
    ) -> NDArray[np.float64]:
        """How far below the last pick each is expected, in spreads; the likeliest are the lowest."""
        odds = self._odds(self._scores[scored])
        if self._line is None:
            return -odds
        offset, slope, spread = self._line
        rank = min(num_picks, len(odds))
        wanted = np.partition(odds, -rank)[-rank]
        ages = round_number - self._rounds[scored]
        expected, variance = odds.copy(), np.zeros(len(odds))
        for age in range(1, int(ages.max()) + 1):
            is_older = ages >= age
            expected[is_older] = offset + slope * expected[is_older]
            variance[is_older] = spread**2 + slope**2 * variance[is_older]
        return (wanted - expected) / np.sqrt(variance)

    @staticmethod
    def _odds(scores: NDArray) -> NDArray[np.float64]:
        """Log odds of scores, which are taken as they are where they are no shares."""
        values = np.asarray(scores, np.float64)
        if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1:
            return values
        values = np.clip(values, _LEAST, 1 - _LEAST)
        return np.log(values / (1 - values))


def _fit_line(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """Offset and slope of the line from earlier to later values, and the spread around it.

    Least squares, which pairs that were chosen by the earlier value do not bias. Those at its lower end,
    where a detector reports no more, are left out; None where too few are left.
    """
    is_above = before > before.min(initial=np.inf)
    before, after = before[is_above], after[is_above]
    if len(before) < _MIN_PAIRS or np.ptp(before) == 0:
        return None
    slope, offset = np.polyfit(before, after, 1)
    spread = float(np.std(after - offset - slope * before))
    return float(offset), float(slope), max(spread, 1e-6)
