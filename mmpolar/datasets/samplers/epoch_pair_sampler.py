"""Pair indices that carry their epoch, split over the ranks."""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmpolar.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class EpochPairSampler(Sampler[int]):
    """Pair indices that carry their epoch, shuffled and split over the ranks.

    ``TrackPairDataset`` samples a pair from its index alone, so the epoch reaches workers that
    outlive an epoch, and a resumed epoch equals that of an unbroken run. Each index is given once
    over all ranks; where the ranks do not divide the length, those left over (fewer than the
    ranks, others in each epoch) are left out, so that all ranks have equally many.

    Args:
        dataset: The dataset.
        seed: Seed of the order, the same on all ranks; None for one that the ranks agree on.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.rank, self.world_size = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        """Indices of this rank in the current epoch."""
        indices = epoch_indices(len(self.dataset), self.epoch, self.seed)
        return iter(shard(indices, self.rank, self.world_size).tolist())

    def __len__(self) -> int:
        """Number of indices of this rank in an epoch."""
        return len(self.dataset) // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, from 0; MMEngine's loops do so before each."""
        self.epoch = epoch


def epoch_indices(length: int, epoch: int, seed: int) -> np.ndarray:
    """Indices of an epoch in random order.

    Args:
        length: Length of the dataset.
        epoch: The epoch, from 0.
        seed: Seed of the order.

    Returns:
        The numbers from ``epoch * length`` up to ``(epoch + 1) * length - 1``, int64.
    """
    return epoch * length + np.random.default_rng([seed, epoch]).permutation(length)


def shard(indices: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """Part of one rank: every ``world_size``-th index, equally many on all ranks.

    Args:
        indices: Indices of shape (N,), the same on all ranks.
        rank: The rank, from 0.
        world_size: Number of ranks.

    Returns:
        Indices of shape (N // world_size,).
    """
    usable = len(indices) // world_size * world_size
    return indices[rank:usable:world_size]
