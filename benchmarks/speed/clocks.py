"""Where the time of a network goes, and how many operations it needs."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmpolar.utils.module_meter import ModuleMeter


class ModuleClock(ModuleMeter):
    """Adds up the time that groups of modules spend in their forward passes.

    Args:
        groups: See :class:`ModuleMeter`.

    Example:
        >>> with ModuleClock({'backbone': [model.backbone]}) as clock:
        ...     model.track(frame)
        >>> clock.seconds['backbone']
    """

    def __init__(self, groups: Mapping[str, Sequence[nn.Module]]) -> None:
        super().__init__(groups, _seconds)

    @property
    def seconds(self) -> dict[str, float]:
        """Time by group."""
        return self.used


def _seconds() -> float:
    synchronize()
    return time.perf_counter()


def synchronize() -> None:
    """Wait until the GPU, if there is one, has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def count_flops(function: Callable[[], Any]) -> int:
    """Floating-point operations of the convolutions and matrix products that a call executes.

    A multiplication and an addition are two. What is cheap beside these (activations, sampling,
    sums) is not counted, so a bound derived from the number is a little too low.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
