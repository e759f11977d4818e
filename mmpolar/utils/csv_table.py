"""CSV tables that other programs wrote."""

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmpolar.utils.text_file import TextFileError, find_encoding


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        location: The file and the line, for messages.
        cells: Text by the name of the column.
    """

    location: str
    cells: dict[str, str]

    def text(self, column: str, default: str | None = '') -> str:
        """Text of a cell without spaces around it.

        Args:
            column: Name of the column.
            default: Where the table has no such column, or the cell is empty.
        """
        return (self.cells.get(column) or '').strip() or default

    def number(self, column: str) -> float:
        """The finite number of a cell.

        Raises:
            TextFileError: If it is none.
        """
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TextFileError(f'{self.location}: {column} must be a number, got {text!r:.80}')
        return value


def read_rows(path: str | os.PathLike, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV file whose first line names the columns, one at a time.

    Args:
        path: The file: UTF-8, or another encoding with a byte order mark.
        needed: Columns that it must have; there may be more.

    Raises:
        FileNotFoundError: If there is no such file.
        TextFileError: If a column is missing, a row is too short for one, or it is no text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'table {path} does not exist')
    encoding, mark = find_encoding(path)
    with open(path, newline='', encoding=encoding) as file:
        file.read(1 if mark else 0)
        reader = csv.DictReader(file)
        try:
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise TextFileError(
                    f'{path} has no column {", ".join(missing)}; its first line must name the columns, '
                    f'{", ".join(needed)} among them, separated by commas'
                )
            for cells in reader:
                row = Row(f'{path}, line {reader.line_num}', cells)
                empty = [name for name in needed if not row.text(name)]
                if empty:
                    raise TextFileError(f'{row.location}: {empty[0]} is empty')
                yield row
        except (UnicodeError, csv.Error) as error:
            raise TextFileError(f'{path} is no CSV table in UTF-8 ({error})') from error
