"""Outputs that would be written over the inputs of the same command, found before anything is written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mmpolar.utils.image import IMAGE_SUFFIXES

#: A video in a folder of images, or in a model folder, is never read from there.
_NEVER_IN_A_FOLDER = '.mp4'


class OutputOverInputError(ValueError):
    """An output of a command is one of its inputs, or two outputs are one."""


def check_outputs(
    outputs: Mapping[str, str | os.PathLike | None], inputs: Mapping[str, str | os.PathLike | None]
) -> None:
    """Refuse outputs that would replace an input; call it before the first write.

    Files and folders are the same whatever they are called: relative, through symbolic links or as
    hard links. Refused are an output that is an input, a folder to write to in which an input folder
    or image lies, and a file that exists in an input folder, but for videos.

    Args:
        outputs: What is written, file or folder, by the name that the user knows it by. None is left
            out. A folder need not exist.
        inputs: What is read, likewise. What does not exist, such as the number of a camera, is left
            out.

    Raises:
        OutputOverInputError: If an output would replace an input, or another output.

    Example:
        >>> check_outputs({'--out': 'tracked.mp4'}, {'the source': 'video.mp4'})
    """
    written = {name: Path(path) for name, path in outputs.items() if path is not None}
    read = {name: Path(path) for name, path in inputs.items() if path is not None}
    earlier: dict[str, Path] = {}
    for name, path in written.items():
        for other, existing in read.items():
            if existing.exists() and _would_replace(path, existing):
                raise OutputOverInputError(
                    f'{name} {path} would write over {other} {existing}; give another path. '
                    'Nothing was written'
                )
        for other, existing in earlier.items():
            if is_same_file(path, existing):
                raise OutputOverInputError(
                    f'{other} and {name} are both {path}; give two paths. Nothing was written'
                )
        earlier[name] = path


def check_writable(name: str, path: str | os.PathLike, is_folder: bool = False) -> None:
    """Refuse a file or folder that cannot be written, before the work whose results it shall hold.

    Args:
        name: What the user knows it by.
        path: The file, or the folder; folders on the way are made.
        is_folder: Whether it is a folder.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> check_writable('--out', 'values.json')
    """
    path = Path(path)
    if not is_folder and path.is_dir():
        raise IsADirectoryError(
            f'{name} {path} is a folder, and a file is written; give another path'
        )
    if not is_folder and path.exists() and not path.is_file():
        return  # a device or a stream
    folder = path if is_folder else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f'{name} {path} cannot be written ({error.strerror}: {folder}); give another path'
        ) from error


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, which need not exist."""
    if one.exists() and other.exists():
        return os.path.samefile(one, other)
    return one.resolve() == other.resolve()


def _would_replace(output: Path, existing: Path) -> bool:
    if is_same_file(output, existing):
        return True
    if output.is_dir():
        # The names of the files are not known here: whatever lies in it may be replaced.
        path = existing.resolve()
        if existing.is_dir():
            return output.resolve() in path.parents
        return existing.suffix.lower() in IMAGE_SUFFIXES and output.resolve() == path.parent
    if not existing.is_dir() or not output.exists() or output.suffix.lower() == _NEVER_IN_A_FOLDER:
        return False
    return any(is_same_file(output, Path(entry)) for entry in os.scandir(existing))
