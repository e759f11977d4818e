"""What runs around the model: hooks of the training and test loops, optimizer wrappers."""

from mmpolar.engine.hooks import (
    AtomicCheckpointHook,
    BackboneUnfreezeHook,
    FreezeModulesHook,
    TrackVisualizationHook,
    TrainingFailedError,
    TrainingGuardHook,
)
from mmpolar.engine.optim_wrappers import Bfloat16OptimWrapper
from mmpolar.utils.atomic_local_backend import AtomicLocalBackend
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'BackboneUnfreezeHook',
    'Bfloat16OptimWrapper',
    'FreezeModulesHook',
    'TrackVisualizationHook',
    'TrainingFailedError',
    'TrainingGuardHook',
]

__getattr__ = moved_names(
    __name__,
    dict.fromkeys(
        ('ConvergenceHook', 'GroupTrainLoop', 'HardNegativeMiningHook'), 'mmpolar.mining'
    ),
)
