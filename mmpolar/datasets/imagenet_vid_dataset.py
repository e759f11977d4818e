"""ImageNet VID: boxes of all objects of thirty classes in each frame."""

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from mmpolar.datasets.annotation_errors import located
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.sequence_files import read_names
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.utils.image import list_images
from mmpolar.utils.image_limits import check_coordinates

#: Lists of each split; those of the training set are thirty.
_LISTS = dict(train='train_*.txt', val='val.txt')
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_FLAGS = ('occluded', 'generated')
#: From the first and last pixel of a box to its edges, pixel centres at integers.
_TO_EDGES = np.array([-1, -1, 1, 1], dtype=np.float32) * HALF_PIXEL


@DATASETS.register_module()
class ImageNetVIDDataset(BaseTrackDataset):
    """ImageNet VID (ILSVRC2015 and later) in its official folders, a track an object.

    Expected below ``data_root``: ``ImageSets/VID/train_1.txt`` to ``train_30.txt`` and
    ``val.txt``, ``Data/VID/<split>/<video>/000000.JPEG`` and
    ``Annotations/VID/<split>/<video>/000000.xml`` for each frame. Objects with the same
    ``trackid`` in a video are one track, which starts at the first frame that shows it. The first
    pixel has the coordinate 0, and ``xmax`` and ``ymax`` belong to the box. The flags of a frame
    are ``occluded`` and ``generated``; the category of a track is its WordNet id.

    Args:
        data_root: Folder with ``Data``, ``Annotations`` and ``ImageSets``.
        split: 'train' or 'val'.
        ann_file: Another list, absolute or below ``data_root``; a video, or a frame of a video, on
            each line.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If a list, a video or the annotation of a frame does not exist.
        ValueError: If ``split`` is unknown or an annotation cannot be read.
    """

    def __init__(self, data_root: str, split: str = 'train', ann_file: str = '', **kwargs) -> None:
        if split not in _LISTS:
            raise ValueError(f'split must be one of {tuple(_LISTS)}, got {split!r}')
        self.split = split
        folders = dict(
            img_path=f'Data/VID/{split}', xml_path=f'Annotations/VID/{split}', lists='ImageSets/VID'
        )
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=folders, **kwargs)

    def load_data_list(self) -> list[Track]:
        """Index the objects; no image is opened."""
        videos = self._video_names()
        tracks = [
            track for video in videos for track in self.errors.attempt(self._tracks_of, video)
        ]
        return self._with_target(tracks, f'objects below {self.min_area} px^2')

    def index_sources(self) -> list[str]:
        """The lists besides the folders of every dataset."""
        return super().index_sources() + [str(path) for path in self._lists()]

    def _lists(self) -> list[Path]:
        if self.ann_file:
            return [Path(self.ann_file)]
        return sorted(Path(self.data_prefix['lists']).glob(_LISTS[self.split]))

    def _video_names(self) -> list[str]:
        """Videos of the lists, each once, in order."""
        lists = self._lists()
        if not lists:
            raise FileNotFoundError(
                f'dataset "{self.name}": no {_LISTS[self.split]} in {self.data_prefix["lists"]}; '
                'check data_root, or give ann_file'
            )
        entries = [line.split()[0] for path in lists for line in read_names(path)]
        return list(dict.fromkeys(self._video_of(entry) for entry in entries))

    def _video_of(self, entry: str) -> str:
        is_video = os.path.isdir(os.path.join(self.data_prefix['img_path'], entry))
        return entry if is_video else os.path.dirname(entry)

    def _tracks_of(self, video: str) -> list[Track]:
        frames = list_images(os.path.join(self.data_prefix['img_path'], video))
        if not frames:
            raise FileNotFoundError(
                f'dataset "{self.name}", video "{video}": no images in '
                f'{self.data_prefix["img_path"]}; add them or take it out of the list'
            )
        objects: dict[str, _Object] = {}
        for number, path in enumerate(frames):
            xml = os.path.join(self.data_prefix['xml_path'], video, f'{Path(path).stem}.xml')
            for track_id, category, box, flags in _read_objects(xml):
                found = objects.setdefault(track_id, _Object(category, len(frames)))
                found.boxes[number], found.flags[number] = box, flags
        return [
            self._make_track(video, track_id, found, frames) for track_id, found in objects.items()
        ]

    def _make_track(self, video: str, track_id: str, found: '_Object', frames: list[str]) -> Track:
        start = int(np.flatnonzero(~np.isnan(found.boxes[:, 0]))[0])
        boxes, flags = found.boxes[start:], found.flags[start:]
        too_small = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) < self.min_area
        boxes[too_small] = np.nan
        return Track(
            video_name=f'{video}-{track_id}',
            frames=frames[start:],
            boxes=boxes,
            flags={name: flags[:, column] for column, name in enumerate(_FLAGS)},
            category=found.category,
            sequence=video,
            object_id=int(track_id),
        )


class _Object:
    """Boxes (T, 4) and flags (T, 2) of an object while its video is read."""

    def __init__(self, category: str, length: int) -> None:
        self.category = category
        self.boxes = np.full((length, 4), np.nan, dtype=np.float32)
        self.flags = np.zeros((length, len(_FLAGS)), dtype=np.uint8)


def _read_objects(path: str) -> Iterator[tuple[str, str, np.ndarray, list[int]]]:
    """Track id, category, box and flags of the objects of a frame."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f'annotation file {path} does not exist; add it')
    with located(f'annotation file {path} cannot be read'):
        objects = list(ElementTree.parse(path).getroot().iter('object'))
    for index, found in enumerate(objects):
        with located(f'annotation file {path} cannot be read: object {index}'):
            numbers = [float(found.findtext(f'bndbox/{name}')) for name in _CORNERS]
            corners = check_coordinates(numbers, 'the box') + _TO_EDGES
            flags = [int(found.findtext(name, '0')) for name in _FLAGS]
            track_id = str(int(found.findtext('trackid')))
            name = found.findtext('name', '')
        yield track_id, name, corners, flags
