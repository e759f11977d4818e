"""Where the time of a network goes, and how many operations it needs."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class ModuleMeter:
    """Adds up what groups of modules use up in their forward passes.

    A module inside one of another group counts for its own group only.

    Args:
        groups: Modules by the name under which their use is added up.
        read: The meter's reading, which only grows.

    Attributes:
        used: Use by group.
    """

    def __init__(
        self, groups: Mapping[str, Sequence[nn.Module]], read: Callable[[], float]
    ) -> None:
        self.groups = groups
        self.read = read
        self.used = dict.fromkeys(groups, 0.0)
        self._running: list[_Run] = []
        self._handles: list = []

    def __enter__(self) -> 'ModuleMeter':
        for name, modules in self.groups.items():
            for module in modules:
                self._handles += [
                    module.register_forward_pre_hook(self._start),
                    module.register_forward_hook(self._stop(name)),
                ]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _start(self, module: nn.Module, args: Any) -> None:
        self._running.append(_Run(self.read()))

    def _stop(self, name: str) -> Callable:
        def stop(module: nn.Module, args: Any, output: Any) -> None:
            used = self.read()
            run = self._running.pop()
            used -= run.begin
            self.used[name] += used - run.inside
            if self._running:
                self._running[-1].inside += used

        return stop


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


@dataclass
class _Run:
    """A forward pass that is under way, and the use of metered modules inside it."""

    begin: float
    inside: float = 0.0


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
