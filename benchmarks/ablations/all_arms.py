"""All arms of the ablation."""

from benchmarks.ablations.arms import TRACKER_ARMS, Arm, leave
from benchmarks.ablations.mask_stage_arms import MASK_STAGE_ARMS

_BASE = Arm('base', 'The config as it is: what all others are compared with.', (leave,), None)
#: Name of the arm that the others are compared with.
BASE = _BASE.name
#: All arms by name, the base first.
ARMS = {arm.name: arm for arm in (_BASE, *TRACKER_ARMS, *MASK_STAGE_ARMS)}
