"""The import hook that loads a few modules of MMTracking with small repairs."""

import ast
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType

from mmpolar.compat.mmtracking.repairs import Ceiling, MissingClass, MissingNumpyAlias, Repair

#: What keeps MMTracking 1.0.0rc1 (and MMClassification 1.0.0rc6, which it imports) from working.
REPAIRS: dict[str, tuple[Repair, ...]] = {
    'mmtrack': (Ceiling('MMCV_MAX', 'mmcv'), Ceiling('MMDET_MAX', 'mmdet')),
    'mmcls': (Ceiling('mmcv_maximum_version', 'mmcv'),),
    'mmtrack.datasets.transforms.loading': (MissingNumpyAlias('bool'),),
    'mmtrack.models.track_heads.stark_head': (
        MissingClass('mmdet.models.layers', 'Transformer', 'mmpolar.compat.mmtracking.transformer'),
    ),
}


class MMTrackingBridge(MetaPathFinder):
    """Lets MMTracking be imported with newer releases of the packages below it.

    While enabled, the modules named in :data:`REPAIRS`, and no others, are compiled from their
    source with the repairs they need, in memory: no file is written, not even a cached one, and
    MMCV, MMDetection and NumPy look the same to everyone as before. Each repair is reported on
    stderr when its module is loaded. Where the installed releases are those that MMTracking asks
    for, the modules are loaded as they are, and that is reported too.

    Disabling removes the hook. Modules that have been imported by then stay imported and usable.

    Example:
        >>> with MMTrackingBridge():
        ...     from mmtrack.apis import inference_sot, init_model
        ...     from mmtrack.utils import register_all_modules
        ...     register_all_modules(init_default_scope=False)
    """

    def enable(self) -> 'MMTrackingBridge':
        """Start to repair; modules that are imported already stay as they are."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        return self

    def disable(self) -> None:
        """Stop to repair; what is imported already stays imported."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def __enter__(self) -> 'MMTrackingBridge':
        return self.enable()

    def __exit__(self, *exception: object) -> None:
        self.disable()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to load a module that needs repairs; None for all others."""
        if fullname not in REPAIRS:
            return None
        spec = _find_without_bridge(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        tree = _parse(spec.loader)
        notes = [note for repair in REPAIRS[fullname] if (note := repair.apply(tree))]
        if notes:
            _report(f'{fullname} is loaded {"; ".join(notes)}')
            spec.loader = _RepairedLoader(spec.loader, tree)
        elif fullname == 'mmtrack':
            _report('mmtrack accepts the installed mmcv and mmdet and is loaded as it is')
        return spec


class _RepairedLoader(SourceFileLoader):
    """Loads a repaired module; neither reads nor writes cached bytecode."""

    def __init__(self, original: SourceFileLoader, tree: ast.Module) -> None:
        super().__init__(original.name, original.path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.path, 'exec', dont_inherit=True)


def _find_without_bridge(
    fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """What the import system would find if no bridge were there."""
    for finder in sys.meta_path:
        if not isinstance(finder, MMTrackingBridge):
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


def _parse(loader: SourceFileLoader) -> ast.Module:
    return ast.parse(loader.get_data(loader.path), loader.path)


def _report(text: str) -> None:
    print(f'mmpolar bridge: {text}', file=sys.stderr)
