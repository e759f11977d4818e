"""Hooks that a config names."""

from mmpolar.engine.hooks.backbone_unfreeze_hook import BackboneUnfreezeHook
from mmpolar.engine.hooks.track_visualization_hook import TrackVisualizationHook

__all__ = ['BackboneUnfreezeHook', 'TrackVisualizationHook']
