"""What exists only because of the versions of other libraries, one file each."""

from mmpolar.compat.mmtracking import MMTrackingBridge
from mmpolar.compat.safe_load import register_safe_globals

__all__ = ['MMTrackingBridge', 'register_safe_globals']
