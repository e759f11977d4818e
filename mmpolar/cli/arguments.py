"""Arguments that several programs have; of other packages this needs NumPy alone."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.model_zoo import DEFAULT_FOLDER
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.image_limits import check_coordinates

#: What takes arguments: a parser, or a group of one.
Parser = argparse._ActionsContainer
_NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?')


def tool_parser(description: str, epilog: str, prog: str | None = None) -> argparse.ArgumentParser:
    """A parser whose help keeps the lines of its texts.

    Args:
        description: What stands before the options.
        epilog: What stands behind them.
        prog: How the command is typed (default: the name of the script).
    """
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_device_argument(parser: Parser) -> None:
    """Add ``--device``, the device of PyTorch."""
    parser.add_argument(
        '--device',
        default='cpu',
        help='device of PyTorch, for example cuda:0 (default: %(default)s)',
    )


def add_box_argument(parser: Parser) -> None:
    """Add ``--box``, once for each target; :func:`read_boxes` reads what it gives.

    The parser must be given its words by :func:`join_box_words`.
    """
    parser.add_argument(
        '--box',
        action='append',
        metavar='X,Y,W,H',
        help='target in the first frame: left,top,width,height in pixels; again for another one',
    )


def add_model_argument(parser: Parser, default: str = DEFAULT_FOLDER) -> None:
    """Add ``--model``, which may be given once.

    Args:
        parser: The parser, or a group of it.
        default: What is used without it, for the help; empty for nothing.
    """
    text = 'a trained tracker, see "mmpolar models", or a folder of "mmpolar export"'
    parser.add_argument(
        '--model',
        metavar='NAME',
        action=_Once,
        help=f'{text} (default: {default})' if default else text,
    )


def add_job_arguments(parser: Parser, items: str) -> None:
    """Add ``--workers`` and ``--ray``, where jobs run; :func:`check_job_arguments` checks them.

    Args:
        parser: The parser, or a group of it.
        items: What a job is about, such as ``'videos'``.
    """
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        metavar='N',
        help=f'{items} at the same time, in processes of this machine (default: %(default)s)',
    )
    parser.add_argument(
        '--ray',
        metavar='ADDRESS',
        help='run on the Ray cluster there, on all its cores; auto for the one of this machine. Needs '
        'mmpolar[ray], and files that all machines see under the same paths',
    )


def check_job_arguments(args: argparse.Namespace) -> None:
    """End with a usage error where the arguments of :func:`add_job_arguments` are wrong."""
    check_counts(args, args.parser, 'workers')
    if args.workers > 1 and args.ray:
        args.parser.error('--workers is for this machine: with --ray the cluster has its cores')


class _Once(argparse.Action):
    """Stores a value, and refuses a second one, which argparse would take without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        earlier = getattr(namespace, self.dest)
        if earlier is not None:
            parser.error(f'{option_string} is given twice, {earlier} and {values}: give one')
        setattr(namespace, self.dest, values)


def check_counts(args: argparse.Namespace, parser: argparse.ArgumentParser, *names: str) -> None:
    """End with a usage error where a count that was given is below 1.

    Args:
        args: The arguments, None where an option was not given.
        parser: Their parser.
        *names: Of the counts, as attributes of ``args``.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')


def join_box_words(argv: Sequence[str] | None) -> list[str]:
    """The words of a command line, in which ``--box 10 20 30 40`` has become ``--box=10,20,30,40``.

    Args:
        argv: The words; None for those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    joined = []
    while words:
        joined.append(words.pop(0))
        if joined[-1] == '--box':
            numbers = []
            while words and len(numbers) < 4 and _NUMBER.fullmatch(words[0]):
                numbers.append(words.pop(0))
            if words and not numbers and ',' in words[0]:
                # As a word of its own, a box that starts with a minus would be taken for an option.
                numbers.append(words.pop(0))
            if numbers:
                joined[-1] = f'--box={",".join(numbers)}'
    return joined


def read_boxes(texts: Sequence[str]) -> NDArray[np.float64]:
    """Boxes (n, 4) xyxy in pixels from texts ``left,top,width,height``.

    Raises:
        ValueError: If a text is not four numbers, or width and height are not above 0.
    """
    boxes = np.array([_read_box(text) for text in texts])
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def read_numbers(text: str, count: int, option: str, form: str) -> list[float]:
    """Numbers with commas between them.

    Args:
        text: What was given.
        count: How many numbers are wanted.
        option: The option, for the message.
        form: What they are, likewise.

    Raises:
        ValueError: If they are not so many numbers.
    """
    numbers = text.split(',')
    if len(numbers) != count or not all(_NUMBER.fullmatch(number.strip()) for number in numbers):
        raise ValueError(f'{option} wants {form}; got {text!r}')
    return [float(number) for number in numbers]


def _read_box(text: str) -> list[float]:
    box = read_numbers(text, 4, '--box', 'left,top,width,height such as 100,80,60,40')
    check_coordinates(box, f'the numbers of --box {text}')
    if min(box[2:]) <= 0:
        raise ValueError(
            f'--box {text}: width and height must be above 0; a box is left,top,width,height in pixels'
        )
    return box


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Options ``KEY=VALUE`` as MMEngine reads them: numbers, lists and tuples get their types.

    Raises:
        ValueError: If a word has no ``=``.
    """
    from mmengine.config import DictAction  # loads PyTorch

    for word in words:
        if '=' not in word:
            raise ValueError(f'--options takes KEY=VALUE, got {word!r}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--options', *words]).options if words else {}


def add_old_option(parser: Parser, old: str, new: argparse.Action) -> None:
    """Accept a renamed option by its old name too, for one release: not in the help, warned about once.

    Args:
        parser: The parser or group that has the new option.
        old: The old name, as in ``'--out-dir'``.
        new: The option, as ``add_argument`` gives it. It must not be required.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> out = parser.add_argument('--out', metavar='DIR')
        >>> add_old_option(parser, '--out-dir', out)
    """
    parser.add_argument(
        old,
        dest=new.dest,
        action=_OldOption,
        new=new,
        nargs=new.nargs,
        type=new.type,
        choices=new.choices,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


class _OldOption(argparse.Action):
    """Does what the new option does, with a warning."""

    def __init__(self, *args: Any, new: argparse.Action, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.new = new

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        name = self.new.option_strings[0]
        warn_deprecated(f'{option_string} of {parser.prog}', name)
        self.new(parser, namespace, values, name)
