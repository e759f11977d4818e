from mmpolar.apis.multi_target_tracker import MultiTargetTracker
from mmpolar.apis.track_video import track_frames, track_targets
from mmpolar.apis.tracker import Tracker, init_tracker
from mmpolar.model_zoo import available_models

__all__ = [
    'MultiTargetTracker',
    'Tracker',
    'available_models',
    'init_tracker',
    'track_frames',
    'track_targets',
]
