from mmpolar.apis.inference import init_engine, init_tracker
from mmpolar.apis.track_video import track_frames, track_targets
from mmpolar.model_zoo import available_models
from mmpolar.utils.deprecation import moved_names

__all__ = ['available_models', 'init_engine', 'init_tracker', 'track_frames', 'track_targets']
__getattr__ = moved_names(
    __name__,
    {
        'MultiTargetTracker': 'mmpolar.apis.old_trackers',
        'Tracker': 'mmpolar.apis.old_trackers',
    },
)
