"""Switches the bridge on when MMTracking is first imported.

Python imports a module of this name at its start. Until MMTracking is imported nothing happens;
a ``sitecustomize`` that this one hides is run as it would have been.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


class _Trigger(MetaPathFinder):
    """Gives way to the bridge at the first import of one of the packages it repairs."""

    def find_spec(self, fullname, path, target=None):
        if fullname not in ('mmtrack', 'mmcls'):
            return None
        sys.meta_path.remove(self)
        try:
            from mmpolar.compat.mmtracking import MMTrackingBridge
        except ModuleNotFoundError as error:
            text = (
                f'{error.name} is not installed for {sys.executable}; {fullname} is left as it is'
            )
            print(f'mmpolar bridge: {text}', file=sys.stderr)
            return None
        return MMTrackingBridge().enable().find_spec(fullname, path, target)


def _run_hidden_sitecustomize() -> None:
    others = [folder for folder in sys.path if Path(folder).resolve() != _FOLDER]
    spec = PathFinder.find_spec('sitecustomize', others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


sys.meta_path.insert(0, _Trigger())
_run_hidden_sitecustomize()
