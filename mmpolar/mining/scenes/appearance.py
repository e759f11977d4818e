"""How alike candidates look."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.scenes.perceptual_hash import HASH_BITS, hash_distances, hash_files


@dataclass(frozen=True)
class Appearance:
    """How alike candidates look: by their hashes, and by features of the detector where there are.

    Attributes:
        hashes: Perceptual hash of each image, (P,) uint64.
        hashed: Whether an image could be read, (P,) bool; else its hash says nothing.
        features: What the detector sees in its highest detection, (P, D), each of length 1, or all
            zero where there is none; None without a detector at hand.
    """

    hashes: NDArray[np.uint64]
    hashed: NDArray[np.bool_]
    features: NDArray[np.floating] | None = None

    @classmethod
    def of_files(
        cls, paths: Sequence[str | os.PathLike], features: NDArray[np.floating] | None = None
    ) -> 'Appearance':
        """Of image files; those that cannot be read look like no other."""
        return cls(*hash_files(paths), features)

    def hash_distances(self, index: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
        """In how many bits the hash of a candidate differs from others', (O,).

        All bits differ where one of the two could not be read.
        """
        distances = hash_distances(self.hashes[index], self.hashes[others])
        return np.where(self.hashed[others] & self.hashed[index], distances, HASH_BITS)

    def similarities(self, index: int) -> NDArray[np.float64]:
        """How alike a candidate and each of all are, (P,) in [0, 1].

        It is the cosine of their features; without features, hashes that differ in half of their
        bits, as those of unrelated images do, have similarity 0.
        """
        if self.features is not None:
            return np.clip(self.features @ self.features[index], 0.0, 1.0).astype(np.float64)
        distances = self.hash_distances(index, np.arange(len(self.hashes)))
        return np.maximum(1 - 2 * distances / HASH_BITS, 0.0)
