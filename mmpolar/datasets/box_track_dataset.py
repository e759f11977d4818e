"""Videos with a box for every frame and no masks."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmpolar.datasets.base_track_dataset import BaseTrackDataset, make_track
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images

#: Where the images of a sequence may be, below its folder, in the order of search.
_IMAGE_FOLDERS = ('', 'frames', 'img', 'color')
#: Names of the box file of a sequence, in the order of search.
_BOX_FILES = ('groundtruth.txt', 'groundtruth_rect.txt')
#: These files count coordinates from the corner of the first pixel, mmpolar from its centre.
_CORNER_TO_CENTRE = -0.5


@DATASETS.register_module()
class BoxTrackDataset(BaseTrackDataset):
    """Videos with boxes, a folder a sequence, as in OTB, VOT, GOT-10k, UAV123 or LaSOT.

    The images of a sequence lie in its folder or in ``frames/``, ``img/`` or ``color/`` below it.
    ``groundtruth.txt`` or ``groundtruth_rect.txt`` has a line a frame, separated by commas, tabs
    or spaces: ``x, y, width, height``, or the eight coordinates of a rotated rectangle, whose
    enclosing upright box is used. A line with NaN, or a box smaller than ``min_area``, means that
    the target is absent.

    Args:
        data_root: Folder of the sequences.
        sequences: Names of the sequences to use; None for all folders in ``data_root``.
        one_based: Whether the first pixel has the coordinate 1, as in OTB.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If a folder, the images or the box file of a sequence do not exist.
        ValueError: If a box file cannot be read, or has another number of lines than images.
    """

    def __init__(
        self,
        data_root: str,
        sequences: Sequence[str] | None = None,
        one_based: bool = False,
        **kwargs,
    ) -> None:
        self.sequences = None if sequences is None else list(sequences)
        self.one_based = one_based
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Index the sequences; no image is opened.

        Returns:
            One ``make_track`` dictionary a sequence that has a target.
        """
        names = self._all_sequences() if self.sequences is None else self.sequences
        tracks = [self._make_track(name) for name in names]
        kept = [track for track in tracks if any(box is not None for box in track['boxes'])]
        self._log_dropped(len(tracks) - len(kept), 'sequences in which no frame has a target')
        return kept

    def _all_sequences(self) -> list[str]:
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(
                f'dataset "{self.name}": folder {root} does not exist; check data_root'
            )
        return sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] not in '._')

    def _make_track(self, name: str) -> dict:
        folder = os.path.join(self.data_root, name)
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f'dataset "{self.name}", sequence "{name}": folder {folder} does not exist; '
                'add it or take the name out of sequences'
            )
        frames = self._find_images(name, folder)
        box_file = self._find_box_file(name, folder)
        boxes = read_boxes(box_file, one_based=self.one_based)
        if len(boxes) != len(frames):
            raise ValueError(
                f'dataset "{self.name}", sequence "{name}": {len(frames)} images in '
                f'{os.path.dirname(frames[0])} but {len(boxes)} lines in {box_file}; '
                'there must be a line for each image'
            )
        return make_track(name, frames, boxes=self._present_boxes(name, boxes))

    def _find_images(self, name: str, folder: str) -> list[str]:
        for below in _IMAGE_FOLDERS:
            frames = list_images(os.path.join(folder, below) if below else folder)
            if frames:
                return frames
        raise FileNotFoundError(
            f'dataset "{self.name}", sequence "{name}": no images in {folder} or its folders '
            f'{", ".join(_IMAGE_FOLDERS[1:])}; add them or name the other sequences in sequences'
        )

    def _find_box_file(self, name: str, folder: str) -> str:
        for file in _BOX_FILES:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                return path
        raise FileNotFoundError(
            f'dataset "{self.name}", sequence "{name}": neither {" nor ".join(_BOX_FILES)} in '
            f'{folder}; add it or name the other sequences in sequences'
        )

    def _present_boxes(self, name: str, boxes: np.ndarray) -> list[list[float] | None]:
        """Boxes as lists; None for those with NaN or fewer than ``min_area`` square pixels."""
        sides = boxes[:, 2:] - boxes[:, :2]
        finite = np.isfinite(boxes).all(axis=1)
        present = finite & (sides > 0).all(axis=1) & (sides.prod(axis=1) >= self.min_area)
        self._log_dropped(int((~present).sum()), f'frames of "{name}" without a target')
        return [box if use else None for box, use in zip(boxes.tolist(), present, strict=True)]


def read_boxes(path: str | os.PathLike, one_based: bool = False) -> np.ndarray:
    """Read a box file of single-object tracking.

    Args:
        path: Text file with a line a frame: ``x, y, width, height`` or eight corner coordinates,
            separated by commas, tabs or spaces.
        one_based: Whether the first pixel has the coordinate 1.

    Returns:
        Boxes of shape (T, 4), float64 xyxy, pixel centres at integers; NaN where the file has it.

    Raises:
        ValueError: If a line has neither four nor eight numbers.
    """
    lines = Path(path).read_text().rstrip().splitlines()
    rows = [_parse_line(line, number, path) for number, line in enumerate(lines, start=1)]
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return boxes + _CORNER_TO_CENTRE - (1 if one_based else 0)


def _parse_line(line: str, number: int, path: str | os.PathLike) -> list[float]:
    """Box ``x1, y1, x2, y2`` of one line."""
    try:
        values = [float(part) for part in line.replace(',', ' ').split()]
    except ValueError as error:
        raise ValueError(f'{path}, line {number}: {error}') from error
    if len(values) == 4:
        x, y, width, height = values
        return [x, y, x + width, y + height]
    if len(values) == 8:
        if not np.isfinite(values).all():
            return [np.nan] * 4
        x, y = values[0::2], values[1::2]
        return [min(x), min(y), max(x), max(y)]
    raise ValueError(
        f'{path}, line {number}: expected 4 numbers (x, y, width, height) or 8 (four corners), '
        f'got {len(values)} in "{line}"'
    )
