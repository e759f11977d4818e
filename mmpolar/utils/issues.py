"""What a check finds, told without stopping at the first mistake."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmpolar.utils.deprecation import warn_deprecated

ERROR, NOTE = 'error', 'note'


@dataclass(frozen=True)
class Issue:
    """Something that a check found.

    Attributes:
        level: ``error``, which must be put right, or ``note``, which may be meant so.
        kind: What it is, in a word or two: the issues of a summary are counted by it.
        where: A track, a sequence, a file.
        message: What is wrong.
    """

    level: str
    kind: str
    where: str
    message: str

    @property
    def place(self) -> str:
        """Old name of :attr:`where`."""
        warn_deprecated('Issue.place', 'Issue.where')
        return self.where

    def __str__(self) -> str:
        """One line."""
        return f'{self.level.upper():5s} {self.kind}: {self.where}: {self.message}'


def format_summary(issues: Sequence[Issue]) -> str:
    """How often each kind was found, a line each below the totals."""
    counts = Counter((issue.level, issue.kind) for issue in issues)
    errors = sum(count for (level, _), count in counts.items() if level == ERROR)
    lines = [f'{errors} errors, {len(issues) - errors} notes']
    lines += [f'  {count:6d} {level:5s} {kind}' for (level, kind), count in sorted(counts.items())]
    return '\n'.join(lines)


def has_errors(issues: Iterable[Issue]) -> bool:
    """Whether anything must be put right."""
    return any(issue.level == ERROR for issue in issues)
