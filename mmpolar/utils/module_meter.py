"""What groups of modules use up in their forward passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


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


@dataclass
class _Run:
    """A forward pass that is under way, and the use of metered modules inside it."""

    begin: float
    inside: float = 0.0
