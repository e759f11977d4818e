"""Early stopping once the loss and the false-alarm rate have converged."""

from math import inf
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from mmpolar.mining.group_train_loop import GroupTrainLoop
from mmpolar.mining.reports import INFO_KEY
from mmpolar.registry import HOOKS

STATE_KEY = 'convergence'


@HOOKS.register_module()
class ConvergenceHook(Hook):
    """Ends the training when it has converged.

    The criterion is tested after every ``window`` groups (batches over all ranks). It holds if

    - the mean loss of these groups is lower than that of the ``window`` groups before by less than
      ``tolerance`` times that one, or not lower at all; and
    - in the last mining round at most ``max_alarm_share`` of the scored negatives reached the
      ``report_thr`` of ``HardNegativeMiningHook``, and at most ``max_new_share`` of the picks were
      new, as far as these are given. Without a round so far they do not hold.

    The training has converged when it holds ``patience`` times in a row. Losses are averaged over
    ranks, so all ranks stop together. With ``GroupTrainLoop`` the group that completes the
    criterion is not used for an update and the training ends at once; with MMEngine's loop it ends
    after that iteration or, by epochs, after that epoch. The last checkpoint and the last
    validation, where configured, come then as at the planned end. A converged run that is resumed
    ends without training on.

    Args:
        window: Groups whose mean loss is compared, at least 1.
        tolerance: Improvement of the loss, as a share of it, that still counts; at least 0.
        patience: Tests in a row, at least 1.
        max_alarm_share: Share in [0, 1]; None not to ask.
        max_new_share: Share in [0, 1]; None not to ask.

    Raises:
        ValueError: If an option is out of its range.

    Example:
        >>> train_cfg = dict(type='GroupTrainLoop', max_epochs=100)
        >>> custom_hooks = [
        ...     dict(type='HardNegativeMiningHook', num_picks=200),
        ...     dict(type='ConvergenceHook', window=200, max_alarm_share=0.001),
        ... ]
    """

    # Before the checkpoint is saved.
    priority = 'LOW'

    def __init__(
        self,
        window: int = 100,
        tolerance: float = 0.01,
        patience: int = 2,
        max_alarm_share: float | None = None,
        max_new_share: float | None = None,
    ) -> None:
        if window < 1 or patience < 1 or not tolerance >= 0:
            raise ValueError(
                'ConvergenceHook needs window and patience of at least 1 and tolerance of at least '
                f'0, got window={window}, patience={patience}, tolerance={tolerance}'
            )
        self.window = window
        self.tolerance = tolerance
        self.patience = patience
        self.limits = dict(share_above=max_alarm_share, new_share=max_new_share)
        for name, limit in (
            ('max_alarm_share', max_alarm_share),
            ('max_new_share', max_new_share),
        ):
            if limit is not None and not 0 <= limit <= 1:
                raise ValueError(f'{name} must lie in 0..1, got {limit}')
        self._sum: Tensor | float = 0.0
        self._count = 0
        self._mean_before: float | None = None
        self._num_held = 0

    def before_train(self, runner: Runner) -> None:
        """Watch the losses of the loop; a run that has converged before ends here."""
        if isinstance(runner.train_loop, GroupTrainLoop):
            runner.train_loop.loss_watchers.append(lambda loss: self._observe(runner, loss))
        runner.train_loop.stop_training = self._num_held >= self.patience

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Take the loss of a group from loops that show it only now.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: The losses of the iteration, with their sum as ``'loss'``.
        """
        if not isinstance(runner.train_loop, GroupTrainLoop):
            self._observe(runner, torch.as_tensor(outputs['loss']).detach())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state of the test in the checkpoint, as plain values.

        Args:
            runner: The runner.
            checkpoint: Gets the entry ``'convergence'``.
        """
        checkpoint[STATE_KEY] = dict(
            sum=float(self._sum),
            count=self._count,
            mean_before=self._mean_before,
            num_held=self._num_held,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the state of the test from a checkpoint that is resumed."""
        if runner._resume and (state := checkpoint.get(STATE_KEY)) is not None:
            self._sum = state['sum']
            self._count = state['count']
            self._mean_before = state['mean_before']
            self._num_held = state['num_held']

    def _observe(self, runner: Runner, loss: Tensor) -> None:
        """Add the loss of a group; test at the end of a window."""
        # Summed where it is: fetching each loss would wait for the device.
        self._sum = self._sum + loss
        self._count += 1
        if self._count < self.window:
            return
        mean = torch.as_tensor(self._sum / self._count)
        all_reduce(mean, 'mean')
        self._sum, self._count = 0.0, 0
        mean_before, self._mean_before = self._mean_before, float(mean)
        holds = (
            mean_before is not None
            and mean_before - self._mean_before < self.tolerance * abs(mean_before)
            and self._keeps_limits(runner)
        )
        self._num_held = self._num_held + 1 if holds else 0
        if self._num_held >= self.patience:
            runner.logger.info(
                f'converged: mean loss of {self.window} groups {self._mean_before:.4g} after '
                f'{mean_before:.4g} before, {self._num_held} times in a row'
            )
            _end_training(runner)

    def _keeps_limits(self, runner: Runner) -> bool:
        """Whether the last mining round keeps the limits that are given."""
        summary = runner.message_hub.runtime_info.get(INFO_KEY, {})
        return all(
            limit is None or summary.get(name, inf) <= limit for name, limit in self.limits.items()
        )


def _end_training(runner: Runner) -> None:
    """Make this epoch or iteration the last: then the last checkpoint and validation come too."""
    loop = runner.train_loop
    loop.stop_training = True
    if isinstance(loop, EpochBasedTrainLoop):
        loop._max_epochs = loop.epoch + 1
    else:
        loop._max_iters = loop.iter + 1
