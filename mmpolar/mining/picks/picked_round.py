"""The picks of one mining round, and how a checkpoint keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PickedRound:
    """The picks of one mining round.

    Attributes:
        number: The round, from 1.
        indices: The picks as indices in the pool, hardest first, shape (K,).
        scores: Their scores, shape (K,); None for picks that were not scored.
    """

    number: int
    indices: NDArray[np.int64]
    scores: NDArray[np.float64] | None

    def without(self, left_out: NDArray[np.bool_]) -> 'PickedRound':
        """The same, without the negatives of the pool, (P,), that are left out."""
        kept = ~left_out[self.indices]
        scores = None if self.scores is None else self.scores[kept]
        return PickedRound(self.number, self.indices[kept], scores)

    def to_state(self, keys: Sequence[str]) -> dict[str, Any]:
        """Plain values for a checkpoint, given the name of each negative of the pool."""
        return dict(
            number=self.number,
            indices=self.indices.tolist(),
            keys=[keys[index] for index in self.indices],
            scores=None if self.scores is None else self.scores.tolist(),
        )

    @classmethod
    def from_state(cls, state: dict[str, Any], keys: Sequence[str]) -> tuple['PickedRound', int]:
        """Find the picks of a checkpoint in a pool that may have changed since.

        Args:
            state: From :meth:`to_state`.
            keys: Name of each negative of the pool now.

        Returns:
            The round with the picks that are still in the pool, and how many are not.
        """
        index_of = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
        # Names need not be unique, so the old index is right wherever it still has the name.
        found = [
            index if index < len(keys) and keys[index] == key else index_of.get(key)
            for index, key in zip(state['indices'], state['keys'], strict=True)
        ]
        is_there = np.array([index is not None for index in found], dtype=bool)
        indices = np.array([index for index in found if index is not None], dtype=np.int64)
        scores = None if state['scores'] is None else np.array(state['scores'])[is_there]
        return cls(state['number'], indices, scores), int(np.count_nonzero(~is_there))
