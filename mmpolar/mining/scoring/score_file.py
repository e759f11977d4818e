"""Scores of a mining round on the disk, so that a round that was cut off goes on where it was."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from mmpolar.utils.atomic_write import atomic_path, atomic_write


class ScoreFile:
    """Scores of a round, in a file for each process: a float for each negative, NaN until it is scored.

    The files are mapped into memory, so that a process that is killed has lost nothing it had written, and
    their size does not grow. They are used again only by a round of the same description: of the same
    pool, model and settings.

    Args:
        stem: Path of the files without their ends, which name the process.
        pool_size: Number of negatives.
        description: What scores depend on, as plain values.
        rank: Number of this process.
    """

    def __init__(
        self,
        stem: str | os.PathLike,
        pool_size: int,
        description: Mapping[str, object],
        rank: int = 0,
    ) -> None:
        self._stem = Path(stem)
        self._pool_size = pool_size
        self._description = json.dumps(description, sort_keys=True)
        self._rank = rank
        self._own: np.memmap | None = None

    def read(self) -> NDArray[np.float32]:
        """Scores that were written before, of all processes, shape (P,); NaN where there is none."""
        scores = np.full(self._pool_size, np.nan, np.float32)
        if self._is_ours():
            for path in self._files():
                written = np.load(path, mmap_mode='r')
                if written.shape == scores.shape:
                    np.copyto(scores, written, where=~np.isnan(written))
        return scores

    def start(self) -> None:
        """Make ready to write, in the first process before any other; files of another round go."""
        if not self._is_ours():
            self.remove()
            atomic_write(self._description_path, self._description)

    def write(self, indices: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Write scores of this process.

        Args:
            indices: Negatives, as indices in the pool, shape (S,).
            scores: Their scores, shape (S,).
        """
        if self._own is None:
            self._own = self._open()
        self._own[indices] = scores

    def remove(self) -> None:
        """Remove the files of all processes, once the round is done."""
        self._own = None
        self._description_path.unlink(missing_ok=True)
        for path in self._files():
            path.unlink(missing_ok=True)

    @property
    def _description_path(self) -> Path:
        return self._stem.with_name(f'{self._stem.name}.txt')

    def _files(self) -> list[Path]:
        return sorted(self._stem.parent.glob(f'{self._stem.name}_rank*.npy'))

    def _is_ours(self) -> bool:
        path = self._description_path
        return path.is_file() and path.read_text(encoding='utf-8') == self._description

    def _open(self) -> np.memmap:
        path = self._stem.with_name(f'{self._stem.name}_rank{self._rank}.npy')
        if not path.is_file():
            with atomic_path(path, suffix='.npy') as unfinished:
                np.save(unfinished, np.full(self._pool_size, np.nan, np.float32))
        return open_memmap(path, mode='r+')
