"""Reports of mining rounds."""

from mmpolar.mining.reports.false_alarm_sheet import draw_alarm_sheet, short_name
from mmpolar.mining.reports.round_report import INFO_KEY, RoundReport, score_quantiles
from mmpolar.mining.reports.round_reporter import RoundReporter
from mmpolar.mining.reports.round_review import RoundReview

__all__ = [
    'INFO_KEY',
    'RoundReport',
    'RoundReporter',
    'RoundReview',
    'draw_alarm_sheet',
    'score_quantiles',
    'short_name',
]
