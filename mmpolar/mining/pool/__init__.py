"""The pool of negatives: where it is in the training data, and how it is read for scoring."""

from mmpolar.mining.pool.negative_pair_dataset import NegativePairDataset
from mmpolar.mining.pool.negative_pool import (
    MiningDataset,
    NegativePool,
    default_test_pipeline,
    find_mining_dataset,
    with_pipeline,
)

__all__ = [
    'MiningDataset',
    'NegativePairDataset',
    'NegativePool',
    'default_test_pipeline',
    'find_mining_dataset',
    'with_pipeline',
]
