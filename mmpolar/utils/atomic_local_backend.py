"""Files that are either whole or not there, however the writing process ends."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, of which a reader never sees half a one.

    The bytes go into ``<name>.tmp`` in the same folder and are flushed to the disk; then the file
    takes its name in one step, which replaces what was there. A process that is killed before that
    step leaves the older file as it was. Registered as ``'atomic_local'``, the value of
    ``backend_args=dict(backend=...)``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; folders on the way are made.

        Args:
            obj: Content of the file.
            filepath: Path of the file.

        Raises:
            OSError: If writing fails, for instance on a full disk; the older file stays.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'{path.name}.tmp')
        try:
            with temporary.open('wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file; see :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


def _flush_folder(folder: Path) -> None:
    """Bring the folder's entries, and so a file's new name, to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


register_backend('atomic_local', AtomicLocalBackend, force=True)
