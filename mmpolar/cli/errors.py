"""How a command line reports what is wrong: one line on stderr, and an exit code."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

#: Exit code of wrong usage, the same as argparse's.
USAGE_ERROR = 2
#: Exit code of a command that the user stopped, as shells give it.
INTERRUPTED = 130


def report_error(error: Exception | str) -> int:
    """Print one line to stderr; gives the exit code of wrong usage."""
    print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
    return USAGE_ERROR


def usage_error(error: Exception | str) -> NoReturn:
    """Print one line to stderr and exit with code 2."""
    sys.exit(report_error(error))


def run_or_explain(run: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run a command; what is wrong with files or arguments ends it with one line and code 2."""
    try:
        run(args)
    except (OSError, ValueError) as error:
        usage_error(error)
