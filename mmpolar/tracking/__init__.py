"""The tracking algorithm, for any inference engine. Needs NumPy and OpenCV only."""

from mmpolar.tracking.engine import SearchMaps, TrackEngine
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.tracker import SingleTargetTracker, Tracker

__all__ = ['SearchMaps', 'SingleTargetTracker', 'TrackEngine', 'TrackParams', 'Tracker']
