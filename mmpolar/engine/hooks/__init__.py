"""Hooks that a config names."""

from mmpolar.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmpolar.engine.hooks.backbone_unfreeze_hook import BackboneUnfreezeHook
from mmpolar.engine.hooks.convergence_hook import ConvergenceHook
from mmpolar.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmpolar.engine.hooks.freeze_modules_hook import FreezeModulesHook
from mmpolar.engine.hooks.hard_negative_mining_hook import HardNegativeMiningHook
from mmpolar.engine.hooks.track_visualization_hook import TrackVisualizationHook

__all__ = [
    'AtomicCheckpointHook',
    'BackboneUnfreezeHook',
    'ConvergenceHook',
    'EpochSeedHook',
    'FreezeModulesHook',
    'HardNegativeMiningHook',
    'TrackVisualizationHook',
]
