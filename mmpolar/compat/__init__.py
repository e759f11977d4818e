"""What exists only because of the versions of other libraries, one file each."""

from typing import Any

from mmpolar.utils.deprecation import moved_names

__all__ = ['MMTrackingBridge']

_moved = moved_names(__name__, {'register_safe_globals': 'mmpolar.utils.checkpoints'})


def __getattr__(name: str) -> Any:
    # When it is asked for: it needs MMEngine, and the runtime, which does not, imports its sibling.
    if name == 'MMTrackingBridge':
        from mmpolar.compat.mmtracking import MMTrackingBridge

        return MMTrackingBridge
    return _moved(name)
