"""Rounds of hard-negative mining in a training."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dist import get_dist_info, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import IterBasedTrainLoop, Runner
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.picks import PickedRound, PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.pool import (
    MiningDataset,
    default_test_pipeline,
    find_mining_dataset,
    with_pipeline,
)
from mmpolar.mining.reports import (
    Pick,
    RoundReport,
    draw_alarm_sheet,
    score_quantiles,
    short_name,
)
from mmpolar.mining.scoring import (
    HardestSamples,
    PoolScores,
    Scorer,
    build_pool_loader,
    common_buffers,
    ema_weights,
    find_ema_hook,
    prediction_mode,
    score_pool,
)
from mmpolar.registry import DATASETS, HOOKS, TASK_UTILS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.atomic_local_backend import AtomicLocalBackend
from mmpolar.utils.random_state import kept_random_state

SELECTIONS = ('hardest', 'random')
#: Where a checkpoint keeps the picks.
STATE_KEY = 'hard_negative_mining'
#: Where the message hub keeps the figures of the last round.
INFO_KEY = 'mining'


@HOOKS.register_module()
class HardNegativeMiningHook(Hook):
    """Finds, round by round, the negatives that fool the model, for the training to draw.

    The training data set is a ``CompositeDataset`` with a pool of negatives. In a round the model
    is put into test mode and runs on every negative through the test pipeline, shared out over the
    ranks; the negatives with the highest scores become the picks, and data loader workers see them
    at once, persistent ones too. Equal scores are put in an order that depends on ``seed`` and the
    round alone. A negative that cannot be read is skipped and named.

    A round leaves no trace in the training but its picks: the mode of each module, the random
    state and the weights are as before. The picks are kept in checkpoints; a resumed run goes on
    with the picks it had, and mines when the next round is due.

    For each round there is one line in the log, ``mining/round_0001.json`` with all picks in the
    work directory, and ``round_0001.jpg`` there with the negatives that score highest and what the
    model sees in them. ``mining/share_above`` (share of the pool that scores ``report_thr`` or
    more), ``mining/new_share`` (share of the picks that are new) and quantiles of the scores go to
    the visualizer.

    By iterations, batches that workers have prepared already still show the earlier picks, as many
    as ``num_workers * prefetch_factor``. By epochs there are none such.

    Args:
        num_picks: How many negatives to pick; all of a smaller pool. Give exactly one of
            ``num_picks``, ``share`` and ``score_thr``.
        share: Share of the negatives to pick, in (0, 1].
        score_thr: Pick all that score at least this much. While there is none, training draws from
            the whole pool.
        interval: Epochs or iterations from one round to the next, at least 1.
        by_epoch: Whether ``interval`` and ``begin`` count epochs or iterations.
        begin: Epochs or iterations before the first round, at least 0. Until then training draws
            from the whole pool.
        selection: ``'hardest'``, or ``'random'`` to pick without scoring, for comparison.
        scorer: Config in TASK_UTILS of what makes a score of a data sample, or a function. Scores
            of a detector are 0 below its own ``score_thr`` in ``test_cfg``.
        pipeline: The transforms that make a test sample of a negative; by default those of
            ``test_dataloader`` or ``val_dataloader`` in the runner's config, without loading of
            annotations.
        pool: Config of a data set whose item i is the test sample of negative i, where another
            pipeline is not enough to make one.
        batch_size: Negatives in a batch, at least 1. As in any test in batches, images of
            different sizes are padded to the largest of their batch, which sways their scores a
            little; for scores that depend on the image alone end the pipeline with a ``Pad`` to
            one size, or set 1.
        num_workers: Processes that load negatives; they stay between rounds.
        collate_fn: Config of the function that makes a batch of samples, as in MMEngine's loaders.
        use_ema: Whether to score with the averaged weights of ``EMAHook``.
        keep_rounds: For how many further rounds picks are kept, after the new ones, at least 0.
        report_thr: The score from which a negative counts as a false alarm in the report.
        num_pictures: Negatives on the contact sheet, at least 0; 0 for no sheet.
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

    def __init__(
        self,
        num_picks: int | None = None,
        share: float | None = None,
        score_thr: float | None = None,
        interval: int = 1,
        by_epoch: bool = True,
        begin: int = 0,
        selection: str = 'hardest',
        scorer: dict | Scorer = dict(type='mmpolar.MaxDetectionScore'),  # noqa: B006 (never changed)
        pipeline: Sequence[dict | Callable] | None = None,
        pool: dict | Dataset | None = None,
        batch_size: int = 8,
        num_workers: int = 2,
        collate_fn: dict = dict(type='pseudo_collate'),  # noqa: B006 (never changed)
        use_ema: bool = False,
        keep_rounds: int = 0,
        report_thr: float = 0.3,
        num_pictures: int = 32,
        seed: int = 0,
    ) -> None:
        self.rule = PickRule(num_picks, share, score_thr)
        self.interval = interval
        self.by_epoch = by_epoch
        self.begin = begin
        self.selection = selection
        self.pipeline = pipeline
        self.pool = pool
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.use_ema = use_ema
        self.keep_rounds = keep_rounds
        self.report_thr = report_thr
        self.num_pictures = num_pictures
        self.seed = seed
        self._check_options()
        self.scorer = TASK_UTILS.build(scorer) if isinstance(scorer, dict) else scorer
        self._dataset: MiningDataset | None = None
        self._keys: list[str] = []
        self._loader: DataLoader | None = None
        self._rounds: list[PickedRound] = []
        self._mined_at: int | None = None
        self._resumed: dict[str, Any] | None = None
        self._is_short_pool_told = False

    def before_train(self, runner: Runner) -> None:
        """Find the pool, take up the picks of a resumed run, and mine by iterations if it is due.

        Args:
            runner: The runner.

        Raises:
            ValueError: If the training data has not one pool of negatives, the loop or the hooks
                do not fit the options, or ranks see different pools.
        """
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'HardNegativeMiningHook counts epochs, but the training loop counts iterations; '
                'set by_epoch=False'
            )
        if self.use_ema:
            find_ema_hook(runner)
        self._loader = None
        self._dataset = find_mining_dataset(runner.train_dataloader.dataset)
        self._keys = list(self._dataset.negative_keys())
        if len(set(on_all_ranks(partial(_digest, self._keys)))) > 1:
            raise ValueError(
                'ranks see different pools of negatives; give all machines the same files'
            )
        self._take_up_picks(runner)
        if not self.by_epoch:
            self._mine_if_due(runner, runner.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Mine by epochs if a round is due."""
        if self.by_epoch:
            self._mine_if_due(runner, runner.epoch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Mine by iterations if a round is due and there is an iteration left to use it.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Not used.
        """
        if not self.by_epoch and not self.is_last_train_iter(runner):
            self._mine_if_due(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Let the processes that load negatives go."""
        self._loader = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the picks in the checkpoint, as plain values.

        Args:
            runner: The runner.
            checkpoint: Gets the entry ``'hard_negative_mining'``.
        """
        checkpoint[STATE_KEY] = dict(
            by_epoch=self.by_epoch,
            mined_at=self._mined_at,
            rounds=[picked.to_state(self._keys) for picked in self._rounds],
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the picks from a checkpoint that is resumed.

        Args:
            runner: The runner.
            checkpoint: The checkpoint; one without picks starts without.
        """
        self._resumed = checkpoint.get(STATE_KEY) if runner._resume else None

    def _check_options(self) -> None:
        at_least = dict(
            interval=1, begin=0, batch_size=1, num_workers=0, keep_rounds=0, num_pictures=0, seed=0
        )
        for name, smallest in at_least.items():
            if getattr(self, name) < smallest:
                raise ValueError(f'{name} must be at least {smallest}, got {getattr(self, name)}')
        if self.selection not in SELECTIONS:
            raise ValueError(f'selection must be one of {SELECTIONS}, got {self.selection!r}')
        if self.selection == 'random' and self.rule.score_thr is not None:
            raise ValueError('random picks have no score; give num_picks or share, not score_thr')
        if self.pool is not None and self.pipeline is not None:
            raise ValueError('pool has a pipeline of its own; give pool or pipeline, not both')

    def _take_up_picks(self, runner: Runner) -> None:
        """Publish the picks of the checkpoint, or none."""
        self._rounds, self._mined_at = [], None
        self._dataset.mined.clear()
        state, self._resumed = self._resumed, None
        if state is None or not state['rounds']:
            return
        if state['by_epoch'] == self.by_epoch:
            self._mined_at = state['mined_at']
        taken = [PickedRound.from_state(saved, self._keys) for saved in state['rounds']]
        self._rounds = [picked for picked, _ in taken]
        self._publish()
        if lost := sum(count for _, count in taken):
            runner.logger.warning(
                f'{lost} mined negatives of the checkpoint are no longer in the pool and are left '
                'out until the next round'
            )

    def _mine_if_due(self, runner: Runner, progress: int) -> None:
        """Mine if a round belongs to this number of done epochs or iterations."""
        is_turn = not self._rounds or (progress - self.begin) % self.interval == 0
        if progress >= self.begin and is_turn and progress != self._mined_at:
            self._mine(runner)
            self._mined_at = progress

    def _mine(self, runner: Runner) -> None:
        start = time.perf_counter()
        before = self._dataset.mined.read()[0]
        number = 1 + (self._rounds[0].number if self._rounds else 0)
        order = shuffled(len(self._keys), self.seed, number)
        if self.selection == 'random':
            on_all_ranks(self._check_pool)
            scores = None
            picked = PickedRound(number, order[: self.rule.count(np.zeros(len(order)))], None)
        else:
            scores = self._score(runner, ranks_in(order))
            picked = self._pick(number, scores, ranks_in(order))
        self._rounds = [picked, *self._rounds[: self.keep_rounds]]
        self._publish()
        self._report(runner, scores, before, time.perf_counter() - start)

    def _check_pool(self) -> None:
        """The pool must be the one that workers have a copy of."""
        size = len(self._dataset.negatives)
        if size != len(self._keys) or list(self._dataset.negative_keys()) != self._keys:
            raise RuntimeError(
                f'the pool of negatives changed during training, from {len(self._keys)} to {size} '
                'images or in its order, but workers still have the former one; stop and resume '
                'the run: picks that are still in the pool are kept'
            )

    def _score(self, runner: Runner, tie_ranks: NDArray[np.int64]) -> PoolScores:
        model = runner.model
        weights = ema_weights(runner) if self.use_ema else nullcontext()
        with kept_random_state(), prediction_mode(model), weights, common_buffers(model):
            shares = on_all_ranks(partial(self._score_share, runner, tie_ranks))
        scores = PoolScores.merged(shares)
        names = [f'{self._keys[index]} ({why})' for index, why in scores.unreadable.items()]
        if not len(scores.scores):
            raise ValueError(
                f'none of {len(names)} negatives can be read: {abridged(names, limit=5)}'
            )
        if names:
            runner.logger.warning(
                f'{len(names)} of {len(self._keys)} negatives cannot be read: {abridged(names, limit=5)}'
            )
        return scores

    def _score_share(self, runner: Runner, tie_ranks: NDArray[np.int64]) -> PoolScores:
        """Score the part of the pool that is this rank's."""
        self._check_pool()
        if self._loader is None:
            self._loader = self._build_loader(runner)
        hardest = HardestSamples(self.num_pictures, tie_ranks)
        with tqdm(
            total=len(self._loader.sampler),
            desc='mining',
            leave=False,
            disable=None if is_main_process() else True,
        ) as bar:
            return score_pool(
                runner.model, self._loader, self.scorer, self._keys, hardest, bar.update
            )

    def _build_loader(self, runner: Runner) -> DataLoader:
        if self.pool is None:
            pipeline = self.pipeline
            if pipeline is None:
                pipeline = default_test_pipeline(runner.cfg)
            pool = with_pipeline(self._dataset.negatives, pipeline)
        else:
            pool = DATASETS.build(self.pool) if isinstance(self.pool, dict) else self.pool
        if len(pool) != len(self._keys):
            raise ValueError(
                f'pool of HardNegativeMiningHook has {len(pool)} items, but training draws from '
                f'{len(self._keys)} negatives; make item i the test sample of negative i'
            )
        rank, world_size = get_dist_info()
        shard = range(rank, len(pool), world_size)
        collate = _build_collate(self.collate_fn)
        return build_pool_loader(pool, shard, self.batch_size, self.num_workers, collate)

    def _pick(self, number: int, scores: PoolScores, tie_ranks: NDArray[np.int64]) -> PickedRound:
        order = hardest_first(scores.scores, tie_ranks[scores.indices])
        order = order[: self.rule.count(scores.scores)]
        return PickedRound(number, scores.indices[order], scores.scores[order])

    def _publish(self) -> None:
        """Make the picks of the last rounds those that training draws, the newest first."""
        picks = dict.fromkeys(np.concatenate([picked.indices for picked in self._rounds]).tolist())
        self._dataset.mined.publish(np.array(list(picks), dtype=np.int64), self._rounds[0].number)

    def _report(
        self, runner: Runner, scores: PoolScores | None, before: NDArray[np.int64], seconds: float
    ) -> None:
        self._tell_short_pool(runner)
        report = self._build_report(runner, scores, before, seconds)
        runner.message_hub.update_info(INFO_KEY, dict(round=report.round, **report.summary()))
        if not is_main_process():
            return
        runner.logger.info(report.log_line())
        figures = {f'{INFO_KEY}/{name}': value for name, value in report.summary().items()}
        runner.visualizer.add_scalars(figures, step=runner.iter)
        try:
            self._write(Path(runner.work_dir) / 'mining', report, scores)
        except OSError as error:
            # The picks are in use already: a full disk must not end the training here.
            runner.logger.warning(f'the report of mining round {report.round} is lost: {error}')

    def _tell_short_pool(self, runner: Runner) -> None:
        wanted = self.rule.num_picks
        if wanted is not None and wanted > len(self._keys) and not self._is_short_pool_told:
            self._is_short_pool_told = True
            runner.logger.warning(
                f'num_picks={wanted} is more than the pool of {len(self._keys)} negatives has; '
                'all of them are picked'
            )

    def _build_report(
        self, runner: Runner, scores: PoolScores | None, before: NDArray[np.int64], seconds: float
    ) -> RoundReport:
        picks = self._list_picks(set(before.tolist()))
        unreadable = {} if scores is None else scores.unreadable
        return RoundReport(
            round=self._rounds[0].number,
            epoch=runner.epoch,
            iter=runner.iter,
            selection=self.selection,
            pool_size=len(self._keys),
            num_scored=0 if scores is None else len(scores.scores),
            seconds=seconds,
            report_thr=self.report_thr,
            share_above=(
                None if scores is None else float(np.mean(scores.scores >= self.report_thr))
            ),
            quantiles={} if scores is None else score_quantiles(scores.scores),
            num_picks=len(picks),
            num_new=sum(pick.is_new for pick in picks),
            picks=picks,
            unreadable={self._keys[index]: unreadable[index] for index in sorted(unreadable)},
        )

    def _list_picks(self, before: set[int]) -> tuple[Pick, ...]:
        """All published picks; of one that several rounds picked, the newest round counts."""
        picks: dict[int, Pick] = {}
        for picked in self._rounds:
            scores = (
                [None] * len(picked.indices) if picked.scores is None else picked.scores.tolist()
            )
            for index, score in zip(picked.indices.tolist(), scores, strict=True):
                if index not in picks:
                    picks[index] = Pick(
                        index, self._keys[index], score, picked.number, index not in before
                    )
        return tuple(picks.values())

    def _write(self, folder: Path, report: RoundReport, scores: PoolScores | None) -> None:
        backend = AtomicLocalBackend()
        stem = folder / f'round_{report.round:04d}'
        backend.put_text(report.to_json(), stem.with_suffix('.json'))
        if scores is None or not self.num_pictures:
            return
        shown = [
            (scores.detections[pick.index], f'{rank}: {pick.score:.3f} {short_name(pick.key)}')
            for rank, pick in enumerate(report.picks[: self.num_pictures], start=1)
            if pick.round == report.round and pick.index in scores.detections
        ]
        sheet = draw_alarm_sheet(*zip(*shown, strict=True)) if shown else None
        if sheet is not None:
            backend.put(cv2.imencode('.jpg', sheet)[1].tobytes(), stem.with_suffix('.jpg'))


def _digest(keys: Sequence[str]) -> str:
    return sha256('\0'.join(keys).encode()).hexdigest()


def _build_collate(config: dict) -> Callable[[list], Any]:
    options = dict(config)
    name = options.pop('type')
    function = FUNCTIONS.get(name) if isinstance(name, str) else name
    if function is None:
        raise ValueError(f'collate_fn {name!r} is not in the registry FUNCTIONS; name one that is')
    return partial(function, **options)
