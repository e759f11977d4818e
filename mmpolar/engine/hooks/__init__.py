"""Hooks that a config names."""

from mmpolar.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmpolar.engine.hooks.backbone_unfreeze_hook import BackboneUnfreezeHook
from mmpolar.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmpolar.engine.hooks.freeze_modules_hook import FreezeModulesHook
from mmpolar.engine.hooks.track_visualization_hook import TrackVisualizationHook
from mmpolar.engine.hooks.training_guard_hook import TrainingFailedError, TrainingGuardHook
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'AtomicCheckpointHook',
    'BackboneUnfreezeHook',
    'EpochSeedHook',
    'FreezeModulesHook',
    'TrackVisualizationHook',
    'TrainingFailedError',
    'TrainingGuardHook',
]

__getattr__ = moved_names(
    __name__, dict.fromkeys(('ConvergenceHook', 'HardNegativeMiningHook'), 'mmpolar.mining')
)
