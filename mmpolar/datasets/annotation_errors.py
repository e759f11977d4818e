"""Errors of a dataset's annotations: raised at once, or collected."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

from mmpolar.utils.issues import ERROR, NOTE

T = TypeVar('T')

#: What a malformed file may raise while it is read, besides an OSError.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    ParseError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class AnnotationError(ValueError):
    """An annotation cannot be used; the message names its file, its location and the remedy."""


@contextmanager
def located(location: str) -> Iterator[None]:
    """Turn whatever a malformed annotation raises into one error that says where it is.

    Args:
        location: File, and what in the file is read; stands before the reason.

    Raises:
        AnnotationError: If the block raises one of ``MALFORMED``; one that is located already
            gets the location before its own.

    Example:
        >>> with located('a.json: shape 3'):
        ...     dict(label='cat')['points']
        Traceback (most recent call last):
        mmpolar.datasets.annotation_errors.AnnotationError: a.json: shape 3: 'points' is missing
    """
    try:
        yield
    except MALFORMED as error:
        raise AnnotationError(f'{location}: {_reason(error)}') from error


class AnnotationErrors:
    """What cannot be indexed: raised where training and testing start, collected in a check.

    Attributes:
        issues: Level and message of what was collected.
        collects: Whether errors are collected instead of being raised.
    """

    def __init__(self, collects: bool = False) -> None:
        self.collects = collects
        self.issues: list[tuple[str, str]] = []

    @property
    def messages(self) -> list[str]:
        """The errors so far."""
        return [message for level, message in self.issues if level == ERROR]

    def report(self, error: Exception) -> None:
        """Raise an error of the data, or collect it."""
        if not self.collects:
            raise error
        self.issues.append((ERROR, str(error)))

    def note(self, message: str, level: str = NOTE) -> None:
        """Collect what does not stop training and testing: a note, or what is learned wrongly."""
        if self.collects:
            self.issues.append((level, message))

    def attempt(self, make: Callable[..., list[T]], *args: Any) -> list[T]:
        """The list that a function makes; an empty one where it fails and errors are collected.

        Raises:
            OSError: If a file is missing, and errors are not collected.
            ValueError: If one is malformed, likewise.
        """
        try:
            return make(*args)
        except OSError as error:
            self.report(error)
        except MALFORMED as error:
            is_told = isinstance(error, ValueError)
            self.report(error if is_told else AnnotationError(_reason(error)))
        return []


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f'{error.args[0]!r} is missing' if error.args else 'an entry is missing'
    return str(error) or type(error).__name__
