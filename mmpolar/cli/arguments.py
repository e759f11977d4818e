"""Arguments that several programs have. Standard library and ``mmpolar.utils.deprecation`` only."""

import argparse
from typing import Any

from mmpolar.utils.deprecation import warn_deprecated

#: What takes arguments: a parser, or a group of one.
Parser = argparse._ActionsContainer


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
