"""What exists only because of the versions of other libraries, one file each."""

from mmpolar.compat.mmtracking import MMTrackingBridge
from mmpolar.utils.deprecation import moved_names

__all__ = ['MMTrackingBridge']

__getattr__ = moved_names(__name__, {'register_safe_globals': 'mmpolar.utils.checkpoints'})
