"""Training a part of a model on top of the rest, which is finished."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmpolar.engine.frozen_modules import check_wrapper, find_module, unwrapped
from mmpolar.registry import HOOKS


@HOOKS.register_module()
class FreezeModulesHook(Hook):
    """Keeps parts of the model as they are for the whole training.

    Their parameters get no gradient, and they are in evaluation mode, so that the statistics of
    their batch normalisation stay as well. With ``load_from`` the rest of a model is trained on top
    of a finished part. For a backbone that joins in later see :class:`BackboneUnfreezeHook`.

    A model wrapped for distributed training must have ``find_unused_parameters=True``.

    Args:
        modules: Names below the model, for instance ``'backbone'`` or ``'head.cls_tower'``.

    Raises:
        ValueError: If no module is named.

    Example:
        >>> load_from = 'work_dirs/tracker/epoch_10.pth'
        >>> custom_hooks = [dict(type='FreezeModulesHook', modules=['backbone', 'neck', 'head'])]
    """

    def __init__(self, modules: Sequence[str]) -> None:
        if isinstance(modules, str) or not modules:
            raise ValueError(
                f'modules of FreezeModulesHook must be a list of at least one name, got {modules!r}'
            )
        self.modules = tuple(modules)
        self._frozen: list[nn.Module] = []

    def before_train(self, runner: Runner) -> None:
        """Take the gradients away.

        Raises:
            ValueError: If the model has no such module, or nothing would be left to train.
            RuntimeError: If the model is wrapped for distributed training without
                ``find_unused_parameters``.
        """
        check_wrapper(runner.model, type(self).__name__)
        model = unwrapped(runner.model)
        owner = f'the model {type(model).__name__}'
        self._frozen = [find_module(model, name, owner) for name in self.modules]
        for module in self._frozen:
            module.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ValueError(f'{owner} has nothing left to train beside {list(self.modules)}')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the parts in evaluation mode; the training loop puts the whole model into training."""
        for module in self._frozen:
            module.eval()
