"""Files that are either whole or not there, however the writing process ends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(
    path: str | os.PathLike, suffix: str = '.tmp', flush: bool = True
) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes its name when the block ends.

    A reader never sees half a file: the new one takes its name in one step, after its bytes are on
    the disk. If the block raises, what it wrote is removed and an older file stays; a process that is
    killed leaves the older file, and beside it the unfinished one.

    Args:
        path: What to write; a file there is replaced, as is an empty folder by a folder. Folders on
            the way are made.
        suffix: What the unfinished one is called behind its name.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}{suffix}')
    _remove(unfinished)  # that of a process that was killed
    try:
        yield unfinished
        if flush and unfinished.is_file():
            _flush(unfinished)
        os.replace(unfinished, path)
    except BaseException:
        _remove(unfinished)
        raise
    if flush:
        _flush(path.parent)


def atomic_write(path: str | os.PathLike, content: bytes | str) -> None:
    """Write a file in one step; see :func:`atomic_path`.

    Args:
        path: The file.
        content: Its bytes, or text that is written as UTF-8.

    Raises:
        OSError: If writing fails; an older file stays.
    """
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
