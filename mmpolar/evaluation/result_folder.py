"""Reading back the tracks that :class:`~mmpolar.evaluation.metrics.DumpTrackResults` writes."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.utils.file_names import video_path_parts


@dataclass(frozen=True)
class StoredTrack:
    """What a tracker answered in one video.

    Attributes:
        boxes: (T, 4) float64 xyxy, pixel centres at integers; NaN where nothing was found.
        scores: (T,) float64; NaN where nothing was found, or no scores were written.
        mask_paths: T mask files; None for a frame without one. None if no mask was written.
        polygons: T contours (V, 2) float64; None for a frame without one. None if none was written.
        seconds: (T,) float64, measured time of each frame; NaN where it was not measured.
    """

    boxes: np.ndarray
    scores: np.ndarray
    mask_paths: list[Path | None] | None
    polygons: list[np.ndarray | None] | None
    seconds: np.ndarray


def holds_results(path: str | os.PathLike) -> bool:
    """Whether a folder holds the track of any video."""
    folders = (Path(path, kind) for kind in ('boxes', 'masks', 'polygons'))
    return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)


class ResultFolder:
    """The folder that ``tools/test.py --out`` writes, one tracker's answers on one dataset.

    Args:
        path: The folder, with ``boxes/`` and perhaps ``masks/`` and ``polygons/`` in it.
        name: Name of the tracker in plots and tables; by default the folder's.

    Attributes:
        path: The folder.
        name: Name of the tracker.

    Raises:
        FileNotFoundError: If the folder has no ``boxes/``.
    """

    def __init__(self, path: str | os.PathLike, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.resolve().name
        if not (self.path / 'boxes').is_dir():
            raise FileNotFoundError(
                f'{self.path} holds no results: it has no folder boxes; give a folder that '
                '"tools/test.py CONFIG CHECKPOINT --out FOLDER" wrote'
            )

    @classmethod
    def parse(cls, text: str) -> 'ResultFolder':
        """The folder that ``NAME=FOLDER`` or ``FOLDER`` on a command line means.

        Raises:
            FileNotFoundError: See :class:`ResultFolder`.
        """
        name, sign, path = text.partition('=')
        return cls(path, name) if sign and not os.path.isdir(text) else cls(text)

    @property
    def has_masks(self) -> bool:
        """Whether any mask was written."""
        return (self.path / 'masks').is_dir()

    def has(self, video_name: str) -> bool:
        """Whether a video's track was written."""
        return self._boxes_file(video_name).is_file()

    def read(self, video_name: str, frames: Sequence[str]) -> StoredTrack:
        """Track of one video.

        Args:
            video_name: Name of the track in its dataset.
            frames: Paths of the video's images, from whose names those of the masks follow.

        Returns:
            The track; masks stay in their files.

        Raises:
            FileNotFoundError: If the video's track was not written.
            ValueError: If the track has another number of frames, or a file cannot be read.
        """
        file = self._boxes_file(video_name)
        if not file.is_file():
            raise FileNotFoundError(
                f'results "{self.name}" have no track of video {video_name!r}: {file} does not '
                'exist; test the same dataset, to the end'
            )
        boxes = _read_numbers(file, columns=4)
        if len(boxes) != len(frames):
            raise ValueError(
                f'{file} has {len(boxes)} lines for the {len(frames)} frames of video '
                f'{video_name!r}; test the same dataset'
            )
        scores = _read_column(file.with_name(f'{file.stem}_scores.txt'), len(boxes))
        lost = ~(boxes[:, 2:] > 0).any(axis=1)
        start = boxes[:, :2] - HALF_PIXEL
        corners = np.concatenate([start, start + boxes[:, 2:]], axis=1)
        return StoredTrack(
            boxes=np.where(lost[:, None], np.nan, corners),
            scores=np.where(lost, np.nan, scores),
            mask_paths=self._mask_paths(video_name, frames),
            polygons=self._read_polygons(video_name, len(frames)),
            seconds=_read_column(file.with_name(f'{file.stem}_seconds.txt'), len(boxes)),
        )

    def _boxes_file(self, video_name: str) -> Path:
        stem = self.path / 'boxes' / video_path_parts(video_name)
        return stem.with_name(f'{stem.name}.txt')

    def _mask_paths(self, video_name: str, frames: Sequence[str]) -> list[Path | None] | None:
        folder = self.path / 'masks' / video_path_parts(video_name)
        if not folder.is_dir():
            return None
        stems = [Path(frame).stem for frame in frames]
        if len(set(stems)) < len(stems):
            stems = [f'{index:05d}' for index in range(len(stems))]
        written = {entry.name for entry in os.scandir(folder)}
        names = [f'{stem}.png' for stem in stems]
        return [folder / name if name in written else None for name in names]

    def _read_polygons(self, video_name: str, length: int) -> list[np.ndarray | None] | None:
        stem = self.path / 'polygons' / video_path_parts(video_name)
        file = stem.with_name(f'{stem.name}.json')
        if not file.is_file():
            return None
        polygons = [entry['polygon'] for entry in json.loads(file.read_text(encoding='utf-8'))]
        if len(polygons) != length:
            raise ValueError(f'{file} has {len(polygons)} contours for {length} frames')
        return [None if points is None else np.array(points, float) for points in polygons]


def _read_column(file: Path, length: int) -> np.ndarray:
    """A number for each frame, (length,); NaN where there is no such file."""
    if not file.is_file():
        return np.full(length, np.nan)
    values = _read_numbers(file, columns=1)[:, 0]
    if len(values) != length:
        raise ValueError(f'{file} has {len(values)} lines for {length} frames')
    return values


def _read_numbers(file: Path, columns: int) -> np.ndarray:
    """Numbers of a file, (T, columns) float64."""
    try:
        return np.loadtxt(file, delimiter=',', dtype=np.float64, ndmin=2).reshape(-1, columns)
    except ValueError as error:
        raise ValueError(f'{file} is no file of {columns} numbers a line: {error}') from error
