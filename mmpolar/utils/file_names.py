"""Names that come from files, as names of files to write."""

import re
from pathlib import PureWindowsPath

_REFUSED = re.compile(r'[\x00-\x1f\x7f/\\]')


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
