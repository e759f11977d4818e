"""What jobs have given, on the disk, so that a run that was cut goes on where it was."""

import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from mmpolar.utils.atomic_write import atomic_path

#: What the name of the output gets for that of its journal.
SUFFIX = '.resume'


class JobJournal:
    """Values of the jobs that have ended, in a file of JSON lines beside the output.

    A line is written when a job has ended; a process that is killed loses nothing but a line that it was
    just writing. Values stay on the disk, so that there may be any number of them. As a context manager
    it closes the file, which one run at a time has, and leaves none without a value.

    Args:
        output: What the run writes; the journal is beside it.
        description: What values depend on, as plain values: a journal of another description is refused.

    Attributes:
        path: The file.

    Raises:
        ValueError: If the file is of a run of another description, no journal, or in use by another run.

    Example:
        >>> from mmpolar.utils.job_journal import JobJournal
        >>> with JobJournal('values.json', dict(model='mine')) as journal:  # doctest: +SKIP
        ...     journal.add('first video', dict(J=0.7))
    """

    def __init__(self, output: str | os.PathLike, description: Mapping[str, Any]) -> None:
        self.path = Path(f'{os.fspath(output)}{SUFFIX}')
        self._output = output
        self._head = json.dumps(description, sort_keys=True)
        self._offsets: dict[str, int] = {}
        self._file: BinaryIO | None = None
        if self.path.is_file():
            self._read()

    def __enter__(self) -> 'JobJournal':
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._offsets:
            self.close()
        elif self._file is not None:
            self.remove()

    def __len__(self) -> int:
        """Number of values."""
        return len(self._offsets)

    def __contains__(self, key: str) -> bool:
        """Whether there is a value of this key."""
        return key in self._offsets

    def __getitem__(self, key: str) -> Any:
        """The value of a key.

        Raises:
            KeyError: If there is none.
        """
        self._open().seek(self._offsets[key])
        return json.loads(self._file.readline())[1]

    def add(self, key: str, value: Any) -> None:
        """Write the value of a job, plain values that JSON knows."""
        file = self._open()
        offset = file.seek(0, os.SEEK_END)
        file.write(_line(key, value))
        file.flush()
        self._offsets[key] = offset

    def replace_all(self, key: str, value: Any) -> None:
        """Write a value instead of all that there are.

        A process that is killed meanwhile leaves the earlier values, and other runs are kept out all the
        time.

        Args:
            key: Its key.
            value: Plain value that JSON knows, or text of any length.
        """
        older = self._open()
        if not _has_locks():  # Windows renames no file that is open.
            self.close()
        with atomic_path(self.path, flush=False) as unfinished:
            content = self._head.encode() + b'\n'
            self._offsets = {key: len(content)}
            unfinished.write_bytes(content + _line(key, value))
            if _has_locks():
                self._file = unfinished.open('a+b')
                _lock(self._file, self.path)
        older.close()

    def close(self) -> None:
        """Close the file; it stays for a later run."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the file of a run that came to its end."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._offsets.clear()

    def _open(self) -> BinaryIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open('a+b')
            _lock(file, self.path)
            if not file.seek(0, os.SEEK_END):
                file.write(self._head.encode() + b'\n')
                file.flush()
            self._file = file
        return self._file

    def _read(self) -> None:
        """Find the values, up to a line that was cut, which goes."""
        with self.path.open('r+b') as file:
            _lock(file, self.path)
            head = file.readline()
            if not head.endswith(b'\n'):
                file.truncate(0)
                return
            end = file.tell()
            for line in file:
                key = _key(line)
                if key is None:
                    break
                self._offsets[key] = end
                end += len(line)
            self._check(head)
            file.truncate(end if self._offsets else 0)

    def _check(self, head: bytes) -> None:
        """Refuse a journal whose values depend on something else."""
        earlier = _description(head, self.path)
        now = json.loads(self._head)
        names = [name for name in {**now, **earlier} if now.get(name) != earlier.get(name)]
        if names and self._offsets:
            raise ValueError(
                f'{self.path} is of a run that was cut, and with another {", ".join(names)}: go on with '
                'what it was begun with, or remove it to begin again'
            )


def read_description(output: str | os.PathLike) -> dict[str, Any] | None:
    """What the values of an earlier run depend on, which has left a journal; None if none has.

    Args:
        output: What it wrote.

    Raises:
        ValueError: If the file is no journal.
    """
    path = Path(f'{os.fspath(output)}{SUFFIX}')
    if not path.is_file():
        return None
    with path.open('rb') as file:
        return _description(file.readline(), path)


def _description(head: bytes, path: Path) -> dict[str, Any]:
    """The description in the first line of a journal."""
    try:
        description = json.loads(head)
    except ValueError:
        description = None
    if not isinstance(description, dict):
        raise ValueError(
            f'{path} cannot be read: it is no journal of a run that was cut, or one of another version of '
            'mmpolar; remove it to begin again'
        )
    return description


def _line(key: str, value: Any) -> bytes:
    return json.dumps([key, value]).encode() + b'\n'


def _key(line: bytes) -> str | None:
    """The key of a line; None for one that was cut."""
    try:
        key, _ = json.loads(line)
    except ValueError:
        return None
    return key if line.endswith(b'\n') else None


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other runs from a file until it is closed; where there are no such locks, do nothing.

    Raises:
        ValueError: If another run has it.
    """
    if not _has_locks():
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ValueError(
            f'another run with the same --out is in progress ({path}): wait for its end, or stop it'
        ) from None
    except OSError:  # a file system without locks
        return


def _has_locks() -> bool:
    return find_spec('fcntl') is not None  # not in Windows
