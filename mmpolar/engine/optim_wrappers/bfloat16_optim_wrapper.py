"""Mixed precision in bfloat16, on CPUs too."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn

from mmpolar.registry import OPTIM_WRAPPERS
from mmpolar.utils.bfloat16 import computes_bfloat16


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Run the forward pass under bfloat16 autocast; parameters and updates stay in float32.

    bfloat16 has float32's range, so no loss scaling is needed. MMEngine's ``AmpOptimWrapper``
    refuses to run without an accelerator. On a processor without instructions for bfloat16, which is
    several times slower in it than in float32, the forward pass stays in float32, and the log says so.

    Args:
        **kwargs: See :class:`mmengine.optim.OptimWrapper`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._enabled = computes_bfloat16(get_device())
        if not self._enabled:
            print_log(
                'this processor has no instructions for bfloat16 and would be slower with it: '
                'training in float32',
                'current',
                logging.WARNING,
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass."""
        autocast = torch.autocast(get_device(), torch.bfloat16, enabled=self._enabled)
        with super().optim_context(model), autocast:
            yield
