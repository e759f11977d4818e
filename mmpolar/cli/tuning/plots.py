"""The plot of a study, made of Optuna's own plots."""

import io
import os
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import optuna
from matplotlib import pyplot, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from optuna.importance import FanovaImportanceEvaluator
from optuna.visualization import matplotlib as plots

from mmpolar.utils.image import write_image

_PANEL_INCHES = (3.6, 3.2)
_DPI = 120
_WHITE = (255, 255, 255)


def plot_study(
    study: optuna.Study,
    names: Sequence[str],
    shares: Mapping[str, float],
    value_name: str,
    out: str | os.PathLike,
) -> None:
    """Draw the history, the importance of the parameters if known, and the value over each of them.

    Args:
        study: The study, with at least one trial that went to the end.
        names: The tuned parameters.
        shares: Importance by parameter; empty if it is not known.
        value_name: What is tuned for.
        out: Image to write; its folder is made.
    """
    names = list(names)
    with rc_context():
        rows = [
            _render(plots.plot_optimization_history(study, target_name=value_name), 3),
            _render(plots.plot_slice(study, names, target_name=value_name), max(2, len(names))),
        ]
        if shares:
            evaluator = FanovaImportanceEvaluator(seed=0)
            axis = plots.plot_param_importances(study, evaluator, names, target_name=value_name)
            rows.insert(1, _render(axis, 3))
    width = max(row.shape[1] for row in rows)
    rows = [
        cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=_WHITE)
        for row in rows
    ]
    write_image(out, np.vstack(rows))


def _render(axes: Axes | NDArray, panels: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3), BGR, of a plot that is as wide as so many panels; the plot is closed."""
    figure = np.ravel(axes)[0].figure
    width, height = _PANEL_INCHES
    figure.set_size_inches(width * panels, height)
    png = io.BytesIO()
    # Legends and colour bars stand outside of the axes; Optuna leaves them no room.
    FigureCanvasAgg(figure).print_figure(png, dpi=_DPI, bbox_inches='tight')
    pyplot.close(figure)
    return cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), cv2.IMREAD_COLOR)
