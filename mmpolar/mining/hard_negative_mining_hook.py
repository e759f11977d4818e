"""Rounds of hard-negative mining in a training."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import Dataset

from mmpolar.mining.picks import Picker, PickHistory, PickRule
from mmpolar.mining.pool import NegativePool
from mmpolar.mining.reports import RoundReport, RoundReporter, RoundReview
from mmpolar.mining.round_chooser import RoundChooser
from mmpolar.mining.scenes import Diversity
from mmpolar.mining.scoring import PoolScorer, Scorer
from mmpolar.mining.suspects import SuspectRule
from mmpolar.registry import HOOKS
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.deprecation import renamed_keywords

#: Where a checkpoint keeps the picks.
STATE_KEY = 'hard_negative_mining'


@HOOKS.register_module()
class HardNegativeMiningHook(Hook):
    """Mines hard negatives, round by round, for the training to sample.

    The training dataset is a ``CompositeDataset`` with a pool of negatives. In a round the model
    is put into test mode and runs on every negative through the test pipeline, split over the
    ranks; the negatives with the highest scores become the picks, and data loader workers see them
    at once, persistent ones too. Equal scores are put in an order that depends on ``seed`` and the
    round alone. A negative that cannot be read is skipped and named.

    A round that is cut off goes on where it was, once the run is resumed.

    A round changes nothing in the training but the picks: the mode of each module, the random
    state and the weights are restored. The picks are kept in checkpoints; a resumed run continues
    with the picks it had, and mines when the next round is due.

    For each round there is one line in the log, ``mining/round_0001.json`` with all picks in the
    work directory, and ``round_0001.jpg`` there with the negatives that score highest and what the
    model detects in them. ``mining/share_above`` (share of the pool that scores ``report_thr`` or
    more), ``mining/new_share`` (share of the picks that are new) and quantiles of the scores go to
    the visualizer.

    By iterations, batches that workers have prepared already still show the earlier picks, as many
    as ``num_workers * prefetch_factor``. By epochs there are none such.

    Args:
        num_picks: How many negatives to pick; all of a smaller pool. Give exactly one of
            ``num_picks``, ``share`` and ``score_thr``.
        share: Share of the negatives to pick, in (0, 1].
        score_thr: Pick all that score at least this much. While there is none, training samples
            from the whole pool.
        interval: Epochs or iterations from one round to the next, at least 1.
        by_epoch: Whether ``interval`` and ``begin`` count epochs or iterations.
        begin: Epochs or iterations before the first round, at least 0. Until then training samples
            from the whole pool.
        selection: ``'hardest'``; ``'sampled'`` for a sample of the pool that prefers high scores, see
            ``temperature``; or ``'random'`` to pick without scoring, for comparison.
        temperature: Sampled picks are taken with a probability in proportion to their score to the power
            ``1 / temperature``, above 0.
        scorer: Config in TASK_UTILS of what makes a score of a data sample, or a function. Scores
            of a detector are 0 below its own ``score_thr`` in ``test_cfg``.
        pipeline: The transforms that make a test sample of a negative. By default pairs are scored
            as training crops them, and images through the pipeline of ``test_dataloader`` or
            ``val_dataloader`` in the runner's config, without loading of annotations.
        pool: Config of a dataset whose item i is the test sample of negative i, where another
            pipeline is not enough to make one. By default the negatives of the training dataset.
        batch_size: Negatives in a batch, at least 1. As in any test in batches, images of
            different sizes are padded to the largest of their batch, which changes their scores a
            little; for scores that depend on the image alone end the pipeline with a ``Pad`` to
            one size, or set 1.
        num_workers: Processes that load negatives; they stay between rounds.
        collate_fn: Config of the function that makes a batch of samples, as in MMEngine's loaders.
        use_ema: Whether to score with the averaged weights of ``EMAHook``.
        rescore_share: Share of the negatives that a round after the first scores, in (0, 1]: the earlier
            picks, the likely ones, and the rest in turn, see :class:`mmpolar.mining.scoring.LazyScores`.
            Picks are of those that the round scores.
        keep_rounds: For how many further rounds picks are kept, after the new ones, at least 0.
        report_thr: The score from which a negative counts as a false alarm in the report.
        num_sheet_images: Negatives on the contact sheet, at least 0; 0 for no sheet.
        diversity: Options of :class:`mmpolar.mining.scenes.Diversity`, so that picks differ: near-copies
            are one scene, of which there are so many picks at most; None for the hardest alone.
        suspects: Options of :class:`mmpolar.mining.suspects.SuspectRule`: negatives that may show a
            target are not trained on until somebody has looked; None for none.
        review: Options of :class:`mmpolar.mining.reports.RoundReview`: each round writes a page for
            reviewers and reads their decisions; None for none.
        seed: Seed of the order of equal scores and of random picks, at least 0.

    Raises:
        ValueError: If an option is out of its range or two do not go together.

    Example:
        >>> custom_hooks = [
        ...     dict(type='HardNegativeMiningHook', num_picks=200, interval=2, begin=1)
        ... ]
    """

    # After the update of the averaged weights, before the checkpoint is saved.
    priority = 'LOW'

    @renamed_keywords(num_pictures='num_sheet_images')
    def __init__(
        self,
        num_picks: int | None = None,
        share: float | None = None,
        score_thr: float | None = None,
        interval: int = 1,
        by_epoch: bool = True,
        begin: int = 0,
        selection: str = 'hardest',
        temperature: float = 1.0,
        scorer: dict | Scorer = dict(type='mmpolar.MaxDetectionScore'),  # noqa: B006 (never changed)
        pipeline: Sequence[dict | Callable] | None = None,
        pool: dict | Dataset | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        collate_fn: dict = dict(type='pseudo_collate'),  # noqa: B006 (never changed)
        use_ema: bool = False,
        rescore_share: float = 1.0,
        keep_rounds: int = 0,
        report_thr: float = 0.3,
        num_sheet_images: int = 32,
        diversity: dict | None = None,
        suspects: dict | None = None,
        review: dict | None = None,
        seed: int = 0,
    ) -> None:
        check_at_least(1, interval=interval)
        check_at_least(0, begin=begin)
        self.interval = interval
        self.by_epoch = by_epoch
        self.begin = begin
        self.report_thr = report_thr
        if selection == 'sampled' and diversity is not None:
            raise ValueError(
                'sampled picks differ by chance; give selection or diversity, not both'
            )
        self._picker = Picker(PickRule(num_picks, share, score_thr), selection, seed, temperature)
        self._scorer = PoolScorer(
            scorer,
            pipeline,
            samples=pool,
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=collate_fn,
            use_ema=use_ema,
            rescore_share=rescore_share,
        )
        self._history = PickHistory(keep_rounds)
        self._reporter = RoundReporter(num_sheet_images)
        self._chooser = RoundChooser(
            self._picker,
            self._scorer,
            num_sheet_images,
            None if diversity is None else Diversity(**diversity),
            None if suspects is None else SuspectRule(**suspects),
            None if review is None else RoundReview(**review),
        )
        self._pool: NegativePool | None = None
        self._mined_at: int | None = None
        self._resumed: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the pool, take up the picks of a resumed run, and mine by iterations if it is due.

        Raises:
            ValueError: If the training data has not one pool of negatives, the loop or the hooks
                do not fit the options, or ranks see different pools.
        """
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'HardNegativeMiningHook counts epochs, but the training loop counts iterations; '
                'set by_epoch=False'
            )
        self._scorer.check_runner(runner)
        self._scorer.close()
        self._pool = NegativePool(runner.train_dataloader.dataset)
        self._warn_of_small_pool(runner)
        self._resume_picks(runner)
        if not self.by_epoch:
            self._mine_if_due(runner, runner.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Mine by epochs if a round is due."""
        if self.by_epoch:
            self._mine_if_due(runner, runner.epoch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Mine by iterations if a round is due and there is an iteration left to use it."""
        if not self.by_epoch and not self.is_last_train_iter(runner):
            self._mine_if_due(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """End the processes that load negatives."""
        self._scorer.close()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the picks in the checkpoint, as plain values.

        Args:
            runner: The runner.
            checkpoint: Gets the entry ``'hard_negative_mining'``.
        """
        rounds = [] if self._pool is None else self._history.to_state(self._pool.keys)
        scores = None if self._pool is None else self._scorer.rounds.to_state(self._pool)
        checkpoint[STATE_KEY] = dict(
            by_epoch=self.by_epoch,
            mined_at=self._mined_at,
            rounds=rounds,
            suspects=self._chooser.to_state(),
            scores=scores,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the picks from a checkpoint that is resumed.

        Args:
            runner: The runner.
            checkpoint: The checkpoint; one without picks starts without.
        """
        self._resumed = checkpoint.get(STATE_KEY) if runner._resume else None

    def _warn_of_small_pool(self, runner: Runner) -> None:
        wanted = self._picker.rule.num_picks
        if wanted is not None and wanted > len(self._pool):
            runner.logger.warning(
                f'num_picks={wanted} is more than the pool of {len(self._pool)} negatives has; '
                'all of them are picked'
            )

    def _resume_picks(self, runner: Runner) -> None:
        """Publish the picks of the checkpoint that is resumed, or none."""
        state, self._resumed = self._resumed, None
        if state is None or not state['rounds']:
            state = dict(rounds=[], by_epoch=self.by_epoch, mined_at=None)
        self._mined_at = state['mined_at'] if state['by_epoch'] == self.by_epoch else None
        if 'suspects' in state:  # checkpoints of earlier releases have none
            self._chooser.load_state(state['suspects'])
        self._scorer.rounds.load_state(state.get('scores'))
        num_lost = self._history.load_state(state['rounds'], self._pool.keys)
        excluded = self._chooser.excluded(runner, self._pool)
        self._history.leave_out(excluded)
        self._pool.exclude(np.flatnonzero(excluded))
        self._pool.publish(self._history.indices(), self._history.last_round)
        if num_lost:
            runner.logger.warning(
                f'{num_lost} mined negatives of the checkpoint are no longer in the pool and are '
                'left out until the next round'
            )

    def _mine_if_due(self, runner: Runner, progress: int) -> None:
        """Mine if a round is due after this number of epochs or iterations."""
        is_first = self._history.last_round == 0
        is_turn = is_first or (progress - self.begin) % self.interval == 0
        if progress >= self.begin and is_turn and progress != self._mined_at:
            self._mine(runner)
            self._mined_at = progress

    def _mine(self, runner: Runner) -> None:
        start = time.perf_counter()
        pool, history = self._pool, self._history
        pool.check_unchanged()
        before = pool.published()
        number = history.last_round + 1
        choice = self._chooser.choose(runner, pool, number, before)
        history.add(choice.picked)
        self._scorer.rounds.mark_picks(choice.picked.indices)
        history.leave_out(choice.excluded)
        pool.exclude(np.flatnonzero(choice.excluded))
        pool.publish(history.indices(), number)
        report = RoundReport.of_last_round(
            history,
            choice.scores,
            pool.keys,
            before,
            self.report_thr,
            epoch=runner.epoch,
            iter=runner.iter,
            seconds=time.perf_counter() - start,
            **choice.report,
        )
        detections = {} if choice.scores is None else choice.scores.detections
        self._reporter.write(runner, report, detections)
        self._chooser.write_review(runner, number)
