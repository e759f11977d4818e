"""Review of false alarms by people: a page for each round, and the decisions that come back.

Without PyTorch and OpenMMLab.
"""

from mmpolar.mining.review.decision import FALSE_ALARM, IGNORE, TARGET, UNDECIDED, Decision
from mmpolar.mining.review.decision_file import add_decisions, read_decisions, write_decisions
from mmpolar.mining.review.review_page import Alarm, split_review_page, write_review_page
from mmpolar.mining.review.reviewed_targets import write_targets

__all__ = [
    'FALSE_ALARM',
    'IGNORE',
    'TARGET',
    'UNDECIDED',
    'Alarm',
    'Decision',
    'add_decisions',
    'read_decisions',
    'split_review_page',
    'write_decisions',
    'write_review_page',
    'write_targets',
]
