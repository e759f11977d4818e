"""Registries of mmpolar: children of MMEngine's root registries.

Each one names the package that holds its components (``locations``), so that a config whose
``default_scope`` is ``'mmpolar'`` needs no imports of its own. MMDetection's registries are made
known too: ``type='mmdet.ResNet'`` works anywhere a component is named.
"""

import mmdet.registry  # noqa: F401  (registers the scope 'mmdet')
from mmengine import registry as root

from mmpolar.compat import register_safe_globals


def _child(parent: root.Registry, location: str) -> root.Registry:
    return root.Registry(
        parent.name, parent=parent, scope='mmpolar', locations=[f'mmpolar.{location}']
    )


MODELS = _child(root.MODELS, 'models')
TASK_UTILS = _child(root.TASK_UTILS, 'models')
DATASETS = _child(root.DATASETS, 'datasets')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(root.TRANSFORMS, 'datasets')
HOOKS = _child(root.HOOKS, 'engine')
LOOPS = _child(root.LOOPS, 'engine')
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

# Whatever trains or tests imports this module: from here on its checkpoints can be resumed.
register_safe_globals()
