"""The group of an image or a video: the stream, the camera or the day that it comes from."""

import os
import re
from pathlib import PurePosixPath

from mmpolar.utils.abridged import abridged
from mmpolar.utils.csv_table import read_rows


class GroupRule:
    r"""Says which group an image or a video belongs to.

    Without options it is the folder that the file lies in; a file in none is a group of its own.

    Args:
        pattern: Regular expression that is searched in the path. The group is what its named parts
            match, or else its first part, or all of it; several named parts are joined by ``/``.
        table: CSV file whose first column has paths, or names of files without their folders, and
            whose other columns have the group; its first line names the columns.

    Attributes:
        kind: What a group is, by the names of the parts or columns; else ``'group'``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If both options are given, the pattern is not valid, or the table has no column
            beside the paths, or a line of another length.

    Example:
        >>> rule = GroupRule(pattern=r'(?P<camera>cam\d+)')
        >>> rule.kind, rule.group_of('monday/cam07_0800.mp4')
        ('camera', 'cam07')
        >>> GroupRule().group_of('monday/cam07_0800.mp4')
        'monday'
    """

    def __init__(self, pattern: str | None = None, table: str | os.PathLike | None = None) -> None:
        if pattern is not None and table is not None:
            raise ValueError('group takes a pattern or a table, not both')
        self.kind = 'group'
        self._table_path = table
        self._table: dict[str, str] = {}
        self._pattern: re.Pattern | None = None
        if pattern is not None:
            self._pattern = _compiled(pattern)
            self.kind = '/'.join(self._pattern.groupindex) or 'group'
        if table is not None:
            self.kind, self._table = _read_table(table)

    def group_of(self, path: str) -> str:
        """The group of a file.

        Args:
            path: Its path below the folder of the data, with slashes.

        Raises:
            ValueError: If the pattern does not match it, or the table does not have it.
        """
        if self._pattern is not None:
            return self._matched(path)
        if self._table_path is not None:
            return self._listed(path)
        parsed = PurePosixPath(path)
        return str(parsed.parent) if len(parsed.parts) > 1 else parsed.stem

    def _matched(self, path: str) -> str:
        match = self._pattern.search(path)
        if match is None:
            raise ValueError(
                f'the pattern {self._pattern.pattern!r} of group does not match "{path}"; make it '
                'match all files, or give a table'
            )
        if self._pattern.groupindex:
            return '/'.join(match[name] or '' for name in self._pattern.groupindex)
        return match[1] or '' if self._pattern.groups else match[0]

    def _listed(self, path: str) -> str:
        for name in (path, PurePosixPath(path).name):
            if name in self._table:
                return self._table[name]
        raise ValueError(
            f'table {self._table_path} of group has no line for "{path}"; its first column starts '
            f'with {abridged(self._table, 3)}'
        )


def _compiled(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f'pattern {pattern!r} of group is no regular expression: {error}'
        ) from error


def _read_table(path: str | os.PathLike) -> tuple[str, dict[str, str]]:
    """Names of the columns of the group, and the group of each path."""
    rows = list(read_rows(path, ()))
    names = list(rows[0].cells) if rows else []
    if len(names) < 2:
        raise ValueError(
            f'table {path} needs a first line such as "video,camera": the paths, then the group'
        )
    groups = {}
    for row in rows:
        if None in row.cells or None in row.cells.values():
            raise ValueError(f'{row.location}: there must be {len(names)} values, as in line 1')
        groups[row.text(names[0])] = '/'.join(row.cells[name] for name in names[1:]).strip()
    return '/'.join(names[1:]), groups
