"""Work that every rank does and that fails on all of them or on none."""

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import all_gather_object

Result = TypeVar('Result')


def on_all_ranks(work: Callable[[], Result]) -> list[Result]:
    """Do something on each rank and exchange the results.

    A rank that fails still takes part in the exchange, so that none waits for it for ever.

    Args:
        work: What to do; it may raise, and must not wait for other ranks.

    Returns:
        The results of all ranks, in their order.

    Raises:
        Exception: What ``work`` raised on this rank.
        RuntimeError: If ``work`` raised on another rank; it is named.
    """
    result, error = None, None
    try:
        result = work()
    except Exception as caught:  # Whatever it is, the other ranks must hear of it.
        error = caught
    reason = None if error is None else f'{type(error).__name__}: {error}'
    gathered = all_gather_object((result, reason))
    if error is not None:
        raise error
    for rank, (_, reason) in enumerate(gathered):
        if reason is not None:
            raise RuntimeError(f'rank {rank} failed, so this one stops too: {reason}')
    return [result for result, _ in gathered]
