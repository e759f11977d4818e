"""The picks of mining rounds: how they are selected, kept and published to data loader workers."""

from typing import TYPE_CHECKING

from mmpolar.mining.picks.pick_history import Pick, PickHistory
from mmpolar.mining.picks.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.picks.picked_round import PickedRound
from mmpolar.mining.picks.picker import Picker
from mmpolar.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from mmpolar.mining.picks.mined_negatives import MinedNegatives

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

# It lies in PyTorch's shared memory; all others need NumPy alone.
__getattr__ = lazy_names(__name__, {'MinedNegatives': 'mined_negatives'})
