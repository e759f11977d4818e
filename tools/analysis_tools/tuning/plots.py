"""Pictures of a study."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from tuning.objective import BASELINE
from tuning.study import FINISHED

_PANEL_INCHES = (3.6, 3.2)
_COLUMNS = 3
_COMPLETE, _PRUNED, _BEST, _BASELINE = 'tab:blue', '0.7', 'tab:orange', 'tab:green'


def plot_study(
    study: optuna.Study,
    names: Sequence[str],
    shares: Mapping[str, float],
    figure_name: str,
    out: str | os.PathLike,
) -> None:
    """Draw the history, the importance of the parameters, and the figure over each of them.

    Args:
        study: The study, with at least one trial that ended.
        names: The tuned parameters.
        shares: Importance by parameter; empty if it is not known.
        figure_name: What is tuned for.
        out: Picture to write; its folder is made.
    """
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    width, height = _PANEL_INCHES
    rows = 1 + -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(width * _COLUMNS, height * rows), layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, _COLUMNS)
    _draw_history(figure.add_subplot(grid[0, :2]), trials, figure_name)
    _draw_importance(figure.add_subplot(grid[0, 2]), shares)
    for number, name in enumerate(names):
        axis = figure.add_subplot(grid[1 + number // _COLUMNS, number % _COLUMNS])
        _draw_parameter(axis, trials, name, figure_name)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def _draw_history(axis: Axes, trials: Sequence[FrozenTrial], figure_name: str) -> None:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    pruned = [trial.number for trial in trials if trial.state == TrialState.PRUNED]
    _mark_pruned(axis, pruned, 'given up')
    numbers, values = [t.number for t in complete], [t.value for t in complete]
    axis.scatter(numbers, values, s=16, color=_COMPLETE, label='to the end', zorder=2)
    axis.step(
        numbers, np.maximum.accumulate(values), where='post', color=_BEST, lw=1.8,
        label='best so far',
    )  # fmt: skip
    for trial in complete:
        if trial.user_attrs.get(BASELINE):
            axis.axhline(trial.value, color=_BASELINE, lw=1.2, ls='--', label="the config's values")
            break
    axis.set_xlabel('trial')
    axis.set_ylabel(figure_name)
    axis.set_title('history', fontsize='medium')
    axis.grid(alpha=0.3)
    axis.legend(fontsize='small', loc='lower right')


def _draw_importance(axis: Axes, shares: Mapping[str, float]) -> None:
    axis.set_title('importance (fANOVA)', fontsize='medium')
    if not shares:
        axis.set_axis_off()
        axis.text(0.5, 0.5, 'too few different trials', ha='center', transform=axis.transAxes)
        return
    ranked = sorted(shares, key=shares.get)
    axis.barh(ranked, [shares[name] for name in ranked], color=_COMPLETE, alpha=0.45)
    for row, name in enumerate(ranked):
        axis.annotate(
            f'{name}  {shares[name]:.2f}', (0, row), (4, 0), textcoords='offset points',
            va='center', fontsize='small',
        )  # fmt: skip
    axis.set_yticks([])
    axis.set_xlim(0, 1)


def _draw_parameter(axis: Axes, trials: Sequence[FrozenTrial], name: str, figure_name: str) -> None:
    known = [trial for trial in trials if name in trial.params]
    pruned = [trial.params[name] for trial in known if trial.state == TrialState.PRUNED]
    _mark_pruned(axis, pruned)
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    values = [trial.value for trial in complete]
    axis.scatter([t.params[name] for t in complete], values, s=16, color=_COMPLETE, zorder=2)
    if complete:
        best = max(complete, key=lambda trial: trial.value)
        axis.axvline(best.params[name], color=_BEST, lw=1.2)
    axis.set_xlabel(name)
    axis.set_ylabel(figure_name)
    axis.grid(alpha=0.3)


def _mark_pruned(axis: Axes, x: Sequence[float], label: str | None = None) -> None:
    """Crosses at the lower edge: figures of a part of the videos do not compare with others."""
    if x:
        axis.scatter(
            x, [0.02] * len(x), s=16, color=_PRUNED, marker='x', label=label, zorder=2,
            transform=axis.get_xaxis_transform(),
        )  # fmt: skip
