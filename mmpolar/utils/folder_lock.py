"""A folder that one process at a time writes to."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

#: File that the lock is on; it stays, and means nothing once its process has ended.
LOCK_NAME = '.mmpolar.lock'
_held: dict[Path, FileLock] = {}


class FolderInUseError(RuntimeError):
    """Another process writes to the folder."""


def lock_folder(folder: str | os.PathLike, use: str) -> None:
    """Keep other processes from a folder until :func:`release_folder`, or until this one ends.

    Args:
        folder: The folder; it is made. This process may lock it several times.
        use: What writes there, for the message.

    Raises:
        FolderInUseError: If another process, of this or another machine, has locked it.
    """
    folder = Path(folder).resolve()
    if folder in _held:
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f'another {use} is already in progress in {folder}: wait for its end, or give another '
            '--work-dir'
        ) from None
    except (NotImplementedError, OSError):
        return  # the file system has no locks, or no room for one
    _held[folder] = lock


def release_folder(folder: str | os.PathLike) -> None:
    """Let other processes write to a folder; does nothing if this one has not locked it."""
    lock = _held.pop(Path(folder).resolve(), None)
    if lock is not None:
        lock.release()
