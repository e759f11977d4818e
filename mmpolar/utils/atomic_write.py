"""Files that are either whole or not there, however the writing process ends."""

import csv
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from mmpolar.utils.processes import process_is_gone

#: Names of unfinished files: the beginning of the name, machine, process and a number used once.
_UNFINISHED = re.compile(r'\..*\.([^.]+)-(\d+)-[0-9a-f]{8}\.unfinished\b')
#: Characters of a name and of a machine's that are repeated there; a name has up to 255 bytes.
_NAME_LENGTH, _MACHINE_LENGTH = 32, 40
#: Folders whose files are devices and streams, which cannot be replaced.
_SYSTEM_FOLDERS = ('/dev/', '/proc/')
#: Folders in which this process has removed what killed ones left.
_tidied: set[Path] = set()


@contextmanager
def atomic_path(path: str | os.PathLike, suffix: str = '', flush: bool = True) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes its name when the block ends.

    A reader never sees half a file: the new one takes its name in one step, after its bytes are on
    the disk, and several processes may write the same one. If the block raises, what it wrote is
    removed and an older file stays; a process that is killed leaves the older file, and beside it the
    unfinished one, which the next process that writes there removes.

    Args:
        path: What to write; a file there is replaced, as is a folder by a folder. Folders on the way
            are made. A device or stream, such as ``/dev/stdout``, is written to as it is.
        suffix: End of the unfinished one's name, for writers that choose a format by it.
        flush: Whether its bytes are brought to the disk first. Without, which is faster for many
            files, a power failure may leave an empty one.

    Yields:
        Path beside ``path``, which does not exist.

    Raises:
        OSError: If writing fails, for instance on a full disk.

    Example:
        >>> with atomic_path('report.json') as unfinished:
        ...     unfinished.write_text('{}')
    """
    path = Path(path)
    if is_stream(path):
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    unfinished = path.with_name(_unfinished_name(path.name) + suffix)
    try:
        yield unfinished
        if flush:
            _flush_all(unfinished)
        _rename(unfinished, path)
    except BaseException:
        _remove(unfinished)
        raise
    if flush:
        _flush(path.parent)


def atomic_write(path: str | os.PathLike, content: bytes | str, flush: bool = True) -> None:
    """Write a file in one step; see :func:`atomic_path`.

    Args:
        path: The file.
        content: Its bytes, or text that is written as UTF-8.
        flush: See :func:`atomic_path`.

    Raises:
        OSError: If writing fails; an older file stays.
    """
    with atomic_path(path, flush=flush) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_table(path: str | os.PathLike) -> Iterator[Any]:
    """A CSV file that is written in one step; see :func:`atomic_path`.

    Yields:
        Python's ``csv.writer``.
    """
    with (
        atomic_path(path) as unfinished,
        unfinished.open('w', newline='', encoding='utf-8') as file,
    ):
        yield csv.writer(file)


@contextmanager
def scratch_folder(parent: str | os.PathLike) -> Iterator[Path]:
    """A folder in another one, which is made, for as long as the block runs.

    What a process that was killed has left is removed as in :func:`atomic_path`.
    """
    Path(parent).mkdir(parents=True, exist_ok=True)
    _tidy(Path(parent))
    folder = Path(parent) / _unfinished_name('scratch')
    folder.mkdir()
    try:
        yield folder
    finally:
        _remove(folder)


def is_stream(path: Path) -> bool:
    """Whether this is a device or a stream such as ``/dev/stdout``, of which nothing is replaced."""
    is_system = os.path.abspath(path).startswith(_SYSTEM_FOLDERS) and path.exists()
    return is_system or (path.exists() and not path.is_file() and not path.is_dir())


def _unfinished_name(name: str) -> str:
    machine = re.sub(r'[^A-Za-z0-9_]', '_', socket.gethostname())[:_MACHINE_LENGTH] or '_'
    return f'.{name[:_NAME_LENGTH]}.{machine}-{os.getpid()}-{uuid4().hex[:8]}.unfinished'


def _tidy(folder: Path) -> None:
    """Remove what killed processes of this machine left unfinished, once a folder."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    own = _UNFINISHED.match(_unfinished_name(''))[1]
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _UNFINISHED.match(entry.name)
            is_ours = found is not None and found[1] == own
            if is_ours and process_is_gone([socket.gethostname(), int(found[2])]):
                _remove(Path(entry.path))


def _rename(unfinished: Path, path: Path) -> None:
    """Give it its name; a folder first takes an older one out of the way."""
    if not (unfinished.is_dir() and path.is_dir() and any(path.iterdir())):
        os.replace(unfinished, path)
        return
    older = path.with_name(_unfinished_name(path.name))
    os.replace(path, older)
    try:
        os.replace(unfinished, path)
    except BaseException:
        os.replace(older, path)
        raise
    _remove(older)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush_all(path: Path) -> None:
    """Bring a file, or the files in a folder, to the disk."""
    if path.is_dir():
        for entry in path.rglob('*'):
            _flush(entry)
    if path.exists():
        _flush(path)


def _flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
