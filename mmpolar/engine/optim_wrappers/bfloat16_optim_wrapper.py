"""Mixed precision in bfloat16, on CPUs too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from mmpolar.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Run the forward pass under bfloat16 autocast; parameters and updates stay in float32.

    bfloat16 has float32's range, so no loss scaling is needed. MMEngine's ``AmpOptimWrapper``
    refuses to run without an accelerator.

    Args:
        **kwargs: See :class:`mmengine.optim.OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass."""
        device_type = get_device()
        with super().optim_context(model), torch.autocast(device_type, torch.bfloat16):
            yield
