"""UAV123 and UAV20L: boxes of videos taken from the air."""

import os
from pathlib import Path

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import frames_between
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images

#: Number of the first frame of UAV123's sequences that are a later part of a folder.
_FIRST_FRAMES = dict(
    bird1_2=775,
    bird1_3=1573,
    car1_2=751,
    car1_3=1627,
    car6_2=487,
    car6_3=1807,
    car6_4=2953,
    car6_5=3925,
    car8_2=1357,
    car16_2=415,
    group1_2=1333,
    group1_3=2515,
    group1_4=3925,
    group2_2=907,
    group2_3=1771,
    group3_2=1567,
    group3_3=2827,
    group3_4=4369,
    person2_2=1189,
    person4_2=1501,
    person5_2=877,
    person7_2=1249,
    person8_2=1075,
    person12_2=601,
    person14_2=847,
    person14_3=1813,
    person17_2=1501,
    person19_2=1243,
    person19_3=2791,
    truck4_2=577,
    uav1_2=1555,
    uav1_3=2473,
)
_VERSIONS = ('UAV123', 'UAV20L')


@DATASETS.register_module()
class UAV123Dataset(BaseBoxDataset):
    """UAV123 or UAV20L in the official folders.

    Expected below ``data_root``: ``data_seq/UAV123/<folder>/000001.jpg`` and so on,
    ``anno/UAV123/<sequence>.txt`` and ``anno/UAV20L/<sequence>.txt``. Several sequences of UAV123
    may be parts of one folder: ``bird1_2`` starts at frame 775 of ``bird1``. A sequence has as
    many frames as its box file has lines. NaN means that the target is absent.

    Args:
        data_root: Folder with ``data_seq`` and ``anno``.
        version: 'UAV123' or 'UAV20L', whose images are the same.
        **kwargs: See :class:`BaseBoxDataset`.

    Raises:
        ValueError: If ``version`` is unknown.
    """

    def __init__(self, data_root: str, version: str = 'UAV123', **kwargs) -> None:
        if version not in _VERSIONS:
            raise ValueError(f'version must be one of {_VERSIONS}, got {version!r}')
        self.version = version
        folders = dict(img_path='data_seq/UAV123', box_path=f'anno/{version}')
        super().__init__(data_root=data_root, data_prefix=folders, **kwargs)

    def sequence_names(self) -> list[str]:
        """Names of the box files.

        Raises:
            FileNotFoundError: If their folder does not exist.
        """
        folder = Path(self.data_prefix['box_path'])
        if not folder.is_dir():
            raise FileNotFoundError(
                f'dataset "{self.name}": folder {folder} does not exist; check data_root'
            )
        return sorted(path.stem for path in folder.glob('*.txt'))

    def frame_paths(self, name: str) -> list[str]:
        """Images of the sequence's folder; those of a part are chosen in :meth:`match_frames`."""
        return list_images(os.path.join(self.data_prefix['img_path'], self._folder_name(name)))

    def box_file(self, name: str) -> str:
        """The sequence's box file."""
        return os.path.join(self.data_prefix['box_path'], f'{name}.txt')

    def match_frames(self, name: str, frames: list[str], num_boxes: int) -> list[str]:
        """As many images as there are boxes, from the first frame of the part."""
        first = _FIRST_FRAMES.get(name, 1) if self.version == 'UAV123' else 1
        return frames_between(frames, first, first + num_boxes - 1)

    def details(self, name: str) -> dict:
        """The folder, which several sequences may share."""
        return dict(sequence=self._folder_name(name))

    def _folder_name(self, name: str) -> str:
        """``bird1`` for ``bird1_2``; but ``car1_s`` is a folder of its own."""
        head, _, tail = name.rpartition('_')
        return head if head and tail.isdecimal() else name
