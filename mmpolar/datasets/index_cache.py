"""Keeps the index of a track dataset in a file, which processes share."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from mmengine.logging import print_log

from mmpolar.datasets.track_index import (
    TrackIndex,
    fingerprint_paths,
    index_file_name,
    open_index_file,
    pack_index_file,
)
from mmpolar.utils.atomic_write import atomic_write

#: Folder below ``data_root`` for the index file of ``index_cache=True``.
INDEX_FOLDER = '.mmpolar_index'


class IndexCache:
    """The index file of one dataset: mapped into memory, and built first where it is missing.

    Args:
        folder: Folder of the file; True for ``.mmpolar_index`` below ``data_root``.
        data_root: Root folder of the dataset.
        owner: Name of the dataset in messages.
        kind: Name of the dataset's class.
        options: What decides on the entries; datasets with other options have other files.
    """

    def __init__(
        self,
        folder: bool | str,
        data_root: str,
        owner: str,
        kind: str,
        options: Mapping[str, Any],
    ) -> None:
        in_data_root = folder is True
        self.folder = Path(data_root) / INDEX_FOLDER if in_data_root else Path(folder)
        self.path = self.folder / index_file_name(kind, options)
        self._may_make_folder = os.path.isdir(data_root) or not in_data_root
        self._owner = owner
        self._fingerprint: dict | None = None

    def load(
        self,
        sources: Iterable[str],
        build: Callable[[], TrackIndex],
        read_from: Callable[[], Iterable[str]] = tuple,
    ) -> TrackIndex | None:
        """Map the index file; the first process that needs it makes it while the others wait.

        Args:
            sources: Files and folders whose change makes the file worthless.
            build: Indexes the annotations.
            read_from: Gives, after ``build``, further such files and folders; they are kept in the
                file.

        Returns:
            The index in the file; None where it cannot be kept: ``build`` has been called then.
        """
        if self._may_make_folder:
            # Before the fingerprint, which a new folder in data_root changes.
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
        self._fingerprint = fingerprint_paths(sources)
        index = self._open()
        if index is not None:
            return index
        lock = FileLock(f'{self.path}.lock')
        try:
            lock.acquire()
        except OSError as error:
            self._warn_unwritable(error)
            build()
            return None
        try:
            return self._open() or self._write(build(), fingerprint_paths(read_from()))
        finally:
            lock.release()

    def reopen(self) -> TrackIndex:
        """Map the file again, in another process.

        Raises:
            RuntimeError: If it is gone, or another file has its name.
        """
        index = open_index_file(self.path, self._fingerprint, in_use=True)
        if index is None:
            raise RuntimeError(
                f'index file {self.path} of dataset "{self._owner}" was changed or deleted while '
                'in use; start again'
            )
        return index

    def _open(self) -> TrackIndex | None:
        return open_index_file(self.path, self._fingerprint)

    def _write(self, index: TrackIndex, read_from: Mapping[str, Any]) -> TrackIndex | None:
        """Write the index, and map it from there; None if it cannot be written."""
        try:
            content = pack_index_file(index, self._fingerprint, read_from)
            atomic_write(self.path, content)
        except OSError as error:
            self._warn_unwritable(error)
            return None
        return self._open()

    def _warn_unwritable(self, error: OSError) -> None:
        print_log(
            f'dataset "{self._owner}": the index cannot be kept ({error}), so every start and '
            'process reads the annotations; set index_cache to a folder that can be written',
            logger='current',
            level=logging.WARNING,
        )
