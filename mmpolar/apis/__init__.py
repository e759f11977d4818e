from mmpolar.apis.track_video import track_frames
from mmpolar.apis.tracker import Tracker, init_tracker

__all__ = ['Tracker', 'init_tracker', 'track_frames']
