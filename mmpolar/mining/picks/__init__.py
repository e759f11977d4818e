"""The picks of mining rounds: how they are selected, kept and published to data loader workers."""

from mmpolar.mining.picks.mined_negatives import MinedNegatives
from mmpolar.mining.picks.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.picks.picked_round import PickedRound

__all__ = [
    'MinedNegatives',
    'PickRule',
    'PickedRound',
    'hardest_first',
    'ranks_in',
    'shuffled',
]
