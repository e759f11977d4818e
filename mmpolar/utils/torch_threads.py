"""How many threads PyTorch computes with, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mmpolar.utils.checks import check_at_least


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads on a CPU, and then with as many as before.

    Args:
        count: Threads, at least 1; None to leave the number as it is.

    Raises:
        ValueError: If ``count`` is below 1.
    """
    check_at_least(1, threads=count)
    before = torch.get_num_threads()
    if count in (None, before):
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
