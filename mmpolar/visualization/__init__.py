"""Overlays, contact sheets, videos, training curves and precision-recall curves."""

from mmpolar.utils.deprecation import moved_names
from mmpolar.utils.lazy_names import lazy_names
from mmpolar.visualization.draw import (
    GROUND_TRUTH_COLOR,
    PREDICTION_COLOR,
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
    draw_result,
    draw_results,
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
    'draw_mask_contour',
    'draw_polygon',
    'draw_result',
    'draw_results',
    'fit_to_size',
    'plot_pr_curves',
    'plot_results',
    'plot_training_curves',
    'plot_video_curves',
    'read_training_curves',
]

# Matplotlib is loaded with the first plot: the runtime draws its overlays without it.
_PLOTS = {
    'plot_pr_curves': 'pr_curves',
    'plot_results': 'result_plots',
    'plot_training_curves': 'curves',
    'plot_video_curves': 'video_curves',
    'read_training_curves': 'curves',
}

_old_name = moved_names(__name__, {'draw_mask_outline': 'mmpolar.visualization:draw_mask_contour'})
__getattr__ = lazy_names(__name__, _PLOTS, _old_name)
