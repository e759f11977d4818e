"""Modules that were moved, old name to new; the old ones can be imported for one release.

A value is the new module, or, where the names of the old one are in several now, a dictionary of
each public name and its module (``'module:new_name'`` where the name is another one too).
"""

from mmpolar.utils.deprecation import NewPlace

MOVED_MODULES: dict[str, NewPlace] = {
    'mmpolar.datasets.composite_dataset': 'mmpolar.mining.composites.composite_dataset',
    'mmpolar.datasets.mined_negatives': 'mmpolar.mining.picks.mined_negatives',
    'mmpolar.datasets.negative_pair_dataset': 'mmpolar.mining.pool.negative_pair_dataset',
    'mmpolar.datasets.transforms.compositing': 'mmpolar.mining.composites.layers',
    'mmpolar.datasets.transforms.fill_outside': 'mmpolar.mining.composites.fill_outside',
    'mmpolar.datasets.transforms.overlay_composite': 'mmpolar.mining.composites.overlay_composite',
    'mmpolar.datasets.transforms.pair_composite': 'mmpolar.mining.composites.pair_composite',
    'mmpolar.datasets.transforms.stitch_composite': 'mmpolar.mining.composites.stitch_composite',
    'mmpolar.engine.hooks.convergence_hook': 'mmpolar.mining.convergence_hook',
    'mmpolar.engine.hooks.hard_negative_mining_hook': 'mmpolar.mining.hard_negative_mining_hook',
    'mmpolar.engine.loops': {'GroupTrainLoop': 'mmpolar.mining'},
    'mmpolar.engine.mining': {
        'HardestSamples': 'mmpolar.mining.scoring',
        'MiningDataset': 'mmpolar.mining',
        'Pick': 'mmpolar.mining.reports',
        'PickRule': 'mmpolar.mining',
        'PickedRound': 'mmpolar.mining.picks',
        'PoolScores': 'mmpolar.mining.scoring',
        'RoundReport': 'mmpolar.mining',
        'SampleDetections': 'mmpolar.mining.scoring',
        'Scorer': 'mmpolar.mining',
        'build_pool_loader': 'mmpolar.mining.scoring',
        'common_buffers': 'mmpolar.mining.scoring',
        'default_test_pipeline': 'mmpolar.mining.pool',
        'draw_alarm_sheet': 'mmpolar.mining.reports',
        'ema_weights': 'mmpolar.mining.scoring',
        'find_ema_hook': 'mmpolar.mining.scoring',
        'find_mining_dataset': 'mmpolar.mining.pool',
        'hardest_first': 'mmpolar.mining.picks',
        'kept_random_state': 'mmpolar.utils.random_state',
        'on_all_ranks': 'mmpolar.mining.all_ranks',
        'prediction_mode': 'mmpolar.mining.scoring',
        'ranks_in': 'mmpolar.mining.picks',
        'score_pool': 'mmpolar.mining.scoring',
        'score_quantiles': 'mmpolar.mining.reports',
        'short_name': 'mmpolar.mining.reports',
        'shuffled': 'mmpolar.mining.picks',
        'some_of': 'mmpolar.mining.reports',
        'with_pipeline': 'mmpolar.mining.pool',
    },
    'mmpolar.models.task_modules': {
        'MaxDetectionScore': 'mmpolar.mining',
        'MaxTrackScore': 'mmpolar.mining',
    },
}
