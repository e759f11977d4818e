"""Measuring several ways of doing the same thing side by side."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

#: Does some of the work that is compared and returns the seconds that a unit of it took.
Way = Callable[[], float]


class Spread(NamedTuple):
    """Least, middle and greatest of several measurements."""

    minimum: float
    median: float
    maximum: float


def spread(values: Sequence[float]) -> Spread:
    """Least, middle and greatest value.

    Raises:
        ValueError: If there is no value.
    """
    if not values:
        raise ValueError('no measurement to sum up; measure at least once')
    return Spread(min(values), statistics.median(values), max(values))


def interleave(
    ways: Mapping[str, Way],
    repeats: int,
    warm_up: bool = True,
    tick: Callable[[str], None] = lambda name: None,
) -> dict[str, list[float]]:
    """Measure all ways in turn, again and again, so that a disturbance meets all of them.

    Every round begins with another way.

    Args:
        ways: What to measure, by name.
        repeats: Rounds, at least 1.
        warm_up: Whether to run each way once before, without counting it.
        tick: Called with a way's name before each of its runs.

    Returns:
        Seconds a unit of work, one value a round, by name in the order given.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    if warm_up:
        for name in names:
            tick(name)
            ways[name]()
    for number in range(repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            tick(name)
            seconds[name].append(ways[name]())
    return seconds


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How many times as long the others take: rounds are compared one by one.

    Args:
        ours: Our seconds, one value a round.
        theirs: Theirs, of the same rounds.

    Returns:
        Spread of the quotients; above 1 where we are faster.
    """
    return spread([other / own for own, other in zip(ours, theirs, strict=True)])


def calls(function: Callable[..., Any], *args: Any, least_seconds: float = 0.05) -> Way:
    """A way that calls a function again and again.

    Args:
        function: What to call.
        args: Its arguments.
        least_seconds: A measurement lasts at least this long, or one call.

    Returns:
        A way whose unit of work is one call.
    """

    def run() -> float:
        count, elapsed = 0, 0.0
        begin = time.perf_counter()
        while count == 0 or elapsed < least_seconds:
            function(*args)
            count += 1
            elapsed = time.perf_counter() - begin
        return elapsed / count

    return run


def once(function: Callable[..., Any], *args: Any) -> Way:
    """A way that calls a slow function one single time."""
    return calls(function, *args, least_seconds=0.0)
