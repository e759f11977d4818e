"""Metrics of sequences as a table for the log, a JSON file and a CSV file."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpolar.utils.atomic_write import atomic_table, atomic_write

#: Name of the last row, which has the metrics of all sequences together.
MEAN_ROW = 'mean'


def check_out_file(out_file: str | Path | None) -> Path | None:
    """The path of a report.

    Args:
        out_file: What was given for it.

    Raises:
        ValueError: If it does not end in .json.
    """
    if out_file is not None and not str(out_file).endswith('.json'):
        raise ValueError(f'out_file must end in .json, got {str(out_file)!r}')
    return None if out_file is None else Path(out_file)


def format_table(sequences: Sequence[Mapping[str, Any]], means: Mapping[str, float]) -> str:
    """A row a sequence and one of the means, for the log.

    Args:
        sequences: Each with ``video_name``, ``n_frames`` and ``values``, a dictionary.
        means: The columns.

    Returns:
        The table; NaN is an empty cell.
    """
    # Not part of the runtime, which writes reports too.
    from rich import box as rich_box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=rich_box.ASCII)
    table.add_column('sequence', no_wrap=True)
    table.add_column('frames', justify='right')
    for name in means:
        table.add_column(name, justify='right', no_wrap=True)
    for sequence in sequences:
        values = [_text(sequence['values'].get(name, math.nan), 3) for name in means]
        table.add_row(sequence['video_name'], str(sequence['n_frames']), *values)
    table.add_section()
    total = sum(sequence['n_frames'] for sequence in sequences)
    table.add_row(MEAN_ROW, str(total), *(_text(value, 3) for value in means.values()))
    console = Console(file=io.StringIO(), width=1000, markup=False, emoji=False)
    console.print(table)
    return console.file.getvalue().rstrip()


def write_report(
    path: Path,
    sequences: Sequence[Mapping[str, Any]],
    means: Mapping[str, float],
    columns: Sequence[str],
    **more: Any,
) -> None:
    """Write the report as JSON, and its table as CSV beside it.

    Args:
        path: The JSON file; its folder is made.
        sequences: See :func:`format_table`; all that they hold goes into the JSON file.
        means: Metrics of all sequences together.
        columns: Metrics in the CSV file; its last row has the means.
        **more: Further entries of the JSON file.
    """
    report = dict(more, mean=dict(means), sequences=list(sequences))
    atomic_write(path, json.dumps(nan_to_none(report), indent=1))
    rows = [(s['video_name'], s['n_frames'], s['values']) for s in sequences]
    rows.append((MEAN_ROW, sum(s['n_frames'] for s in sequences), means))
    with atomic_table(path.with_suffix('.csv')) as writer:
        writer.writerow(['sequence', 'frames', *columns])
        for name, n_frames, values in rows:
            cells = [_text(values.get(column, math.nan), 6) for column in columns]
            writer.writerow([name, n_frames, *cells])


def nan_to_none(value: Any) -> Any:
    """A value for JSON, which knows no NaN: None instead, also inside of lists and so on."""
    if isinstance(value, Mapping):
        return {key: nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _text(value: float, digits: int) -> str:
    return '' if math.isnan(value) else f'{value:.{digits}f}'
