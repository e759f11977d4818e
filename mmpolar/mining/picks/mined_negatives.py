import zlib

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmpolar.utils.checks import check_at_least

#: Fields of a slot before its picks: the round, the number of picks, and their checksum.
_ROUND, _COUNT, _CHECKSUM, _HEADER = range(4)


class MinedNegatives:
    """The picks of the current mining round, where data loader workers see them at once.

    The picks lie in shared memory, so that workers (forked or spawned, also persistent ones) read
    what the main process publishes without being restarted. One process publishes; any number
    read. A reader gets the picks of one round whole, never parts of two: they are written into
    the one of two slots that no reader is sent to, and then the version is raised, which sends
    readers there. A slot is read again if it was overwritten, which the version and a checksum
    tell.

    Negatives may also be excluded: those that left the pool, and those that nobody has looked at yet
    though they may show a target.

    A deep copy, or one from ``pickle``, is independent: it has the same picks in shared memory of
    its own. Sent to a worker by ``multiprocessing``, it stays the same memory.

    Args:
        capacity: Number of images of the pool, which is the largest number of picks.

    Attributes:
        capacity: Number of images of the pool.

    Raises:
        ValueError: If ``capacity`` is negative.
    """

    def __init__(self, capacity: int) -> None:
        check_at_least(0, capacity=capacity)
        self.capacity = capacity
        self._version = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._slots = torch.zeros(2, _HEADER + capacity, dtype=torch.int64).share_memory_()
        self._excluded = torch.zeros(capacity, dtype=torch.bool).share_memory_()
        self._last_read: tuple[int, NDArray[np.int64], int] | None = None
        self.clear()

    def publish(self, indices: ArrayLike, round_number: int) -> None:
        """Make the picks of a round those that readers get from now on.

        Args:
            indices: Indices of the picks in the pool, of shape (K,), hardest first.
            round_number: Number of the round, from 1.

        Raises:
            ValueError: If the indices are not whole numbers of the pool, are more than it has, or
                the round is no positive number. What was published before stays then.
        """
        picks = self._checked(indices)
        if round_number < 1:
            raise ValueError(f'rounds count from 1, got round_number={round_number}')
        self._write(picks, round_number)

    def clear(self) -> None:
        """Remove the picks: readers get none, and round 0, from now on."""
        self._write(np.empty(0, dtype=np.int64), 0)

    def read(self) -> tuple[NDArray[np.int64], int]:
        """Picks and number of the current round.

        Returns:
            Indices in the pool, of shape (K,), hardest first, not to be written to; and the round,
            from 1. No indices and 0 before the first round.
        """
        while True:
            version = int(self._version)
            if self._last_read is None or self._last_read[0] != version:
                slot = self._slots[version % 2].numpy().copy()
                is_whole = slot[_CHECKSUM] == _checksum(slot) and int(self._version) == version
                if not is_whole:
                    continue
                picks = slot[_HEADER : _HEADER + slot[_COUNT]]
                picks.flags.writeable = False
                self._last_read = (version, picks, int(slot[_ROUND]))
            return self._last_read[1:]

    def exclude(self, indices: ArrayLike) -> None:
        """Let readers sample these negatives no more, and all others again.

        Args:
            indices: Indices in the pool, of shape (E,).

        Raises:
            ValueError: As for :meth:`publish`; what was excluded before stays so then.
        """
        chosen = np.zeros(self.capacity, bool)
        chosen[self._checked(indices)] = True
        self._excluded.numpy()[:] = chosen

    @property
    def excluded(self) -> NDArray[np.bool_]:
        """Whether each negative of the pool is excluded, (P,); not to be written to."""
        return self._excluded.numpy()

    def __getstate__(self) -> dict:
        return self.__dict__ | dict(_last_read=None)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        # Copies that did not come through multiprocessing arrive in memory of their own.
        self._version.share_memory_()
        self._slots.share_memory_()
        self._excluded.share_memory_()

    def _checked(self, indices: ArrayLike) -> NDArray[np.int64]:
        picks = np.asarray(indices)
        if picks.ndim != 1 or (len(picks) and picks.dtype.kind not in 'iu'):
            raise ValueError(
                'picks must be whole numbers of shape (K,), '
                f'got {picks.dtype} of shape {picks.shape}'
            )
        if len(picks) > self.capacity:
            raise ValueError(
                f'{len(picks)} picks are more than the {self.capacity} images of the pool; '
                'give each image at most once'
            )
        outside = picks[(picks < 0) | (picks >= self.capacity)]
        if len(outside):
            raise ValueError(
                f'pick {outside[0]} is not in the pool of {self.capacity} images; '
                'mine the pool that the training dataset has'
            )
        return picks.astype(np.int64)

    def _write(self, picks: NDArray[np.int64], round_number: int) -> None:
        version = int(self._version) + 1
        slot = self._slots[version % 2].numpy()
        slot[_ROUND] = round_number
        slot[_COUNT] = len(picks)
        slot[_HEADER : _HEADER + len(picks)] = picks
        slot[_CHECKSUM] = _checksum(slot)
        self._version[0] = version


def _checksum(slot: NDArray[np.int64]) -> int:
    """Of a slot's round, number of picks, and picks."""
    picks = slot[_HEADER : _HEADER + slot[_COUNT]]
    return zlib.crc32(picks, zlib.crc32(slot[:_CHECKSUM]))
