"""Parts of a model's surroundings that a config chooses."""

from mmpolar.models.task_modules.max_detection_score import MaxDetectionScore
from mmpolar.models.task_modules.max_track_score import MaxTrackScore

__all__ = ['MaxDetectionScore', 'MaxTrackScore']
