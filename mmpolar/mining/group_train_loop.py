"""Training loop that can stop between the loss of a group and the update of the weights."""

from collections.abc import Callable
from typing import Any

from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor

from mmpolar.registry import LOOPS


@LOOPS.register_module()
class GroupTrainLoop(EpochBasedTrainLoop):
    """MMEngine's ``EpochBasedTrainLoop`` that can stop inside an epoch.

    For each group, a batch over all ranks, the loss is computed, then passed to ``loss_watchers``,
    and only then the weights are updated: once ``stop_training`` is set, the group at hand is not
    used any more and the epoch ends. A hook sets it, for instance ``ConvergenceHook``.

    Args:
        **kwargs: See :class:`mmengine.runner.EpochBasedTrainLoop`.

    Attributes:
        loss_watchers: Functions that get the loss of each group of this rank, a tensor of shape ()
            without gradient, before the update.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_watchers: list[Callable[[Tensor], None]] = []

    def run_epoch(self) -> None:
        """Run through the groups of an epoch, or through those until the training stops."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, data_batch in enumerate(self.dataloader):
            self.run_iter(index, data_batch)
            if self.stop_training:
                break
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Compute the loss of a group, pass it on, and update the weights unless training stops.

        Args:
            idx: Number of the group in the epoch.
            data_batch: The group's samples of this rank.
        """
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        optim_wrapper = _WatchedOptimWrapper(self.runner.optim_wrapper, self._may_update)
        outputs = self.runner.model.train_step(data_batch, optim_wrapper=optim_wrapper)
        self.runner.call_hook(
            'after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs
        )
        self._iter += 1

    def _may_update(self, loss: Tensor) -> bool:
        for watch in self.loss_watchers:
            watch(loss.detach())
        return not self.stop_training


class _WatchedOptimWrapper:
    """An optimizer wrapper that asks before it updates the weights."""

    def __init__(self, optim_wrapper: Any, may_update: Callable[[Tensor], bool]) -> None:
        self._optim_wrapper = optim_wrapper
        self._may_update = may_update

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self._may_update(loss):
            self._optim_wrapper.update_params(loss, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optim_wrapper, name)
