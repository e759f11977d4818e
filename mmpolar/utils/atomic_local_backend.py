"""MMEngine's local files, written in one step."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmpolar.utils.atomic_write import atomic_write


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, of which a reader never sees half a one.

    The bytes go into a file beside it and are flushed to the disk; then the file takes its name in
    one step, which replaces what was there. A process that is killed before that
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
        atomic_write(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file; see :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


register_backend('atomic_local', AtomicLocalBackend, force=True)
