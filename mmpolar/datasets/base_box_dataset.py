"""What benchmarks with a box file for each sequence share."""

import os
from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.sequence_files import read_boxes, read_flags
from mmpolar.datasets.track import Track
from mmpolar.utils.issues import ERROR


class BaseBoxDataset(BaseTrackDataset):
    """Sequences with a box file each.

    A subclass says which sequences there are and where the files of one lie. A box with NaN, or
    smaller than ``min_area``, means that the target is absent, and so do the flags that
    :meth:`is_absent` knows. Sequences in which no frame has a target are left out.

    Args:
        one_based: Whether the first pixel has the coordinate 1 in the box files; by default
            :attr:`counts_from_one`.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If a folder, the images or the box file of a sequence do not exist.
        ValueError: If a box file cannot be read, or has another number of lines than images.
    """

    #: Whether the benchmark counts pixels from 1.
    counts_from_one = False

    def __init__(self, *args, one_based: bool | None = None, **kwargs) -> None:
        self.one_based = self.counts_from_one if one_based is None else one_based
        super().__init__(*args, **kwargs)

    @abstractmethod
    def sequence_names(self) -> list[str]:
        """Names of the sequences, in order."""

    @abstractmethod
    def frame_paths(self, name: str) -> list[str]:
        """Paths of a sequence's images, in order; empty if there are none."""

    @abstractmethod
    def box_file(self, name: str) -> str:
        """Path of a sequence's box file."""

    def flag_files(self, name: str) -> dict[str, str]:
        """Files with a number for each frame, by the name of the flag; none by default."""
        return {}

    def is_absent(self, flags: Mapping[str, np.ndarray]) -> np.ndarray | bool:
        """Frames in which the flags say that the target is absent, (T,) bool; none by default."""
        return False

    def details(self, name: str) -> dict:
        """Further values of a sequence's :class:`Track`; none by default."""
        return {}

    @property
    def first_box_only(self) -> bool:
        """Whether the annotation of all frames but the first is withheld."""
        return False

    def load_data_list(self) -> list[Track]:
        """Index the sequences; no image is opened."""
        names = self.sequence_names()
        tracks = [track for name in names for track in self.errors.attempt(self._make_tracks, name)]
        return self._with_target(tracks, 'sequences in which no frame has a target')

    def _make_tracks(self, name: str) -> list[Track]:
        frames = self.frame_paths(name)
        if not frames:
            raise FileNotFoundError(
                f'dataset "{self.name}", sequence "{name}": no images; '
                'add them or take the name out of the list of sequences'
            )
        boxes = read_boxes(self.box_file(name), one_based=self.one_based)
        frames = self.match_frames(name, frames, len(boxes))
        annotated = None
        if self.first_box_only:
            boxes, annotated = _first_of(boxes, len(frames))
        if len(boxes) != len(frames):
            error = ValueError(
                f'dataset "{self.name}", sequence "{name}": {len(frames)} images in '
                f'{os.path.dirname(frames[0])} but {len(boxes)} lines in {self.box_file(name)}; '
                'there must be a line for each image'
            )
            self.errors.report(error)
            frames, boxes = frames[: len(boxes)], boxes[: len(frames)]
        self._note_half_boxes(name, boxes)
        flags = {
            flag: read_flags(path, len(frames)) for flag, path in self.flag_files(name).items()
        }
        boxes[self._without_target(boxes) | self.is_absent(flags)] = np.nan
        track = Track(
            video_name=name,
            frames=frames,
            boxes=boxes,
            annotated=annotated,
            flags=flags,
            **self.details(name),
        )
        return [track]

    def files_of(self, track: Track) -> set[str]:
        """The folder of its frames, its box file and its flag files."""
        name = track.video_name
        return super().files_of(track) | {self.box_file(name), *self.flag_files(name).values()}

    def match_frames(self, name: str, frames: list[str], num_boxes: int) -> list[str]:
        """Images that the lines of the box file belong to; all of them by default."""
        return frames

    def _note_half_boxes(self, name: str, boxes: np.ndarray) -> None:
        """Take down boxes in which some numbers alone are NaN, where errors are collected."""
        unknown = np.isnan(boxes)
        half = np.flatnonzero(unknown.any(axis=1) & ~unknown.all(axis=1))
        if half.size:
            self.errors.note(
                f'dataset "{self.name}", sequence "{name}": NaN and numbers in one box of '
                f'{self.box_file(name)}, lines {", ".join(str(n + 1) for n in half[:10])}',
                ERROR,
            )

    def _without_target(self, boxes: np.ndarray) -> np.ndarray:
        """Frames whose box has NaN or fewer than ``min_area`` square pixels, (T,) bool."""
        sides = boxes[:, 2:] - boxes[:, :2]
        with np.errstate(invalid='ignore'):
            return ~((sides > 0).all(axis=1) & (sides.prod(axis=1) >= self.min_area))


def _first_of(boxes: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The first box and NaN for the other frames, and which frames are annotated."""
    withheld = np.full((length, 4), np.nan)
    withheld[:1] = boxes[:1]
    return withheld, np.arange(length) == 0
