"""Scores of the negatives of a pool, by the model in test mode."""

from mmpolar.mining.scoring.hardest_samples import HardestSamples, SampleDetections
from mmpolar.mining.scoring.lazy_scores import LazyScores
from mmpolar.mining.scoring.max_detection_score import MaxDetectionScore
from mmpolar.mining.scoring.max_track_score import MaxTrackScore
from mmpolar.mining.scoring.model_state import (
    common_buffers,
    ema_weights,
    find_ema_hook,
    prediction_mode,
)
from mmpolar.mining.scoring.pool_scorer import PoolScorer
from mmpolar.mining.scoring.score_pool import PoolScores, Scorer, build_pool_loader, score_pool

__all__ = [
    'HardestSamples',
    'LazyScores',
    'MaxDetectionScore',
    'MaxTrackScore',
    'PoolScorer',
    'PoolScores',
    'SampleDetections',
    'Scorer',
    'build_pool_loader',
    'common_buffers',
    'ema_weights',
    'find_ema_hook',
    'prediction_mode',
    'score_pool',
]
