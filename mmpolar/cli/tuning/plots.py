"""The plot of a study, made of Optuna's own plots."""

import io
import os
from collections.abc import Sequence

import cv2
import numpy as np
import optuna
from matplotlib import pyplot, rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray
from optuna.importance import FanovaImportanceEvaluator
from optuna.visualization import matplotlib as plots

from mmpolar.utils.image import write_image

_PANEL_INCHES = (3.6, 3.2)
_WHITE = (255, 255, 255)


def plot_study(
    study: optuna.Study,
    names: Sequence[str],
    with_importance: bool,
    value_name: str,
    out: str | os.PathLike,
) -> None:
    """Write an image of the history, the importance of the named parameters, and the value over each.

    Args:
        study: The study, with at least one trial that went to the end.
        names: The tuned parameters.
        with_importance: Whether there are trials enough to tell it.
        value_name: What is tuned for.
        out: Image to write; its folder is made.
    """
    with rc_context():
        rows = [_render(plots.plot_optimization_history(study, target_name=value_name), 3)]
        if with_importance:
            options = dict(evaluator=FanovaImportanceEvaluator(seed=0), params=list(names))
            axis = plots.plot_param_importances(study, target_name=value_name, **options)
            rows.append(_render(axis, 3))
        slices = plots.plot_slice(study, list(names), target_name=value_name)
        rows.append(_render(slices, max(2, len(names))))
    margins = max(row.shape[1] for row in rows) - np.array([row.shape[1] for row in rows])
    rows = [
        cv2.copyMakeBorder(row, 0, 0, 0, margin, cv2.BORDER_CONSTANT, value=_WHITE)
        for row, margin in zip(rows, margins.tolist(), strict=True)
    ]
    write_image(out, np.vstack(rows))


def _render(axes: Axes | NDArray, panels: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3), BGR, of a plot that is as wide as so many panels; the plot is closed."""
    figure = np.ravel(axes)[0].figure
    width, height = _PANEL_INCHES
    figure.set_size_inches(width * panels, height)
    png = io.BytesIO()
    # Legends and colour bars stand outside of the axes; Optuna leaves them no room.
    figure.savefig(png, dpi=120, bbox_inches='tight')
    pyplot.close(figure)
    return cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), cv2.IMREAD_COLOR)
