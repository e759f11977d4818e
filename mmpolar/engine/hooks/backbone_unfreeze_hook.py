"""Training the layers of a backbone one group after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from mmpolar.engine.frozen_modules import check_wrapper, find_module, unwrapped
from mmpolar.registry import HOOKS


@dataclass(frozen=True)
class _Stage:
    """Modules that stay frozen until an epoch or an iteration is reached."""

    unit: str
    start: int
    names: tuple[str, ...]

    def is_due(self, runner: Runner) -> bool:
        return (runner.epoch if self.unit == 'epoch' else runner.iter) >= self.start


@dataclass
class _Frozen:
    """A stage that is frozen now, and what it is to get back."""

    stage: _Stage
    modules: list[nn.Module]
    parameters: list[nn.Parameter]


@HOOKS.register_module()
class BackboneUnfreezeHook(Hook):
    """Freezes parts of ``model.backbone`` and lets them train from an epoch or iteration on.

    While a module is frozen its parameters get no gradient and it is in evaluation mode, so that the
    statistics of its batch normalisation stay as they are. The optimiser may hold all parameters
    from the start: it passes over those without a gradient. What the schedule does not name trains
    from the start. A resumed run continues with what is frozen at its epoch or iteration. Only
    parameters that were trainable before are made trainable again. To train the backbone more slowly
    set ``optim_wrapper.paramwise_cfg.custom_keys``.

    A model wrapped for distributed training must have ``find_unused_parameters=True``.

    Args:
        schedule: Stages, each ``dict(epoch=n, modules=[...])`` or ``dict(iter=n, modules=[...])``:
            the modules train once n epochs or iterations are done. Modules are names below
            ``model.backbone``, for instance ``'layer3'`` or ``'layer3.0'``. No parameter may be in
            two stages.

    Raises:
        ValueError: If a stage is not of this form.

    Example:
        >>> custom_hooks = [
        ...     dict(
        ...         type='BackboneUnfreezeHook',
        ...         schedule=[
        ...             dict(epoch=10, modules=['layer3']),
        ...             dict(epoch=20, modules=['layer2']),
        ...         ],
        ...     )
        ... ]
    """

    def __init__(self, schedule: Sequence[dict[str, Any]]) -> None:
        self.stages = [_checked_stage(config) for config in schedule]
        if not self.stages:
            raise ValueError('schedule of BackboneUnfreezeHook is empty; give at least one stage')
        self._frozen: list[_Frozen] = []

    def before_train(self, runner: Runner) -> None:
        """Freeze every stage that is not due yet.

        Args:
            runner: The runner; its epoch and iteration are those of the checkpoint if it resumed.

        Raises:
            ValueError: If the model has no backbone, the backbone has no such module, or a module
                has no trainable parameter or one that is in another stage.
            RuntimeError: If the model is wrapped for distributed training without
                ``find_unused_parameters``.
        """
        check_wrapper(runner.model, type(self).__name__)
        backbone = _backbone(runner.model)
        stages = [_resolve(stage, backbone) for stage in self.stages]
        _check_disjoint(stages)
        self._frozen = [frozen for frozen in stages if not frozen.stage.is_due(runner)]
        for frozen in self._frozen:
            for parameter in frozen.parameters:
                parameter.requires_grad_(False)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Unfreeze the stages that are due and keep the others in evaluation mode.

        The training loop puts the whole model into training mode after ``before_train_epoch``,
        which is why the mode is set here.
        """
        due = [frozen for frozen in self._frozen if frozen.stage.is_due(runner)]
        if due:
            self._frozen = [frozen for frozen in self._frozen if not frozen.stage.is_due(runner)]
            for frozen in due:
                _unfreeze(frozen)
            # The backbone's own train() decides about layers that it always keeps in evaluation.
            _backbone(runner.model).train()
        for frozen in self._frozen:
            for module in frozen.modules:
                module.eval()


def _checked_stage(config: dict[str, Any]) -> _Stage:
    units = [unit for unit in ('epoch', 'iter') if unit in config]
    modules = config.get('modules')
    is_whole = len(units) == 1 and set(config) == {*units, 'modules'}
    if not is_whole or isinstance(modules, str) or not modules:
        raise ValueError(
            'a stage of BackboneUnfreezeHook must be dict(epoch=n, modules=[...]) or '
            f'dict(iter=n, modules=[...]), got {config}'
        )
    start = config[units[0]]
    if not isinstance(start, int) or start < 0:
        raise ValueError(f'{units[0]} of a stage must be an integer of at least 0, got {start!r}')
    return _Stage(units[0], start, tuple(modules))


def _backbone(model: nn.Module) -> nn.Module:
    model = unwrapped(model)
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, nn.Module):
        raise ValueError(f'{type(model).__name__} has no backbone for BackboneUnfreezeHook')
    return backbone


def _resolve(stage: _Stage, backbone: nn.Module) -> _Frozen:
    modules, parameters = [], []
    for name in stage.names:
        module = find_module(backbone, name, f'the backbone {type(backbone).__name__}')
        trainable = [p for p in module.parameters() if p.requires_grad]
        if not trainable:
            raise ValueError(
                f'module {name!r} of the backbone has no trainable parameter to unfreeze; '
                'do not freeze it in the backbone itself (frozen_stages)'
            )
        modules.append(module)
        parameters.extend(trainable)
    return _Frozen(stage, modules, parameters)


def _check_disjoint(stages: list[_Frozen]) -> None:
    identities = [id(parameter) for frozen in stages for parameter in frozen.parameters]
    if len(set(identities)) < len(identities):
        names = [list(frozen.stage.names) for frozen in stages]
        raise ValueError(f'a parameter is in two modules of the unfreezing schedule: {names}')


def _unfreeze(frozen: _Frozen) -> None:
    for parameter in frozen.parameters:
        parameter.requires_grad_(True)
    count = sum(parameter.numel() for parameter in frozen.parameters)
    names = ', '.join(frozen.stage.names)
    print_log(f'unfroze {names} of the backbone: {count} parameters', logger='current')
