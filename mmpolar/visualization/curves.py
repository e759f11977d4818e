"""Training curves from MMEngine's scalar logs."""

import json
import math
import os
from collections import defaultdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpolar.utils.atomic_write import atomic_path

# What MMEngine writes beside the metrics of a validation.
_NOT_METRICS = frozenset({'data_time', 'time', 'step', 'epoch', 'memory'})
_PANEL_INCHES = (9.0, 4.0)

Curves = dict[str, list[tuple[int, float]]]


def plot_training_curves(log: str | os.PathLike, out: str | os.PathLike) -> None:
    """Draw the loss terms and the validation metrics of a training run over its iterations.

    Args:
        log: The file ``vis_data/scalars.json`` that MMEngine writes in the work directory.
        out: Image to write, .png; its folder is made.

    Raises:
        FileNotFoundError: If there is no such log.
        ValueError: If a line of the log is not JSON, or it holds neither losses nor metrics.
    """
    losses, metrics = read_training_curves(log)
    panels = [
        (title, curves)
        for title, curves in (('training loss', losses), ('validation', metrics))
        if curves
    ]
    if not panels:
        raise ValueError(f'log {log} holds neither losses nor validation metrics yet')
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width, height * len(panels)), layout='constrained')
    axes = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    for axis, (title, curves) in zip(axes, panels, strict=True):
        _draw_panel(axis, title, curves)
    axes[-1].set_xlabel('iteration')
    with atomic_path(out, Path(out).suffix) as unfinished:
        figure.savefig(unfinished, dpi=120)


def read_training_curves(log: str | os.PathLike) -> tuple[Curves, Curves]:
    """Read the loss terms and the validation metrics of a training run.

    A validation is placed at the last iteration that was logged before it, or at its own step where
    that is later (MMEngine writes the epoch or the iteration there, as configured). An unfinished
    last line, of a run that is still writing, is left out.

    Args:
        log: The file ``vis_data/scalars.json`` that MMEngine writes in the work directory.

    Returns:
        Losses and metrics: name to a list of (iteration, value). Values that are not finite are
        left out.

    Raises:
        FileNotFoundError: If there is no such log.
        ValueError: If a line of the log is not a JSON object.
    """
    losses, metrics = defaultdict(list), defaultdict(list)
    iteration = 0
    for record in _read_records(Path(log)):
        is_training = 'iter' in record
        iteration = max(iteration, int(record['iter' if is_training else 'step']))
        curves = losses if is_training else metrics
        for name, value in record.items():
            wanted = 'loss' in name if is_training else name not in _NOT_METRICS
            if wanted and isinstance(value, int | float) and math.isfinite(value):
                curves[name].append((iteration, float(value)))
    return dict(losses), dict(metrics)


def _read_records(log: Path) -> list[dict]:
    if not log.is_file():
        raise FileNotFoundError(
            f'log {log} does not exist; MMEngine writes it as '
            '<work_dir>/<timestamp>/vis_data/scalars.json'
        )
    text = log.read_text(encoding='utf-8')
    lines = text.splitlines()
    if lines and not text.endswith('\n') and _parse(lines[-1]) is None:
        lines.pop()
    return [_parse_or_raise(log, number, line) for number, line in enumerate(lines, start=1)]


def _parse_or_raise(log: Path, number: int, line: str) -> dict:
    record = _parse(line)
    if record is None:
        raise ValueError(f'line {number} of the log {log} is no record of MMEngine: {line!r}')
    return record


def _parse(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and 'step' in record else None


def _draw_panel(axis: Axes, title: str, curves: Curves) -> None:
    for name, points in sorted(curves.items()):
        # A metric that was measured once must be visible, too.
        marker = 'o' if len(points) < 30 else None
        width = 2.2 if name == 'loss' else 1.2
        axis.plot(*zip(*points, strict=True), label=name, marker=marker, ms=3, lw=width)
    axis.set_title(title)
    axis.grid(alpha=0.3)
    axis.legend(fontsize='small', loc='center left', bbox_to_anchor=(1.0, 0.5))
