"""Context managers that restore the model's state after inference."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch
from mmengine.dist import all_reduce_params, get_world_size
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import nn


@contextmanager
def prediction_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into test mode for the block; each module gets its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def ema_weights(runner: Runner) -> Iterator[None]:
    """Give the model its averaged weights for the block.

    Before the first update the average holds nothing but what the model had when it was built, so
    the model keeps its own weights then.

    Raises:
        ValueError: If the runner has no ``EMAHook``.
    """
    hook = find_ema_hook(runner)
    if hook.ema_model.steps == 0:
        yield
        return
    hook.before_test_epoch(runner)
    try:
        yield
    finally:
        hook.after_test_epoch(runner)


def find_ema_hook(runner: Runner) -> EMAHook:
    """The hook that averages the model's weights.

    Raises:
        ValueError: If the runner has none.
    """
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook
    raise ValueError(
        'use_ema=True of HardNegativeMiningHook needs an EMAHook in custom_hooks; add one, '
        'or set use_ema=False'
    )


@contextmanager
def common_buffers(model: nn.Module) -> Iterator[None]:
    """Let all ranks see the same model in the block: running statistics are averaged over them.

    Each rank gets its own statistics back. Nothing happens in a single process.
    """
    if get_world_size() == 1:
        yield
        return
    buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    own = [buffer.clone() for buffer in buffers]
    if buffers:
        all_reduce_params(buffers, op='mean')
    try:
        yield
    finally:
        for buffer, value in zip(buffers, own, strict=True):
            buffer.copy_(value)


def weights_digest(model: nn.Module) -> str:
    """A name of the weights and buffers of a model: equal weights have equal names."""
    digest = blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()
