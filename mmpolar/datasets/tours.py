"""Walks that use every item of a list equally often, in an order that numbers alone decide."""

from functools import lru_cache

import numpy as np


def step_of_tour(turn: int, length: int, key: tuple[int, ...]) -> int:
    """Where a walk is that goes through all of 0 .. length - 1 again and again, shuffled anew.

    Args:
        turn: Steps of the walk before this one, at least 0.
        length: Number of items, at least 1.
        key: What the order depends on, numbers of at least 0; walks with other keys differ.

    Returns:
        The item.
    """
    tour, step = divmod(turn, length)
    return int(_tour(length, *key, tour)[step])


@lru_cache(maxsize=32)
def _tour(length: int, *key: int) -> np.ndarray:
    """Order in which one walk through all items takes them."""
    return np.random.default_rng(key).permutation(length)
