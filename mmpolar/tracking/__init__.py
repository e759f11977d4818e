"""The tracking algorithm, for any inference engine. Needs NumPy and OpenCV only."""

from mmpolar.tracking.engine import SearchMaps, TrackEngine
from mmpolar.tracking.mask_stage import MaskInputs, MaskMaps, MaskParams
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.tracker import SingleTargetTracker, Tracker

__all__ = [
    'MaskInputs',
    'MaskMaps',
    'MaskParams',
    'SearchMaps',
    'SingleTargetTracker',
    'TrackEngine',
    'TrackParams',
    'Tracker',
]
