"""The picks of mining rounds: how they are selected, kept and published to data loader workers."""

from mmpolar.mining.picks.mined_negatives import MinedNegatives
from mmpolar.mining.picks.pick_history import Pick, PickHistory
from mmpolar.mining.picks.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.picks.picked_round import PickedRound
from mmpolar.mining.picks.picker import Picker

__all__ = [
    'MinedNegatives',
    'Pick',
    'PickHistory',
    'PickRule',
    'PickedRound',
    'Picker',
    'hardest_first',
    'ranks_in',
    'shuffled',
]
