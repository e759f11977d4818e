"""Training with mined hard negatives: pool, scoring, picks, composites, hooks and reports."""

from mmpolar.mining.composites import (
    CompositeDataset,
    OverlayComposite,
    PairComposite,
    StitchComposite,
)
from mmpolar.mining.convergence_hook import ConvergenceHook
from mmpolar.mining.group_train_loop import GroupTrainLoop
from mmpolar.mining.hard_negative_mining_hook import HardNegativeMiningHook
from mmpolar.mining.picks import MinedNegatives, PickRule
from mmpolar.mining.pool import MiningDataset, NegativePairDataset
from mmpolar.mining.reports import RoundReport
from mmpolar.mining.scoring import MaxDetectionScore, MaxTrackScore, Scorer

__all__ = [
    'CompositeDataset',
    'ConvergenceHook',
    'GroupTrainLoop',
    'HardNegativeMiningHook',
    'MaxDetectionScore',
    'MaxTrackScore',
    'MinedNegatives',
    'MiningDataset',
    'NegativePairDataset',
    'OverlayComposite',
    'PairComposite',
    'PickRule',
    'RoundReport',
    'Scorer',
    'StitchComposite',
]
