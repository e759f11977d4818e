"""Scoring a whole pool in the middle of a training, without a change to the training's state."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, is_main_process
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.pool.negative_pool import NegativePool
from mmpolar.mining.scoring.detection_features import DetectionFeatures
from mmpolar.mining.scoring.hardest_samples import HardestSamples
from mmpolar.mining.scoring.model_state import (
    common_buffers,
    ema_weights,
    find_ema_hook,
    prediction_mode,
)
from mmpolar.mining.scoring.score_pool import (
    PoolScores,
    Scorer,
    Shard,
    build_pool_loader,
    score_pool,
)
from mmpolar.mining.scoring.scoring_rounds import ScoringRounds
from mmpolar.registry import TASK_UTILS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.random_state import kept_random_state


class PoolScorer:
    """Scores the negatives of a pool with the model in test mode, each rank its share.

    The mode of each module, the random state and the weights are afterwards as before.

    Args:
        scorer: Config in TASK_UTILS of what makes a score of a data sample, or a function.
        pipeline: Transforms that make a test sample of a negative; None for those of the pool, see
            :meth:`NegativePool.test_samples`.
        samples: Dataset, or its config, whose item i is the test sample of negative i; None to read
            the pool.
        batch_size: Negatives in a batch, at least 1.
        num_workers: Processes that load negatives; they stay until :meth:`close`.
        collate_fn: Config of the function that makes a batch of samples.
        use_ema: Whether to score with the averaged weights of ``EMAHook``.
        rescore_share: Share of the pool that a round after the first scores, see
            :class:`ScoringRounds`.

    Raises:
        ValueError: If an option is out of its range, or both ``pipeline`` and ``samples`` are given.
    """

    def __init__(
        self,
        scorer: dict | Scorer,
        pipeline: Sequence[dict | Callable] | None,
        samples: dict | Dataset | None,
        batch_size: int,
        num_workers: int,
        collate_fn: dict,
        use_ema: bool,
        rescore_share: float = 1.0,
    ) -> None:
        check_at_least(1, batch_size=batch_size)
        check_at_least(0, num_workers=num_workers)
        if samples is not None and pipeline is not None:
            raise ValueError('pool has a pipeline of its own; give pool or pipeline, not both')
        self._scorer = TASK_UTILS.build(scorer) if isinstance(scorer, dict) else scorer
        self._pipeline = pipeline
        self._samples = samples
        self._batch_size = batch_size
        self._num_workers = num_workers
        self._collate_fn = collate_fn
        self._use_ema = use_ema
        self._loader: DataLoader | None = None
        self._shard = Shard()
        settings = (scorer, pipeline, samples, batch_size, collate_fn, use_ema)
        self.rounds = ScoringRounds(rescore_share, str(settings))

    def check_runner(self, runner: Runner) -> None:
        """Make sure that the runner averages weights, where they are to score.

        Raises:
            ValueError: If it does not.
        """
        if self._use_ema:
            find_ema_hook(runner)

    def score(
        self,
        runner: Runner,
        pool: NegativePool,
        tie_ranks: NDArray[np.int64],
        num_detailed: int,
        with_features: bool = False,
    ) -> PoolScores:
        """Score the pool; those that cannot be read are left out and named in the log.

        Args:
            runner: The runner, whose model scores.
            pool: The negatives, the same at each call until :meth:`close`.
            tie_ranks: Rank of each negative among those of equal score, shape (P,).
            num_detailed: For how many of the hardest negatives the detections are kept.
            with_features: Whether to keep the detector's features of these too.

        Raises:
            ValueError: If nothing can be read, or a score is not finite.
        """
        model = runner.model
        weights = ema_weights(runner) if self._use_ema else nullcontext()
        with kept_random_state(), prediction_mode(model), weights, common_buffers(model):
            todo = self.rounds.begin(runner, pool, tie_ranks, num_detailed)
            own = partial(
                self._score_share, runner, pool, tie_ranks, todo, num_detailed, with_features
            )
            shares = on_all_ranks(own)
        scores = self.rounds.finish(PoolScores.merged(shares))
        names = [f'{pool.keys[index]} ({why})' for index, why in scores.unreadable.items()]
        if not len(scores.scores):
            raise ValueError(f'none of {len(names)} negatives can be read: {abridged(names, 5)}')
        if names:
            runner.logger.warning(
                f'{len(names)} of {len(pool)} negatives cannot be read: {abridged(names, 5)}'
            )
        return scores

    def close(self) -> None:
        """End the processes that load negatives."""
        self._loader = None

    def _score_share(
        self,
        runner: Runner,
        pool: NegativePool,
        tie_ranks: NDArray[np.int64],
        todo: NDArray[np.int64],
        num_detailed: int,
        with_features: bool,
    ) -> PoolScores:
        """Score this rank's share of what is to do."""
        if self._loader is None:
            self._loader = self._build_loader(runner, pool)
        rank, world_size = get_dist_info()
        self._shard.indices = todo[rank::world_size]
        features = DetectionFeatures(runner.model) if with_features else None
        hardest = HardestSamples(num_detailed, tie_ranks, features)
        with (
            features or nullcontext(),
            progress_bar(
                total=len(self._shard),
                desc='mining',
                leave=False,
                shown=is_main_process(),
            ) as bar,
        ):
            return score_pool(
                runner.model,
                self._loader,
                self._scorer,
                pool.keys,
                hardest,
                on_progress=bar.update,
                on_scored=self.rounds.write,
            )

    def _build_loader(self, runner: Runner, pool: NegativePool) -> DataLoader:
        samples = pool.test_samples(runner.cfg, self._pipeline, self._samples)
        collate = _build_collate(self._collate_fn)
        return build_pool_loader(samples, self._shard, self._batch_size, self._num_workers, collate)


def _build_collate(config: dict) -> Callable[[list], Any]:
    options = dict(config)
    name = options.pop('type')
    function = FUNCTIONS.get(name) if isinstance(name, str) else name
    if function is None:
        raise ValueError(f'collate_fn {name!r} is not in the registry FUNCTIONS; name one that is')
    return partial(function, **options)
