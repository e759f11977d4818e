"""The sets of the VOT challenge with one target: rectangles, rotated polygons or masks."""

import os
from pathlib import Path

import numpy as np

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import list_folders, read_names
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.target import Target
from mmpolar.structures.vot_region import MaskRegion, Region, parse_region, region_mask
from mmpolar.utils.image import list_images, read_image_size
from mmpolar.utils.text_file import find_encoding, read_text

_FLAG_SUFFIXES = ('.tag', '.label', '.value')
_COLOR_CHANNEL = 'channels.color'


@DATASETS.register_module()
class VOTDataset(BaseBoxDataset):
    """A set of the VOT challenge, 2013 to 2022, in the folders of its toolkit; long-term sets as well.

    Expected below ``data_root``: ``list.txt`` and ``<sequence>/`` with ``groundtruth.txt``; images
    in the folder that the file ``sequence`` names (``channels.color=color/%08d.jpg``), else in
    ``color/`` or the sequence's own folder; and files ``*.tag``, ``*.label`` and ``*.value`` with a
    number for each frame, which become the frame's flags under the names of the files.

    A line of ``groundtruth.txt`` is a rectangle, a polygon or a mask in run lengths; see
    :func:`mmpolar.structures.vot_region.parse_region`. The box of a polygon is the smallest upright
    box around it. A frame with a mask has a target with a mask, decoded when the frame is used. In
    test mode a frame has ``gt_region`` besides, its line as it stands in the file.

    Args:
        data_root: Folder of the sequences.
        ann_file: List of the sequences, absolute or below ``data_root``; where it does not exist,
            the default stands for all folders.
        **kwargs: See :class:`BaseBoxDataset`.
    """

    def __init__(self, data_root: str, ann_file: str = 'list.txt', **kwargs) -> None:
        super().__init__(data_root=data_root, ann_file=ann_file, **kwargs)

    def sequence_names(self) -> list[str]:
        """The names in the list, or of all folders."""
        is_default = os.path.basename(self.ann_file) == 'list.txt'
        if is_default and not os.path.isfile(self.ann_file):
            return list_folders(self.data_root)
        return read_names(self.ann_file)

    def frame_paths(self, name: str) -> list[str]:
        """Images of the colour channel."""
        folder = Path(self.data_root, name)
        pattern = _read_properties(folder / 'sequence').get(_COLOR_CHANNEL, 'color/')
        return list_images(folder / os.path.dirname(pattern)) or list_images(folder)

    def box_file(self, name: str) -> str:
        """``groundtruth.txt``, or the file that ``sequence`` names."""
        folder = Path(self.data_root, name)
        return str(
            folder / _read_properties(folder / 'sequence').get('groundtruth', 'groundtruth.txt')
        )

    def flag_files(self, name: str) -> dict[str, str]:
        """All tags, labels and values."""
        paths = sorted(Path(self.data_root, name).iterdir())
        return {path.stem: str(path) for path in paths if path.suffix in _FLAG_SUFFIXES}

    def details(self, name: str) -> dict:
        """Where each frame's line starts in the file, so that its region can be read alone."""
        path = self.box_file(name)
        encoding, start = find_encoding(path)
        lines = read_text(path).splitlines(keepends=True)
        starts = np.cumsum([start, *(len(line.encode(encoding)) for line in lines)], dtype=np.int64)
        return dict(extra=dict(region_file=path, region_starts=starts, region_encoding=encoding))

    def read_target(self, track: Track, frame: int) -> Target | None:
        """Target in one frame, with its mask where the file has one.

        Args:
            track: The track.
            frame: Frame number, from 0.

        Returns:
            The target; None where it is absent.

        Raises:
            FileNotFoundError: If the file of the regions or the image does not exist.
        """
        target = super().read_target(track, frame)
        if target is None:
            return None
        region = parse_region(_read_line(track, frame))
        if not isinstance(region, MaskRegion):
            return target
        mask = region_mask(region, read_image_size(track.frames[frame]))
        return Target(target.box, mask) if mask.any() else None

    def read_regions(self, track: Track) -> list[Region]:
        """True region of each frame of a track.

        Raises:
            OSError: If the file of the regions cannot be read.
            ValueError: If a line is no region.
        """
        lines = read_text(track.extra['region_file']).splitlines()
        return [parse_region(line) for line in lines if line.strip()]

    def get_frame(self, track_id: int, frame: int) -> dict:
        """A frame as in :meth:`BaseTrackDataset.get_frame`, and ``gt_region``."""
        found = super().get_frame(track_id, frame)
        return found | dict(gt_region=_read_line(self.get_track(track_id), frame))


def _read_properties(path: Path) -> dict[str, str]:
    """Entries ``key=value`` of a file; none if it does not exist."""
    if not path.is_file():
        return {}
    entries = [line.split('=', 1) for line in read_text(path).splitlines() if '=' in line]
    return {key.strip(): value.strip() for key, value in entries}


def _read_line(track: Track, frame: int) -> str:
    start, end = track.extra['region_starts'][frame : frame + 2].tolist()
    with open(track.extra['region_file'], 'rb') as file:
        file.seek(start)
        return file.read(end - start).decode(track.extra['region_encoding']).strip()
