"""MMCV without compiled operators, as ``mmcv-lite`` installs it: enough for trackers.

MMDetection imports operators wherever a detector might call one. Trackers call none, and need no compiler
once these imports succeed; a detector that calls one is told what is missing.
"""

import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = 'mmcv._ext'


class OperatorsMissingError(RuntimeError):
    """An operator of MMCV was called that this installation does not have."""


class UncompiledOperatorsFinder(MetaPathFinder, Loader):
    """Stands in for MMCV's compiled module where there is none.

    It stands behind the finders of Python, so a module that exists is never replaced.
    """

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """How to import the module of operators; None for all others."""
        return ModuleSpec(fullname, self) if fullname == _MODULE else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module an operator of every name, which raises when it is called."""
        module.__getattr__ = _operator


def allow_uncompiled_operators() -> None:
    """Let MMDetection be imported where MMCV has no compiled operators."""
    if not any(isinstance(finder, UncompiledOperatorsFinder) for finder in sys.meta_path):
        sys.meta_path.append(UncompiledOperatorsFinder())


def _operator(name: str) -> Callable[..., Any]:
    if name.startswith('__'):
        raise AttributeError(name)

    def operator(*args: Any, **kwargs: Any) -> Any:
        raise OperatorsMissingError(
            f'{name} is an operator of MMCV, which is installed without them here (mmcv-lite): trackers '
            'need none, this model does; run "make env", or install mmcv in place of mmcv-lite'
        )

    return operator
