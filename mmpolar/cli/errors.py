"""How a command line reports what is wrong: one line on stderr, and an exit code."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

#: Exit code of wrong usage, the same as argparse's.
USAGE_ERROR = 2
#: Exit code of a command that the user stopped, as shells give it.
INTERRUPTED = 130


class OneLineParser(argparse.ArgumentParser):
    """A parser that reports wrong usage as every other error is reported: in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line, with the command that shows the help, and exit with code 2."""
        usage_error(f'{message}; see "{self.prog} --help"')


def silence_libraries() -> None:
    """Keep OpenCV and FFmpeg from printing lines of their own; before OpenCV is imported."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'FATAL')
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')


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
