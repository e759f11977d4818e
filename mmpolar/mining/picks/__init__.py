"""The picks of mining rounds: how they are selected, kept and published to data loader workers."""

from typing import TYPE_CHECKING, Any

from mmpolar.mining.picks.pick_history import Pick, PickHistory
from mmpolar.mining.picks.pick_rule import PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.picks.picked_round import PickedRound
from mmpolar.mining.picks.picker import Picker

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


def __getattr__(name: str) -> Any:
    """``MinedNegatives``, which lies in PyTorch's shared memory; all others need NumPy alone."""
    if name != 'MinedNegatives':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from mmpolar.mining.picks.mined_negatives import MinedNegatives

    return MinedNegatives
