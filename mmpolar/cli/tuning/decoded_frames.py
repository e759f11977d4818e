"""Frames of validation videos, decoded once for all trials and all processes."""

import os
from collections.abc import Hashable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets import BaseTrackDataset
from mmpolar.structures.target import Target
from mmpolar.utils.image import read_image
from mmpolar.utils.progress import progress_bar


class DecodedFrames:
    """Frames and targets of a dataset, most of them in a file of decoded pixels.

    The file is mapped into memory: processes share its pages, and where memory is short the system
    drops pages and reads them again, which costs less than decoding. What does not fit the file is
    decoded again whenever it is wanted. A process gets this object by pickling.

    Args:
        dataset: Dataset in test mode.
        max_frames: Frames of each track, from the first; 0 for all.
    """

    def __init__(self, dataset: BaseTrackDataset, max_frames: int = 0) -> None:
        self.dataset = dataset
        self.max_frames = max_frames
        self._path: Path | None = None
        # Where arrays lie in the file: images by path, masks by track and frame.
        self._spans: dict[Hashable, tuple[int, tuple[int, ...]]] = {}
        self._boxes: dict[tuple[int, int], NDArray | None] = {}

    def length(self, track: int) -> int:
        """Frames of a track that are used."""
        length = self.dataset.get_len_per_video(track)
        return min(length, self.max_frames) if self.max_frames else length

    @property
    def num_frames(self) -> int:
        """Frames of all tracks that are used."""
        return sum(self.length(track) for track in range(self.dataset.num_videos))

    def decode(self, folder: str | os.PathLike, budget: int, progress: bool = True) -> float:
        """Write decoded frames and masks, track by track, until the budget is used up.

        Args:
            folder: Folder for the file; it must live as long as this object.
            budget: Largest size of the file in bytes.
            progress: Whether to show a progress bar.

        Returns:
            The share of the frames that are in the file.
        """
        self._path = Path(folder) / 'frames.raw'
        tracks = range(self.dataset.num_videos)
        frames = [(track, frame) for track in tracks for frame in range(self.length(track))]
        with self._path.open('wb') as file:
            for key in progress_bar(frames, desc='decoding', unit='frame', shown=progress):
                image, target = self._read(*key)
                arrays = {self._image_path(*key): image}
                if target is not None and target.mask is not None:
                    arrays[key] = target.mask
                arrays = {name: array for name, array in arrays.items() if name not in self._spans}
                if file.tell() + sum(array.nbytes for array in arrays.values()) > budget:
                    continue
                self._boxes[key] = None if target is None else target.box
                for name, array in arrays.items():
                    self._spans[name] = (file.tell(), array.shape)
                    file.write(np.ascontiguousarray(array).data)
        return len(self._boxes) / max(1, len(frames))

    def get(self, track: int, frame: int) -> tuple[NDArray[np.uint8], Target | None]:
        """Image, (H, W, 3) BGR, and target of a frame; None where it is absent or unknown."""
        if (track, frame) not in self._boxes:
            return self._read(track, frame)
        box = self._boxes[track, frame]
        mask = self._map((track, frame)) if (track, frame) in self._spans else None
        image = self._map(self._image_path(track, frame))
        return image, None if box is None else Target(box, mask)

    def _image_path(self, track: int, frame: int) -> str:
        return self.dataset.get_track(track).frames[frame]

    def _read(self, track: int, frame: int) -> tuple[NDArray[np.uint8], Target | None]:
        entry = self.dataset.get_track(track)
        return read_image(entry.frames[frame]), self.dataset.read_target(entry, frame)

    def _map(self, name: Hashable) -> NDArray[np.uint8]:
        start, shape = self._spans[name]
        return np.memmap(self._path, np.uint8, 'r', start, shape)
