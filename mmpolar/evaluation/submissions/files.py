"""The files of a submission, in a folder or in a zip archive alike."""

import os
import zipfile
import zlib
from abc import ABCMeta, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.file_names import check_path_parts

#: Largest file of a submission that is unpacked, in bytes: small archives can hold huge ones.
MAX_FILE_SIZE = 1 << 28
#: Endings of files that compression does not make smaller.
_COMPRESSED = ('.png',)
#: Time of all entries, the earliest that a zip archive knows: the same results give the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: Permissions of the entries; without, some programs unpack files that nobody may read.
_MODE = 0o644


class SubmissionFiles(metaclass=ABCMeta):
    """Files of a submission that is to be read.

    Attributes:
        names: Paths of the files, with ``/``, sorted.
        repeated: Those of them that occur more than once.
    """

    names: list[str]
    repeated: list[str]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Content of one of the files.

        Raises:
            OSError: If it cannot be read.
        """


@contextmanager
def open_submission(path: str | os.PathLike) -> Iterator[SubmissionFiles]:
    """Open a submission for reading.

    Args:
        path: Its folder or zip archive.

    Yields:
        The files.

    Raises:
        FileNotFoundError: If there is neither.
        ValueError: If the file is no zip archive.
    """
    if os.path.isdir(path):
        yield _FolderFiles(Path(path))
        return
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no submission at {path}; give its folder or zip file')
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f'{path} is no zip archive ({error}); pack it again') from error
    with archive:
        yield _ZipFiles(archive)


class SubmissionWriter(metaclass=ABCMeta):
    """Takes the files of a submission that is being made."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def put(self, name: str, content: bytes) -> None:
        """Write a file.

        Args:
            name: Its path, with ``/``.
            content: What is in it.

        Raises:
            FileNameError: If the path leads out of the submission.
            ValueError: If there is a file of that name already.
        """
        check_path_parts(name, 'a file of the submission')
        if name in self._names:
            raise ValueError(
                f'two results would be {name} in the submission; give the sequences two names'
            )
        self._names.add(name)
        self._write(name, content)

    @abstractmethod
    def _write(self, name: str, content: bytes) -> None:
        """Write a file whose name was checked."""


@contextmanager
def create_submission(path: str | os.PathLike) -> Iterator[SubmissionWriter]:
    """Make a submission, which appears at its path once it is complete.

    Args:
        path: Where to write: a zip archive if it ends in ``.zip``, which may exist and is replaced,
            else a folder, which must be empty or not exist.

    Yields:
        What takes the files.

    Raises:
        FileExistsError: If the folder holds something.
    """
    path = Path(path)
    is_archive = path.suffix == '.zip'
    if not is_archive and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f'{path} exists and is not an empty folder; give another path, or delete it: what it '
            'holds would become part of the submission'
        )
    with atomic_path(path) as partial:
        if is_archive:
            with zipfile.ZipFile(partial, 'w') as archive:
                yield _ZipWriter(archive)
        else:
            partial.mkdir()
            yield _FolderWriter(partial)


class _FolderFiles(SubmissionFiles):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = (path for path in folder.rglob('*') if not path.is_dir())
        self.names = sorted(path.relative_to(folder).as_posix() for path in found)
        self.repeated = []

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


class _ZipFiles(SubmissionFiles):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        counts = Counter(info.filename for info in archive.infolist() if not info.is_dir())
        self.names = sorted(counts)
        self.repeated = sorted(name for name, count in counts.items() if count > 1)

    def read(self, name: str) -> bytes:
        size = self._archive.getinfo(name).file_size
        if size > MAX_FILE_SIZE:
            raise OSError(
                f'{name} has {size} bytes unpacked, more than the {MAX_FILE_SIZE} that the file of a '
                'sequence can have'
            )
        try:
            return self._archive.read(name)
        except (
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
            NotImplementedError,
            EOFError,
        ) as error:
            raise OSError(f'{name} cannot be unpacked ({error})') from error


class _FolderWriter(SubmissionWriter):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class _ZipWriter(SubmissionWriter):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        super().__init__()
        self._archive = archive

    def _write(self, name: str, content: bytes) -> None:
        info = zipfile.ZipInfo(name, _EPOCH)
        info.external_attr = _MODE << 16
        is_compressed = name.endswith(_COMPRESSED)
        info.compress_type = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
        self._archive.writestr(info, content)
