"""Metrics that a config names."""

from mmpolar.evaluation.metrics.davis_metric import DavisMetric
from mmpolar.evaluation.metrics.dump_submission import DumpSubmission
from mmpolar.evaluation.metrics.dump_track_results import DumpTrackResults
from mmpolar.evaluation.metrics.got10k_metric import GOT10kMetric
from mmpolar.evaluation.metrics.image_level_metric import ImageLevelMetric
from mmpolar.evaluation.metrics.long_term_metric import LongTermMetric
from mmpolar.evaluation.metrics.ope_metric import OPEMetric
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.metrics.speed_metric import SpeedMetric
from mmpolar.evaluation.metrics.track_seg_metric import TrackSegMetric
from mmpolar.evaluation.metrics.video_level_metric import VideoLevelMetric
from mmpolar.evaluation.metrics.vot_metric import VOTMetric

__all__ = [
    'DavisMetric',
    'DumpSubmission',
    'DumpTrackResults',
    'GOT10kMetric',
    'ImageLevelMetric',
    'LongTermMetric',
    'OPEMetric',
    'SequenceMetric',
    'SpeedMetric',
    'TrackSegMetric',
    'VOTMetric',
    'VideoLevelMetric',
]
