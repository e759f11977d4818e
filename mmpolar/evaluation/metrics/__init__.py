"""Metrics that a config names."""

from mmpolar.evaluation.metrics.dump_track_results import DumpTrackResults
from mmpolar.evaluation.metrics.image_level_metric import ImageLevelMetric
from mmpolar.evaluation.metrics.track_seg_metric import TrackSegMetric

__all__ = ['DumpTrackResults', 'ImageLevelMetric', 'TrackSegMetric']
