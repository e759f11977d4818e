"""Validation videos, decoded once for all trials and all processes."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets import BaseTrackDataset
from mmpolar.structures.target import Target
from mmpolar.utils.image import read_image
from mmpolar.utils.processes import process_is_gone, this_process
from mmpolar.utils.progress import progress_bar

_FILE = 'frames.raw'
_PREFIX = '.frames'


@dataclass(frozen=True)
class _Span:
    """Where an array of bytes lies in the file."""

    start: int
    shape: tuple[int, ...]


class ValidationData:
    """Frames and targets of a dataset, most of them in a file of decoded pixels.

    The file is mapped into memory: the processes share its pages, and where memory is short the
    system drops pages and reads them again, which costs less than decoding. What does not fit the
    file is decoded anew whenever it is wanted. A process gets this object by pickling.

    Args:
        dataset: Dataset in test mode.
        tracks: Numbers of its tracks to use.
        max_frames: Frames of each track, from the first; 0 for all.

    Attributes:
        dataset: See above.
        tracks: See above.
    """

    def __init__(
        self, dataset: BaseTrackDataset, tracks: Sequence[int], max_frames: int = 0
    ) -> None:
        self.dataset = dataset
        self.tracks = list(tracks)
        self.max_frames = max_frames
        self._path: Path | None = None
        self._images: dict[str, _Span] = {}
        self._masks: dict[tuple[int, int], _Span] = {}
        self._boxes: dict[tuple[int, int], NDArray | None] = {}
        self._pixels: NDArray[np.uint8] | None = None

    def length(self, track: int) -> int:
        """Frames of a track that are used."""
        length = self.dataset.get_len_per_video(track)
        return min(length, self.max_frames) if self.max_frames else length

    @property
    def num_frames(self) -> int:
        """Frames of all tracks that are used."""
        return sum(self.length(track) for track in self.tracks)

    def decode(self, folder: str | os.PathLike, budget: int, progress: bool = True) -> float:
        """Write decoded frames and masks, track by track, until the budget is used up.

        Args:
            folder: Folder for the file; it must live as long as this object.
            budget: Largest size of the file in bytes.
            progress: Whether to show a progress bar.

        Returns:
            The share of the frames that are in the file.
        """
        self._path = Path(folder) / _FILE
        kept = 0
        with self._path.open('wb') as file:
            for track, frame in progress_bar(
                list(self._frames()), desc='decoding', unit='frame', shown=progress
            ):
                image, target = self._read(track, frame)
                path = self._image_path(track, frame)
                parts = [] if path in self._images else [image]
                if target is not None and target.mask is not None:
                    parts.append(target.mask)
                if file.tell() + sum(part.nbytes for part in parts) > budget:
                    continue
                if path not in self._images:
                    self._images[path] = _append(file, image)
                self._boxes[track, frame] = None if target is None else target.box
                if target is not None and target.mask is not None:
                    self._masks[track, frame] = _append(file, target.mask)
                kept += 1
        return kept / max(1, self.num_frames)

    def get(self, track: int, frame: int) -> tuple[NDArray[np.uint8], Target | None]:
        """Image, (H, W, 3) BGR, and target of a frame; None where it is absent or unknown."""
        if (track, frame) not in self._boxes:
            return self._read(track, frame)
        box = self._boxes[track, frame]
        mask = self._masks.get((track, frame))
        image = self._view(self._images[self._image_path(track, frame)])
        target = None if box is None else Target(box, None if mask is None else self._view(mask))
        return image, target

    def __getstate__(self) -> dict:
        """State for another process, which maps the file itself."""
        return self.__dict__ | dict(_pixels=None)

    def _frames(self) -> Iterator[tuple[int, int]]:
        for track in self.tracks:
            for frame in range(self.length(track)):
                yield track, frame

    def _image_path(self, track: int, frame: int) -> str:
        return self.dataset.get_track(track).frames[frame]

    def _read(self, track: int, frame: int) -> tuple[NDArray[np.uint8], Target | None]:
        entry = self.dataset.get_track(track)
        return read_image(entry.frames[frame]), self.dataset.read_target(entry, frame)

    def _view(self, span: _Span) -> NDArray[np.uint8]:
        if self._pixels is None:
            self._pixels = np.memmap(self._path, np.uint8, mode='r')
        size = int(np.prod(span.shape))
        return self._pixels[span.start : span.start + size].reshape(span.shape)


@contextmanager
def scratch_folder(parent: str | os.PathLike) -> Iterator[Path]:
    """A folder for decoded frames; those that killed runs of this machine left are removed first."""
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    host, number = this_process()
    for left in parent.glob(f'{_PREFIX}_*_{host}_*'):
        if process_is_gone([host, int(left.name.split('_')[1])]):
            shutil.rmtree(left, ignore_errors=True)
    prefix = f'{_PREFIX}_{number}_{host}_'
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
        yield Path(folder)


def _append(file, array: NDArray[np.uint8]) -> _Span:
    span = _Span(file.tell(), array.shape)
    file.write(np.ascontiguousarray(array).data)
    return span
