"""Curves of several trackers side by side, each with its mean in the legend."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpolar.utils.atomic_write import atomic_path

_PANEL_INCHES = (5.0, 4.3)
_COLORS = colormaps['tab10'].colors
#: Ten trackers have a colour each; the next ten the same colours with another line.
_LINE_STYLES = ('-', '--', ':', '-.')


@dataclass(frozen=True)
class ResultCurve:
    """One tracker in one panel.

    Attributes:
        name: Name of the tracker, the same in all panels.
        summary: The value that sums the curve up, in [0, 1]; the legend is sorted by it.
        y: (N,) values at the panel's ``x``, in [0, 1].
    """

    name: str
    summary: float
    y: np.ndarray


@dataclass(frozen=True)
class ResultPanel:
    """One plot.

    Attributes:
        title: What is shown and what the value in the legend is.
        x_label: Quantity on the x axis.
        y_label: Quantity on the y axis.
        x: (N,) where the curves have values.
        curves: The trackers that have this curve.
        mark: Value of ``x`` at which the value is read off; None where it is a mean.
    """

    title: str
    x_label: str
    y_label: str
    x: np.ndarray
    curves: Sequence[ResultCurve]
    mark: float | None = None


def plot_results(
    panels: Sequence[ResultPanel], out: str | os.PathLike, columns: int = 3, title: str = ''
) -> None:
    """Draw panels into one image; a tracker has one colour in all of them.

    Args:
        panels: The plots, at least one, each with at least one curve.
        out: Image to write, in a format that Matplotlib knows (.png, .pdf, .svg); its folder is
            made.
        columns: Panels in a row, at least 1.
        title: Heading of the image.

    Raises:
        ValueError: If there is no panel, or one has no curve.
    """
    if not panels or not all(panel.curves for panel in panels):
        raise ValueError('there is no curve to draw')
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * columns, height * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    names = dict.fromkeys(curve.name for panel in panels for curve in panel.curves)
    styles = {name: _style(number) for number, name in enumerate(names)}
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, styles)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    if title:
        figure.suptitle(title)
    with atomic_path(out, Path(out).suffix) as unfinished:
        figure.savefig(unfinished, dpi=120)


def _style(number: int) -> dict:
    line = _LINE_STYLES[number // len(_COLORS) % len(_LINE_STYLES)]
    return dict(color=_COLORS[number % len(_COLORS)], linestyle=line)


def _draw(axis: Axes, panel: ResultPanel, styles: dict[str, dict]) -> None:
    # NaN, which compares with nothing, goes last.
    ranked = sorted(
        panel.curves, key=lambda curve: -math.inf if math.isnan(curve.summary) else curve.summary
    )
    for curve in reversed(ranked):
        label = f'{curve.name} [{_three_digits(curve.summary)}]'
        axis.plot(panel.x, curve.y, label=label, lw=1.8, **styles[curve.name])
    if panel.mark is not None:
        axis.axvline(panel.mark, color='0.4', lw=0.8, ls=(0, (4, 3)))
    axis.set_title(panel.title, fontsize='medium')
    axis.set_xlabel(panel.x_label)
    axis.set_ylabel(panel.y_label)
    axis.set_xlim(panel.x.min(), panel.x.max())
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.3)
    axis.legend(fontsize='small', loc='best')


def _three_digits(value: float) -> str:
    """A share as the field prints it, without the zero before the point."""
    return '-' if math.isnan(value) else f'{value:.3f}'.removeprefix('0')
