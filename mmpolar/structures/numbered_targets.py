"""Targets by number."""

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar('T')


class NumberedTargets(Generic[T]):
    """What a tracker remembers of each of its targets, by number, in the order in which they came.

    Numbers count up from 0 and are not given again while the list lives.
    """

    def __init__(self, targets: Iterable[T] = ()) -> None:
        self._targets: dict[int, T] = {}
        self._next_id = 0
        self.add(targets)

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the targets."""
        return tuple(self._targets)

    @property
    def all(self) -> list[T]:
        """What is remembered of each target, in the order of :attr:`ids`."""
        return list(self._targets.values())

    def add(self, targets: Iterable[T]) -> tuple[int, ...]:
        """Append targets; returns their numbers."""
        added = dict(enumerate(targets, start=self._next_id))
        self._targets.update(added)
        self._next_id += len(added)
        return tuple(added)

    def remove(self, target_id: int) -> None:
        """Let go of a target.

        Raises:
            KeyError: If there is no target of that number.
        """
        if target_id not in self._targets:
            raise KeyError(f'there is no target {target_id}; those followed are {list(self.ids)}')
        del self._targets[target_id]

    def __len__(self) -> int:
        """How many targets there are."""
        return len(self._targets)
