"""Training with mined hard negatives: pool, scoring, picks, composites, review, hooks and reports.

The classes that a training uses need PyTorch and are imported when they are asked for, so that
candidates, scenes and decisions of reviewers work without. :mod:`mmpolar.mining.registered` imports
all that configs name.
"""

import sys
from importlib import import_module

from mmpolar.utils.lazy_names import lazy_names

#: Module of each class.
MODULES = {
    'Candidate': 'candidate',
    'CompositeDataset': 'composites.composite_dataset',
    'ConvergenceHook': 'convergence_hook',
    'GroupTrainLoop': 'group_train_loop',
    'HardNegativeMiningHook': 'hard_negative_mining_hook',
    'MaxDetectionScore': 'scoring.max_detection_score',
    'MaxTrackScore': 'scoring.max_track_score',
    'MinedNegatives': 'picks.mined_negatives',
    'MiningDataset': 'pool.negative_pool',
    'NegativePairDataset': 'pool.negative_pair_dataset',
    'OverlayComposite': 'composites.overlay_composite',
    'PairComposite': 'composites.pair_composite',
    'PickRule': 'picks.pick_rule',
    'RoundReport': 'reports.round_report',
    'Scorer': 'scoring.score_pool',
    'SeparateImages': 'composites.separate_images',
    'StitchComposite': 'composites.stitch_composite',
}
__all__ = list(MODULES)
__getattr__ = lazy_names(__name__, MODULES)

# Configs name classes that this import has always registered.
if 'mmengine' in sys.modules:
    import_module(f'{__name__}.registered')
