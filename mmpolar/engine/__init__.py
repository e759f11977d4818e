"""What runs around the model: hooks of the training and test loops, optimizer wrappers."""

from mmpolar.engine.hooks import (
    AtomicCheckpointHook,
    BackboneUnfreezeHook,
    ConvergenceHook,
    FreezeModulesHook,
    HardNegativeMiningHook,
    TrackVisualizationHook,
)
from mmpolar.engine.loops import GroupTrainLoop
from mmpolar.engine.optim_wrappers import Bfloat16OptimWrapper
from mmpolar.utils.atomic_local_backend import AtomicLocalBackend

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'BackboneUnfreezeHook',
    'Bfloat16OptimWrapper',
    'ConvergenceHook',
    'FreezeModulesHook',
    'GroupTrainLoop',
    'HardNegativeMiningHook',
    'TrackVisualizationHook',
]
