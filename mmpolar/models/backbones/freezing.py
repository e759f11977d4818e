"""Keeping parts of a backbone as they are while the rest trains."""

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def keep_frozen(backbone: nn.Module, frozen: Iterable[nn.Module], norm_eval: bool) -> None:
    """Undo what ``train()`` does to the parts that do not train; call it after ``train()``.

    Args:
        backbone: The whole backbone.
        frozen: Parts whose parameters and batch norm statistics stay.
        norm_eval: Whether batch norm keeps its running statistics in training, everywhere.
    """
    for module in frozen:
        module.eval()
        module.requires_grad_(False)
    if norm_eval:
        for module in backbone.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
