"""Shapes of a file that are not used, counted by kind and reason."""

from collections import Counter

import numpy as np


class LeftOut:
    """What a reader leaves out of a file without an error.

    Attributes:
        counts: How many, by kind and reason.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, kind: str, reason: str, location: str) -> None:
        """Count one.

        Args:
            kind: What it is, such as 'polyline'.
            reason: Why it is not used.
            location: Where it is.
        """
        self.counts[kind, reason] += 1
        self._first.setdefault((kind, reason), location)

    def keeps(self, mask: np.ndarray, kind: str, location: str) -> bool:
        """Whether a mask covers a pixel; counted if not."""
        if mask.any():
            return True
        self.add(kind, 'covers no pixel of the image', location)
        return False

    def lines(self) -> list[str]:
        """A line for each kind and reason, with the first location."""
        return [
            f'{count} {kind}: {reason} (first: {self._first[kind, reason]})'
            for (kind, reason), count in self.counts.items()
        ]
