"""Lists of names in messages."""

from collections.abc import Iterable


def abridged(names: Iterable[object], limit: int = 10) -> str:
    """The first names of a list and how many more there are.

    Args:
        names: The list.
        limit: How many to name, at least 1.

    Example:
        >>> abridged(['a', 'b', 'c'], limit=2)
        'a, b and 1 more'
    """
    listed = [str(name) for name in names]
    more = f' and {len(listed) - limit} more' if len(listed) > limit else ''
    return ', '.join(listed[:limit]) + more
