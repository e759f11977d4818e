"""Reports of mining rounds."""

from mmpolar.mining.reports.false_alarm_sheet import draw_alarm_sheet, short_name
from mmpolar.mining.reports.round_report import Pick, RoundReport, score_quantiles

__all__ = [
    'Pick',
    'RoundReport',
    'draw_alarm_sheet',
    'score_quantiles',
    'short_name',
]
