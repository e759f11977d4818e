"""What the command lines have in common.

A program that imports this package ends with one line when it is stopped by Ctrl-C, not with a
traceback; its exit code is that of the signal, 130 in a shell.
"""

import sys
from types import TracebackType

_show_error = sys.excepthook


def _show_in_one_line_if_stopped(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print('stopped', file=sys.stderr)
    else:
        _show_error(kind, error, trace)


sys.excepthook = _show_in_one_line_if_stopped
