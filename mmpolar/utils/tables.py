"""Tables for the terminal and for spreadsheets."""

import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmpolar.utils.atomic_write import atomic_table, atomic_write

Cell = str | int | float


def text_table(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], total: bool = False, digits: int = 3
) -> str:
    """A table for the terminal, numbers to the right.

    Args:
        header: Names of the columns.
        rows: Cells; a float is rounded, NaN is an empty cell.
        total: Whether a line sets the last row off.
        digits: Digits of a float behind the point.

    Returns:
        The table, lines separated by line feeds.
    """
    # Not part of the runtime, which writes reports too.
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.ASCII)
    for number, name in enumerate(header):
        is_text = all(isinstance(row[number], str) for row in rows)
        table.add_column(name, justify='left' if is_text else 'right', no_wrap=True)
    for number, row in enumerate(rows, start=1):
        if total and number == len(rows):
            table.add_section()
        table.add_row(*(_text(cell, digits) for cell in row))
    console = Console(file=io.StringIO(), width=1000, markup=False, emoji=False)
    console.print(table)
    return console.file.getvalue().rstrip()


def write_csv(
    path: str | os.PathLike, header: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> None:
    """Write a table with six digits behind the point; the folder is made."""
    with atomic_table(path) as writer:
        writer.writerow(header)
        writer.writerows([_text(cell, 6) for cell in row] for row in rows)


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write plain values; NaN and infinity become null, the folder is made."""
    atomic_write(path, json_text(content))


def json_text(content: Any) -> str:
    """Plain values as the text of a JSON file; NaN and infinity become null."""
    return json.dumps(nan_to_none(content), indent=1, allow_nan=False) + '\n'


def nan_to_none(value: Any) -> Any:
    """A value for JSON, which knows no NaN and no infinity: None instead, also inside of lists."""
    if isinstance(value, Mapping):
        return {key: nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_none(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(cell: Cell, digits: int) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return '' if math.isnan(cell) else f'{cell:.{digits}f}'
