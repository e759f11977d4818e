"""Registries of mmpolar: children of MMEngine's root registries.

Each one names the packages that hold its components (``locations``), so that a config whose
``default_scope`` is ``'mmpolar'`` needs no imports of its own. MMDetection's registries are made
known too: ``type='mmdet.ResNet'`` works anywhere a component is named.
"""

from importlib import import_module
from typing import Any

import mmdet.registry  # noqa: F401  (registers the scope 'mmdet')
from mmengine import registry as root

from mmpolar.utils.checkpoints import register_safe_globals
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.uncompiled_operators import allow_uncompiled_operators


class Registry(root.Registry):
    """MMEngine's registry, in which a renamed class keeps its old name for a release."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._new_names: dict[str, str] = {}

    def register_old_name(self, old: str, new: str) -> None:
        """Let configs name a class by its old name, which is warned about once.

        Call it in the module of the class.

        Args:
            old: The old name.
            new: Name that the class has in this registry.

        Example:
            >>> VISUALIZERS.register_old_name('OldVisualizer', 'NewVisualizer')
        """
        self._new_names[old] = new

    def get(self, key: str) -> type | None:
        """The class of a name, ``'Name'`` or ``'scope.Name'``."""
        self.import_from_location()
        scope, name = self.split_scope_key(key)
        if scope in (None, self.scope) and name in self._new_names:
            key = self._new_names[name]
            warn_deprecated(f'type {name!r} of a config', repr(key))
        return super().get(key)


def _child(parent: root.Registry, *packages: str) -> Registry:
    locations = [f'mmpolar.{package}' for package in packages]
    return Registry(parent.name, parent=parent, scope='mmpolar', locations=locations)


MODELS = _child(root.MODELS, 'models')
TASK_UTILS = _child(root.TASK_UTILS, 'mining.registered')
DATASETS = _child(root.DATASETS, 'datasets.registered', 'mining.registered')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'datasets.registered')
TRANSFORMS = _child(root.TRANSFORMS, 'datasets.registered', 'mining.registered')
HOOKS = _child(root.HOOKS, 'engine', 'mining.registered')
LOOPS = _child(root.LOOPS, 'mining.registered')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'engine')
METRICS = _child(root.METRICS, 'evaluation.metrics')
VISUALIZERS = _child(root.VISUALIZERS, 'visualization')

# Nothing of ours is in these yet. Without them MMEngine warns that the scope is unknown whenever a
# config names one of its own components.
RUNNERS = _child(root.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(root.RUNNER_CONSTRUCTORS, 'engine')
OPTIMIZERS = _child(root.OPTIMIZERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS, 'engine')
LOG_PROCESSORS = _child(root.LOG_PROCESSORS, 'engine')
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, 'models')
EVALUATOR = _child(root.EVALUATOR, 'evaluation.metrics')
VISBACKENDS = _child(root.VISBACKENDS, 'visualization')


def registered_names(scope: str) -> frozenset[str]:
    """Names of all components of a library, in whichever registry.

    Unlike :meth:`Registry.get` this never imports what a name says, and so suits names from untrusted
    sources.

    Args:
        scope: The library: ``'mmpolar'``, ``'mmengine'`` or another one of OpenMMLab that has a
            module ``registry``; it is imported.

    Returns:
        The names, without the scope; none if the library is not installed.
    """
    # MMEngine's registries are filled by these, mmcv's components are in them too.
    modules = _ROOT_COMPONENTS if scope == 'mmengine' else (f'{scope}.registry',)
    for module in modules:
        try:
            import_module(module)
        # MMTracking refuses the versions of other libraries with an assertion.
        except (ImportError, AssertionError, AttributeError):
            return frozenset()
    names: set[str] = set()
    for parent in vars(root).values():
        registry = parent._search_child(scope) if isinstance(parent, root.Registry) else None
        if registry is not None:
            registry.import_from_location()
            names.update(registry.module_dict, getattr(registry, '_new_names', ()))
    return frozenset(names)


_ROOT_COMPONENTS = ('mmengine.runner', 'mmengine.visualization', 'mmcv.cnn', 'mmcv.transforms')

# Whatever trains or tests imports this module: from here on its checkpoints can be resumed.
register_safe_globals()
# Before anything of MMDetection but its registry is imported.
allow_uncompiled_operators()
