"""Which process works on something, whether it is still there, and that its children are not."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence


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


def begin_worker() -> None:
    """Let this process of a pool leave Ctrl-C to the one that started it, and end with that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def end_children_with_this_process() -> None:
    """Have Linux end the processes that this one forks from now on when it ends, however it does.

    Workers of a data loader whose process is killed can wait for it forever.
    """
    if not sys.platform.startswith('linux') or _children_end:
        return
    from ctypes import CDLL

    _children_end.append(CDLL(None).prctl)
    os.register_at_fork(before=_note_parent, after_in_child=_end_with_parent)


#: The system call that binds a child to its parent, once it is asked for, and the parent's number.
_children_end: list = []
_parent: list[int] = []
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def _note_parent() -> None:
    _parent[:] = [os.getpid()]


def _end_with_parent() -> None:
    _children_end[0](_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != _parent[0]:  # it ended before the call
        os._exit(1)
