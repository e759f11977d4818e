"""MMTracking 1.0.0rc1 beside newer releases of MMCV, MMDetection and NumPy.

MMTracking's last release refuses to be imported with them. :class:`MMTrackingBridge` gets over
that in one Python program; ``python -m mmpolar.compat.mmtracking COMMAND ...`` in a command and
every Python it starts. Nothing happens unless one of the two is asked for.
"""

from mmpolar.compat.mmtracking.bridge import MMTrackingBridge

__all__ = ['MMTrackingBridge']
