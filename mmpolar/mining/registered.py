"""Importing this registers all classes of mining that configs name."""

from mmpolar.mining import (
    composites,
    convergence_hook,
    group_train_loop,
    hard_negative_mining_hook,
    pool,
    scoring,
)

__all__ = [
    'composites',
    'convergence_hook',
    'group_train_loop',
    'hard_negative_mining_hook',
    'pool',
    'scoring',
]
