"""Precision-recall curves of image-level decisions, with the false alarms that they cost."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmpolar.evaluation.functional import OperatingPoint, PRCurve
from mmpolar.utils.atomic_write import atomic_path

_FIGURE_INCHES = (11.0, 4.6)
_MAX_ALARMS = 10_000
#: Markers of points, in their order.
MARKERS = 'osD^vP*X'


def plot_pr_curves(
    curves: Mapping[str, PRCurve],
    out: str | os.PathLike,
    marks: Mapping[str, OperatingPoint] | None = None,
) -> None:
    """Draw precision, and false alarms per 10,000 negatives, over recall.

    Args:
        curves: Name of a model to its curve, at least one; an only one may have the name ''.
        out: Image to write, .png; its folder is made.
        marks: Name of a point to the point, each marked in both panels.

    Raises:
        ValueError: If there is no curve.
    """
    with two_panels(curves, out) as (precision_axis, alarm_axis):
        for name, curve in curves.items():
            draw_steps(precision_axis, curve.recall, curve.precision, name)
            draw_steps(alarm_axis, curve.recall, curve.false_alarms_per_10k, name)
        for marker, (name, point) in zip(cycle(MARKERS), (marks or {}).items(), strict=False):
            style = dict(
                marker=marker, ls='', ms=7, mfc='none', mew=1.6, label=name, zorder=3, clip_on=False
            )
            precision_axis.plot(point.recall, point.precision, **style)
            alarm_axis.plot(point.recall, point.false_alarms_per_10k, **style)
        label_axis(precision_axis, 'precision')
        precision_axis.set_ylim(0, 1.02)
        label_axis(alarm_axis, 'false alarms per 10,000 negatives')
        # Logarithmic, yet with room for none at all.
        alarm_axis.set_yscale('symlog', linthresh=1)
        alarm_axis.set_ylim(0, _MAX_ALARMS * 1.2)


@contextmanager
def two_panels(curves: Mapping[str, Any], out: str | os.PathLike) -> Iterator[NDArray]:
    """Axes of two panels side by side, (2,), for curves by name; what was drawn is written at the end.

    Args:
        curves: The curves.
        out: Image to write; its folder is made.

    Raises:
        ValueError: If there is no curve.
    """
    if not curves:
        raise ValueError('there is no curve to draw')
    figure = Figure(figsize=_FIGURE_INCHES, layout='constrained')
    axes = figure.subplots(1, 2, sharex=True)
    yield axes
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, fontsize='small', loc='outside right upper')
    with atomic_path(out, Path(out).suffix) as unfinished:
        figure.savefig(unfinished, dpi=120)


def draw_steps(axis: Axes, recall: np.ndarray, values: np.ndarray, name: str) -> None:
    """Draw values over recall, both (P,), as steps; '' is a curve without a name."""
    # A value holds over the step that leads to its recall, as average precision counts it.
    axis.step([0.0, *recall], [values[0], *values], where='pre', label=name or None)


def label_axis(axis: Axes, quantity: str) -> None:
    """Name what a panel shows over recall."""
    axis.set_xlabel('recall')
    axis.set_ylabel(quantity)
    axis.set_xlim(0, 1.02)
    axis.grid(alpha=0.3)
