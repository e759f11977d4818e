"""What runs around the model: hooks of the training and test loops, optimizer wrappers."""

from mmpolar.engine.hooks import BackboneUnfreezeHook, TrackVisualizationHook
from mmpolar.engine.optim_wrappers import Bfloat16OptimWrapper

__all__ = ['BackboneUnfreezeHook', 'Bfloat16OptimWrapper', 'TrackVisualizationHook']
