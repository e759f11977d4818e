"""Errors of a dataset's annotations: raised at once, or collected."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar('T')


class AnnotationErrors:
    """What cannot be indexed: raised where training and testing start, collected in a check.

    Attributes:
        messages: The errors so far.
        collects: Whether errors are collected instead of being raised.
    """

    def __init__(self, collects: bool = False) -> None:
        self.collects = collects
        self.messages: list[str] = []

    def report(self, error: Exception) -> None:
        """Raise an error of the data, or collect it."""
        if not self.collects:
            raise error
        self.messages.append(str(error))

    def note(self, message: str) -> None:
        """Collect what is wrong but does not stop training and testing."""
        if self.collects:
            self.messages.append(message)

    def attempt(self, make: Callable[..., list[T]], *args: Any) -> list[T]:
        """The list that a function makes; an empty one where it fails and errors are collected."""
        try:
            return make(*args)
        except (OSError, ValueError) as error:
            self.report(error)
            return []
