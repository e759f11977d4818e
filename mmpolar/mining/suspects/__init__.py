"""Suspects: negatives that may show a target, and are not trained on until somebody has looked.

Without PyTorch and OpenMMLab.
"""

from mmpolar.mining.suspects.neighbours import among_positives
from mmpolar.mining.suspects.suspect_log import SuspectLog
from mmpolar.mining.suspects.suspect_rule import SuspectRule
from mmpolar.mining.suspects.track_check import TrackCheck

__all__ = ['SuspectLog', 'SuspectRule', 'TrackCheck', 'among_positives']
