"""Seeded permutations of a list, one after the other: every item is used equally often."""

from functools import lru_cache

import numpy as np


def permuted_index(step: int, length: int, key: tuple[int, ...]) -> int:
    """Index that comes at a step of a sequence of permutations of 0 .. length - 1.

    Args:
        step: Number of indices before this one, at least 0.
        length: Number of items, at least 1.
        key: Seed of the order, numbers of at least 0; other keys give other permutations.

    Returns:
        The index.
    """
    number, position = divmod(step, length)
    return int(_permutation(length, *key, number)[position])


@lru_cache(maxsize=32)
def _permutation(length: int, *key: int) -> np.ndarray:
    return np.random.default_rng(key).permutation(length)
