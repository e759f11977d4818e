"""The picks of the last rounds, which training samples from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.picks.picked_round import PickedRound
from mmpolar.utils.checks import check_at_least


@dataclass(frozen=True)
class Pick:
    """A negative that training samples.

    Attributes:
        index: Its index in the pool.
        key: Its name.
        score: Its score in the round in which it was picked; None if it was picked unscored.
        round: That round.
        is_new: Whether it was not among the picks before this round.
    """

    index: int
    key: str
    score: float | None
    round: int
    is_new: bool


class PickHistory:
    """The picks of the last round, and of some rounds before it.

    Args:
        keep_rounds: For how many further rounds picks are kept, at least 0.

    Attributes:
        rounds: The rounds, the newest first.

    Raises:
        ValueError: If ``keep_rounds`` is negative.
    """

    def __init__(self, keep_rounds: int = 0) -> None:
        check_at_least(0, keep_rounds=keep_rounds)
        self._keep_rounds = keep_rounds
        self.rounds: list[PickedRound] = []

    @property
    def last_round(self) -> int:
        """Number of the last round; 0 before the first."""
        return self.rounds[0].number if self.rounds else 0

    def add(self, picked: PickedRound) -> None:
        """Add a round; the oldest one is dropped."""
        self.rounds = [picked, *self.rounds[: self._keep_rounds]]

    def leave_out(self, left_out: NDArray[np.bool_]) -> None:
        """Take negatives of the pool, (P,), out of all rounds."""
        self.rounds = [picked.without(left_out) for picked in self.rounds]

    def indices(self) -> NDArray[np.int64]:
        """The picks as indices in the pool, each once, those of the newest round first."""
        return np.array(list(self._newest()), dtype=np.int64)

    def picks(self, keys: Sequence[str], before: NDArray[np.int64]) -> tuple[Pick, ...]:
        """The picks in the order of :meth:`indices`.

        Args:
            keys: Name of each negative of the pool.
            before: Indices of the picks before the newest round.
        """
        known = set(before.tolist())
        return tuple(
            Pick(index, keys[index], score, number, index not in known)
            for index, (score, number) in self._newest().items()
        )

    def to_state(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Plain values for a checkpoint, given the name of each negative of the pool."""
        return [picked.to_state(keys) for picked in self.rounds]

    def load_state(self, state: Sequence[dict[str, Any]], keys: Sequence[str]) -> int:
        """Take the rounds of a checkpoint.

        Args:
            state: From :meth:`to_state`.
            keys: Name of each negative of the pool now.

        Returns:
            How many picks are no longer in the pool.
        """
        loaded = [PickedRound.from_state(saved, keys) for saved in state]
        self.rounds = [picked for picked, _ in loaded]
        return sum(num_lost for _, num_lost in loaded)

    def _newest(self) -> dict[int, tuple[float | None, int]]:
        """Score and round of each pick; of one that several rounds picked, the newest counts."""
        found: dict[int, tuple[float | None, int]] = {}
        for picked in self.rounds:
            unscored = [None] * len(picked.indices)
            scores = unscored if picked.scores is None else picked.scores.tolist()
            for index, score in zip(picked.indices.tolist(), scores, strict=True):
                found.setdefault(index, (score, picked.number))
        return found
