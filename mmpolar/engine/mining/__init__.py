"""What a mining round is made of: the pool, its scores, the picks and the report."""

from mmpolar.engine.mining.alarm_sheet import draw_alarm_sheet, short_name
from mmpolar.engine.mining.all_ranks import on_all_ranks
from mmpolar.engine.mining.hardest_samples import HardestSamples, SampleDetections
from mmpolar.engine.mining.kept_state import (
    common_buffers,
    ema_weights,
    find_ema_hook,
    prediction_mode,
)
from mmpolar.engine.mining.negative_pool import (
    MiningDataset,
    default_test_pipeline,
    find_mining_dataset,
    with_pipeline,
)
from mmpolar.engine.mining.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.engine.mining.picked_round import PickedRound
from mmpolar.engine.mining.round_report import Pick, RoundReport, score_quantiles, some_of
from mmpolar.engine.mining.score_pool import PoolScores, Scorer, build_pool_loader, score_pool
from mmpolar.utils.random_state import kept_random_state

__all__ = [
    'HardestSamples',
    'MiningDataset',
    'Pick',
    'PickRule',
    'PickedRound',
    'PoolScores',
    'RoundReport',
    'SampleDetections',
    'Scorer',
    'build_pool_loader',
    'common_buffers',
    'default_test_pipeline',
    'draw_alarm_sheet',
    'ema_weights',
    'find_ema_hook',
    'find_mining_dataset',
    'hardest_first',
    'kept_random_state',
    'on_all_ranks',
    'prediction_mode',
    'ranks_in',
    'score_pool',
    'score_quantiles',
    'short_name',
    'shuffled',
    'some_of',
    'with_pipeline',
]
