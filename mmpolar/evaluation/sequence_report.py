"""Metrics of sequences as a table for the log, a JSON file and a CSV file."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpolar.utils.tables import Cell, text_table, write_csv, write_json

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
    return text_table(['sequence', 'frames', *means], _rows(sequences, means, means), total=True)


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
    write_json(path, dict(more, mean=means, sequences=sequences))
    rows = _rows(sequences, means, columns)
    write_csv(path.with_suffix('.csv'), ['sequence', 'frames', *columns], rows)


def _rows(
    sequences: Sequence[Mapping[str, Any]], means: Mapping[str, float], columns: Iterable[str]
) -> list[list[Cell]]:
    """A row a sequence, and one of the means."""
    rows = [(one['video_name'], one['n_frames'], one['values']) for one in sequences]
    rows.append((MEAN_ROW, sum(frames for _, frames, _ in rows), means))
    return [
        [name, frames, *(float(values.get(column, math.nan)) for column in columns)]
        for name, frames, values in rows
    ]
