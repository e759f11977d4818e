"""Overlays, contact sheets, videos and training curves."""

from mmpolar.visualization.curves import plot_training_curves, read_training_curves
from mmpolar.visualization.draw import (
    GROUND_TRUTH_COLOR,
    PREDICTION_COLOR,
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_outline,
    draw_polygon,
    draw_result,
    fit_to_size,
)
from mmpolar.visualization.video_writer import VideoWriter

__all__ = [
    'GROUND_TRUTH_COLOR',
    'PREDICTION_COLOR',
    'VideoWriter',
    'contact_sheet',
    'draw_box',
    'draw_mask',
    'draw_mask_outline',
    'draw_polygon',
    'draw_result',
    'fit_to_size',
    'plot_training_curves',
    'read_training_curves',
]
