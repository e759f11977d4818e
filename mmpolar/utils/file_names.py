"""Names that come from files, as names of files to write."""

import re
from pathlib import PurePosixPath, PureWindowsPath

_REFUSED = re.compile(r'[\x00-\x1f\x7f/\\]')
#: What some file system refuses in a name, and the sign that stands for it in :func:`video_path_parts`.
_ESCAPED = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*%]|^\.{1,2}$|[. ]$')
#: Ends of the names of files that lie beside a video's, as of its scores.
_ENDS_OF_OTHER_FILES = re.compile(r'_(?=(scores|seconds)$)')


class FileNameError(ValueError):
    """A name that comes from a file cannot name a file to write."""


def check_file_name(name: object, what: str) -> str:
    """A name as one part of a path, unchanged, so that two names never become one.

    Args:
        name: The name.
        what: What it is the name of, for the message.

    Returns:
        The name.

    Raises:
        FileNameError: If it is no text, is empty, leads to another folder or drive, or has control
            characters.
    """
    if (
        not isinstance(name, str)
        or name in ('', '.', '..')
        or PureWindowsPath(name).drive
        or _REFUSED.search(name)
    ):
        raise FileNameError(
            f'{what} is called {name!r}, which cannot name a file; use letters, digits, - and _'
        )
    return name


def check_path_parts(path: str, what: str) -> str:
    """A relative path with ``/``, unchanged, each part of which is checked by :func:`check_file_name`.

    Args:
        path: The path.
        what: What it is the path of, for the message.

    Raises:
        FileNameError: If one of its parts cannot name a file.
    """
    for part in path.split('/'):
        check_file_name(part, f'a part of {what} {path!r}')
    return path


def video_path_parts(video_name: str) -> PurePosixPath:
    """Relative path under which the files of a video are written; no two names share one.

    A ``/`` in the name makes a sub-folder. Characters that some file system refuses, and parts that
    would lead out of the folder, are written as ``%`` and two hexadecimal digits for each byte; an
    empty part as ``%`` alone.

    Args:
        video_name: Name of the video, not empty.

    Returns:
        A relative path without ``..``.

    Raises:
        FileNameError: If the name is empty.

    Example:
        >>> video_path_parts('set/12:30')
        PurePosixPath('set/12%3A30')
    """
    if not video_name:
        raise FileNameError("a video is called '', which cannot name a file; give it a name")
    *folders, name = (_ESCAPED.sub(_escape, part) or '%' for part in video_name.split('/'))
    return PurePosixPath(*folders, _ENDS_OF_OTHER_FILES.sub(_escape, name))


def _escape(found: re.Match) -> str:
    return ''.join(f'%{byte:02X}' for byte in found[0].encode())
