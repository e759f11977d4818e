"""What each round of mining has to score, and what a round that was cut off has scored already."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.pool.negative_pool import NegativePool
from mmpolar.mining.scoring.lazy_scores import LazyScores
from mmpolar.mining.scoring.model_state import weights_digest
from mmpolar.mining.scoring.score_file import ScoreFile
from mmpolar.mining.scoring.score_pool import PoolScores

#: Where the scores of an unfinished round are, in the work directory.
PARTIAL = Path('mining', 'unfinished_round')


class ScoringRounds:
    """What each round has to score: all of the pool, or a share of it, but for what is done already.

    The scores of a round are on the disk as soon as they are known. A run that is cut off within a round
    and resumed goes on there: the same weights give the same scores.

    Args:
        share: Share of the pool that a round after the first scores, in (0, 1], see
            :class:`LazyScores`.
        settings: What else scores depend on, in words.

    Raises:
        ValueError: If ``share`` is out of its range.
    """

    def __init__(self, share: float, settings: str) -> None:
        LazyScores(0, share)  # checks it
        self._share = share
        self._settings = settings
        self._lazy: LazyScores | None = None
        self._number = 0
        self._num_picks = 1
        self._loaded: dict[str, Any] | None = None
        self._file: ScoreFile | None = None
        self._done = PoolScores(np.zeros(0, np.int64), np.zeros(0))

    def begin(
        self, runner: Runner, pool: NegativePool, tie_ranks: NDArray[np.int64], num_detailed: int
    ) -> NDArray[np.int64]:
        """Begin a round, with the model as it scores.

        Args:
            runner: The runner.
            pool: The negatives.
            tie_ranks: Rank of each among those that are equal, shape (P,).
            num_detailed: So many of the hardest are scored again where the round goes on, as only their
                scores were kept.

        Returns:
            Negatives to score, as indices in the pool, the same on all ranks.
        """
        self._number += 1
        wanted = np.arange(len(pool))
        if self._share < 1:
            wanted = self._lazy_scores(pool).choose(self._number, self._num_picks, tie_ranks)
        description = dict(
            pool=pool.digest, model=weights_digest(runner.model), settings=self._settings
        )
        stem = Path(runner.work_dir) / PARTIAL
        self._file = ScoreFile(stem, len(pool), description, get_rank())
        # All ranks must know the same, which the first one has read before any of them writes.
        before = on_all_ranks(self._start_file)[0]
        done = np.zeros(0, np.int64) if before is None else wanted[~np.isnan(before[wanted])]
        if len(done):
            order = np.lexsort((tie_ranks[done], -before[done]))
            done = np.sort(done[order[num_detailed:]])
            runner.logger.info(f'mining goes on: {len(done)} of {len(wanted)} are scored already')
            self._done = PoolScores(done, before[done].astype(np.float64))
        return np.setdiff1d(wanted, done, assume_unique=True)

    def write(self, indices: Sequence[int], scores: Sequence[float]) -> None:
        """Keep scores of this rank for the case that the round is cut off."""
        if self._file is None:
            return
        try:
            self._file.write(np.asarray(indices), np.asarray(scores))
        except OSError as error:
            self._give_up(error)

    def finish(self, scores: PoolScores) -> PoolScores:
        """End a round.

        Args:
            scores: Of all ranks.

        Returns:
            The last known scores of the whole pool; ``is_fresh`` tells which are of this round.
        """
        scores = PoolScores.merged([self._done, scores])
        self._done = PoolScores(np.zeros(0, np.int64), np.zeros(0))
        if self._lazy is not None:
            self._lazy.update(self._number, scores.indices, scores.scores)
            indices, known = self._lazy.known()
            is_fresh = np.isin(indices, scores.indices, assume_unique=True)
            scores = replace(scores, indices=indices, scores=known, is_fresh=is_fresh)
        if self._file is not None and is_main_process():
            self._file.remove()
        self._file = None
        return scores

    def mark_picks(self, picks: NDArray[np.int64]) -> None:
        """Remember the picks of the round, which the next ones score again."""
        self._num_picks = max(len(picks), 1)
        if self._lazy is not None:
            self._lazy.mark_picks(self._number, picks)

    def to_state(self, pool: NegativePool) -> dict[str, Any] | None:
        """Tensors and plain values for a checkpoint; None where every round scores all."""
        if self._lazy is None:
            return self._loaded
        arrays = {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in self._lazy.to_state().items()
        }
        return dict(pool=pool.digest, number=self._number, num_picks=self._num_picks, lazy=arrays)

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Take the state of a checkpoint that is resumed; it is used if the pool is the same."""
        self._loaded = state

    def _lazy_scores(self, pool: NegativePool) -> LazyScores:
        if self._lazy is None:
            self._lazy = LazyScores(len(pool), self._share)
            state, self._loaded = self._loaded, None
            if state is not None and state['pool'] == pool.digest:
                self._lazy.load_state(state['lazy'])
                self._number, self._num_picks = state['number'] + 1, state['num_picks']
        return self._lazy

    def _start_file(self) -> NDArray[np.float32] | None:
        if not is_main_process():
            return None
        try:
            self._file.start()
            return self._file.read()
        except OSError as error:
            self._give_up(error)
            return None

    def _give_up(self, error: OSError) -> None:
        """Go on without the file: a full disk must not end the training."""
        self._file = None
        message = f'an interrupted round will start from its beginning: {error}'
        print_log(message, logger='current', level=logging.WARNING)
