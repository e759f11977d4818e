"""The command ``mmpolar``. See ``mmpolar --help``.

A subcommand is a module of this package, imported only when it is asked for. It has the texts
``DESCRIPTION`` and ``EPILOG`` and the functions ``add_arguments(parser)`` and ``run(args)``, which
gives the exit status; ``args.parser`` is its parser. What needs PyTorch is imported in ``run``.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from mmpolar.cli.arguments import join_box_words
from mmpolar.cli.errors import (
    INTERRUPTED,
    USAGE_ERROR,
    OneLineParser,
    report_error,
    silence_libraries,
)
from mmpolar.version import __version__

#: Module of each subcommand is ``mmpolar.cli.<name>``; what it does, in a line.
COMMANDS = {
    'track': 'follow targets through a video: boxes, contours, masks',
    'studio': 'label your own videos in the browser, and train on them',
    'models': 'list the trained trackers that are at hand',
    'check': 'list everything that is wrong with a dataset or a submission (needs PyTorch)',
    'convert': 'bring annotations of CVAT, COCO, LabelMe or masks into one form',
    'export': 'write a trained tracker as ONNX graphs (needs PyTorch)',
    'eval': 'what a tracker reaches on a benchmark',
    'submit': 'make a submission to a benchmark (needs PyTorch)',
    'score': 'scores of a pool of images or videos by any detector',
    'mine': 'pick the hardest negatives by the scores of any detector',
    'alarms': 'count the alarms of any detector in videos, and choose its threshold',
}
EPILOG = """\
examples
  mmpolar track video.mp4 --box 100,80,60,40 --out tracked.mp4
  mmpolar models
  mmpolar track --help        more, and so for every command

exit code: 0 done, 1 a check found errors, 2 wrong usage or files, 130 stopped by Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the words name; returns the exit status."""
    show_warnings_in_one_line()
    silence_libraries()
    words = join_box_words(argv)
    parser = build_parser(words)
    if not words:
        parser.print_help(sys.stderr)
        return USAGE_ERROR
    args, unknown = parser.parse_known_args(words)
    if unknown:
        args.parser.error(f'unrecognized arguments: {" ".join(unknown)}')
    try:
        return args.run(args)
    except BrokenPipeError:  # what reads this program's output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        return report_error(error)
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        return INTERRUPTED


def build_parser(words: Sequence[str]) -> OneLineParser:
    """The parser, with the arguments of the one subcommand that the words name."""
    parser = OneLineParser(
        prog='mmpolar',
        description='Track objects in video and draw their contours.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmpolar {__version__}')
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    wanted = next((word for word in words if not word.startswith('-')), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:
            module = import_module(f'mmpolar.cli.{name}')
            command.description, command.epilog = module.DESCRIPTION, module.EPILOG
            command.set_defaults(run=module.run, parser=command)
            module.add_arguments(command)
    return parser


def script_of(*command: str) -> Callable[[Sequence[str] | None], int]:
    """The ``main`` of a script that is another name of a command.

    Args:
        *command: Words of the command, as in ``'check', 'dataset'``.

    Example:
        >>> main = script_of('models')
        >>> status = main([])  # doctest: +SKIP
    """

    def script(argv: Sequence[str] | None = None) -> int:
        return main([*command, *(sys.argv[1:] if argv is None else argv)])

    return script


def show_warnings_in_one_line() -> None:
    """Print warnings of this process as errors are printed, without a line of the code."""
    warnings.formatwarning = _format_warning


def _format_warning(message: Warning | str, *_: object, **__: object) -> str:
    return f'warning: {" ".join(str(message).split())}\n'
