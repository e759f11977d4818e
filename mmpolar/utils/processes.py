"""Which process works on something, and whether it is still there."""

import os
import socket
from collections.abc import Sequence


def this_process() -> list[str | int]:
    """Name of the machine and number of this process."""
    return [socket.gethostname(), os.getpid()]


def process_is_gone(owner: Sequence | None) -> bool:
    """Whether a process is known to have ended.

    Args:
        owner: Name of its machine and its number; None if they are not known.

    Returns:
        True if it ended; False too for processes of other machines, which cannot be asked.
    """
    if owner is None or owner[0] != socket.gethostname():
        return False
    try:
        os.kill(owner[1], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
