"""Keep freed memory in the process, to be used again."""

import ctypes
import sys

# Parameters of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 1 << 26
_NEVER = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Let large blocks of memory be used again instead of given back to the system.

    By default glibc asks the system for each block above 32 MiB and gives it back when it is
    freed. The next one is then filled with zeros, page by page, while it is written: in a training
    on a CPU, whose tensors are that large, a third of the time. The process keeps the largest
    amount of memory that it had.

    Returns:
        Whether it was done: only on Linux with glibc.
    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False  # another library of C
    options = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _TOP_PAD_BYTES))
    return all(mallopt(option, value) for option, value in options)
