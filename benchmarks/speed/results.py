"""What a run of the benchmark found: rows of a table, curves and remarks, and how they are written."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.speed.timing import Spread, ratios, spread
from mmpolar.utils.tables import write_json


@dataclass
class Row:
    """One way of doing one thing.

    Attributes:
        task: What was done.
        way: By whom or how.
        unit: Unit of the values; lower is better for times and memory, higher for rates.
        values: One measurement a round.
        ratios: How many times faster this is than others, by their names; below 1 if it is slower.
        gflop: Billions of floating-point operations of one unit of work.
        bound: What the machine's measured peak would allow for ``gflop``, in ``unit``.
        percentiles: Those of single steps, in ``unit``, see :func:`percentiles`.
        split: Where the time goes: median by part, in ``unit``.
        remark: What a reader must know.
    """

    task: str
    way: str
    unit: str
    values: list[float]
    ratios: dict[str, Spread] = field(default_factory=dict)
    gflop: float | None = None
    bound: float | None = None
    percentiles: dict[str, float] = field(default_factory=dict)
    split: dict[str, float] = field(default_factory=dict)
    remark: str = ''

    @property
    def spread(self) -> Spread:
        return spread(self.values)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Half, 95 and 99 of a hundred values are at most these."""
    return dict(zip(('p50', 'p95', 'p99'), np.percentile(values, [50, 95, 99]), strict=True))


@dataclass
class Curve:
    """How time or memory grows with one quantity.

    Attributes:
        quantity: What grows, for example ``'frame width'``.
        measure: What is measured, with its unit, for example ``'ms a frame'``.
        name: Of what, for example ``'rasterize_polygon'``.
        x: The quantity's values.
        y: Medians of the measure.
    """

    quantity: str
    measure: str
    name: str
    x: list[float]
    y: list[float]


@dataclass
class Part:
    """Everything that one part of the benchmark found.

    Attributes:
        name: Name for ``--only``.
        rows: The table.
        curves: Growth curves.
        remarks: What was left out and why, and what a reader must know.
        facts: Whatever else is of interest, in JSON's types.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def compare(
    task: str,
    seconds: Mapping[str, Sequence[float]],
    peers: Mapping[str, Sequence[str]],
    unit: str = 'ms',
) -> list[Row]:
    """Rows of ways that were measured in the same rounds.

    Args:
        task: What was done.
        seconds: Seconds a unit of work, one value a round, by way.
        peers: With which others each of our ways is compared; those not measured are left out.
        unit: ``'ms'`` or ``'us'`` for times, or what is done, such as ``'pairs'``, for rates a
            second.

    Returns:
        A row a way, in the order of ``seconds``.
    """
    return [
        Row(
            task=task,
            way=way,
            unit=unit if unit in _PER_SECOND else f'{unit}/s',
            values=[in_unit(value, unit) for value in values],
            ratios={
                peer: ratios(values, seconds[peer])
                for peer in peers.get(way, ())
                if peer in seconds
            },
        )
        for way, values in seconds.items()
    ]


_PER_SECOND = {'ms': 1e3, 'us': 1e6}


def in_unit(seconds: float, unit: str) -> float:
    """Seconds in milliseconds or microseconds; for any other unit, how many of it fit a second."""
    return seconds * _PER_SECOND[unit] if unit in _PER_SECOND else 1 / seconds


def format_part(part: Part) -> str:
    """The part as a text for the terminal, one table a task."""
    lines = [f'== {part.name} ==']
    for task in dict.fromkeys(row.task for row in part.rows):
        lines += ['', *_format_task(task, [row for row in part.rows if row.task == task])]
    for remark in part.remarks:
        lines += ['', f'note: {remark}']
    return '\n'.join(lines) + '\n'


def write_parts(parts: Iterable[Part], options: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write the results of a run; what is not finite becomes null.

    Args:
        parts: What was measured.
        options: The command's options.
        path: File to write; its folder is made.
    """
    found = {'options': dict(options), 'parts': [_part_as_dict(part) for part in parts]}
    write_json(path, found)


def _format_task(task: str, rows: Sequence[Row]) -> list[str]:
    has_bound = any(row.bound is not None for row in rows)
    has_tail = any(row.percentiles for row in rows)
    width = max(len(row.way) for row in rows) + 2
    head = f'{"":<{width}}{"median":>9}  {"min .. max":<19} {"unit":<9}'
    head += f'{"p95":>8}{"p99":>8}' if has_tail else ''
    head += f'{"GFLOP":>7}{"bound":>8}' if has_bound else ''
    lines = [task, f'{head}  times faster than']
    for row in rows:
        low, middle, high = (_number(value) for value in row.spread)
        line = f'{row.way:<{width}}{middle:>9}  {f"{low} .. {high}":<19} {row.unit:<9}'
        if has_tail:
            line += ''.join(f'{_number(row.percentiles.get(name)):>8}' for name in ('p95', 'p99'))
        if has_bound:
            line += f'{_number(row.gflop):>7}{_number(row.bound):>8}'
        versus = ', '.join(
            f'{peer} {ratio.median:.2f} ({ratio.minimum:.2f} .. {ratio.maximum:.2f})'
            for peer, ratio in row.ratios.items()
        )
        lines.append(f'{line}  {versus}'.rstrip())
        if row.split:
            shares = ', '.join(f'{name} {_number(value)}' for name, value in row.split.items())
            lines.append(f'{"":<4}of which {shares}')
        if row.remark:
            lines.append(f'{"":<4}{row.remark}')
    return lines


def _number(value: float | None) -> str:
    """Three or four digits that count."""
    if value is None:
        return '-'
    if value == 0 or not math.isfinite(value):
        return f'{value:.0f}'
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f'{value:.{min(digits, 4)}f}'


def _part_as_dict(part: Part) -> dict[str, Any]:
    found = asdict(part)
    for row, entry in zip(part.rows, found['rows'], strict=True):
        entry['spread'] = row.spread._asdict()
        entry['ratios'] = {peer: ratio._asdict() for peer, ratio in row.ratios.items()}
    return found
