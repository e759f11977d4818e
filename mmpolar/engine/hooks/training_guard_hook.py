import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from mmpolar.registry import HOOKS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.checkpoints import CheckpointMismatchError
from mmpolar.utils.processes import end_children_with_this_process

_WRAPPER_PREFIX = 'module.'
_STATISTICS = ('running_mean', 'running_var')


class TrainingFailedError(RuntimeError):
    """A training went wrong in a way that more steps do not mend."""


@HOOKS.register_module()
class TrainingGuardHook(Hook):
    """Ends a training that goes wrong, before it costs time or checkpoints.

    - A checkpoint that is loaded and of which no tensor fits the model is an error; MMEngine goes on
      from random weights.
    - An epoch without a single batch, as the batch is larger than the epoch, is an error.
    - A loss that is not finite ends the training in its step, and weights that are not finite before
      they are saved.
    - On Linux the workers of data loaders end with the training's process, also if it is killed.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Bind the processes that are started from now on to this one."""
        end_children_with_this_process()

    def after_load_checkpoint(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Compare a checkpoint with the model.

        Raises:
            CheckpointMismatchError: If no tensor of it has the name and shape of one of the model's.
        """
        weights = checkpoint.get('state_dict', checkpoint)
        offered = {
            str(name).removeprefix(_WRAPPER_PREFIX): value for name, value in weights.items()
        }
        expected = _unwrapped(runner).state_dict()
        fits = any(
            isinstance(offered.get(name), Tensor) and offered[name].shape == value.shape
            for name, value in expected.items()
        )
        if expected and not fits:
            raise CheckpointMismatchError(
                f'nothing in {runner._load_from} fits the model: it has {abridged(list(offered))}, '
                f'the model {abridged(list(expected))}; give a checkpoint of this model as load_from, '
                'or None'
            )

    def before_train(self, runner: Runner) -> None:
        """Look at the length of an epoch.

        Raises:
            TrainingFailedError: If it has no batch.
        """
        loader = runner.train_loop.dataloader
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            return
        if not isinstance(loader.sampler, InfiniteSampler) and not len(loader):
            raise TrainingFailedError(
                f'an epoch has no batch: of {len(loader.dataset)} samples this process gets '
                f'{len(loader.sampler)}, and a batch takes {loader.batch_size}; lower '
                'train_dataloader.batch_size, or make the epoch longer'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Look at the losses of a step.

        Raises:
            TrainingFailedError: If one is not finite.
        """
        wrong = [
            f'{name} is {value}' for name, value in _losses(outputs) if not math.isfinite(value)
        ]
        if wrong:
            raise TrainingFailedError(
                f'in step {runner.iter + 1} of the training (epoch {runner.epoch + 1}) '
                f'{", ".join(wrong)}; it ends, and saves no more checkpoints. {_remedy(runner)}'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Look at the weights.

        Raises:
            TrainingFailedError: If a number among them is not finite.
        """
        wrong = [name for name, value in _numbers(_unwrapped(runner)) if not value.isfinite().all()]
        if wrong:
            raise TrainingFailedError(
                f'after step {runner.iter} of the training {len(wrong)} tensors of the model are not '
                f'finite ({abridged(wrong)}); they are not saved. {_remedy(runner)}'
            )


def _unwrapped(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _losses(outputs: Mapping[str, Any] | None) -> Iterator[tuple[str, float]]:
    """The losses that a step logs, their sum last."""
    logged = outputs if isinstance(outputs, Mapping) else {}
    names = [name for name in logged if 'loss' in name]
    for name in sorted(names, key=lambda name: name == 'loss'):
        yield name, torch.as_tensor(logged[name]).detach().double().mean().item()


def _numbers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    for name, value in model.named_buffers():
        if name.endswith(_STATISTICS):
            yield name, value


def _remedy(runner: Runner) -> str:
    rates = [rate for values in runner.optim_wrapper.get_lr().values() for rate in values]
    return (
        f'Lower the learning rate (it is {max(rates):.3g}) or clip gradients, '
        'optim_wrapper.clip_grad=dict(max_norm=10), and look at the data; --resume goes on from the '
        'last checkpoint'
    )
