"""LaSOT: boxes of long videos, with the frames in which the target is out of view."""

import os
from collections.abc import Mapping

import numpy as np

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import list_folders, read_names
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images

#: List file of each split; the extension subset comes without one.
_LISTS = dict(train='training_set.txt', test='testing_set.txt', extension='', all='')
_FLAGS = ('full_occlusion', 'out_of_view')


@DATASETS.register_module()
class LaSOTDataset(BaseBoxDataset):
    """LaSOT, or its extension subset, in the official folders.

    Expected below ``data_root``: ``<class>/<class>-<number>/`` with ``img/00000001.jpg`` and so
    on, ``groundtruth.txt``, ``full_occlusion.txt`` and ``out_of_view.txt``; and the lists
    ``training_set.txt`` and ``testing_set.txt`` of the official toolkit. The target counts as
    absent where either flag is 1, although there is a box.

    Args:
        data_root: Folder of the classes.
        split: 'train' or 'test' as in the lists, 'extension' for all sequences of a folder with
            the extension subset, or 'all' for all sequences.
        ann_file: Another list of sequences, absolute or below ``data_root``.
        **kwargs: See :class:`BaseBoxDataset`.

    Raises:
        ValueError: If ``split`` is unknown.
    """

    def __init__(self, data_root: str, split: str = 'train', ann_file: str = '', **kwargs) -> None:
        if split not in _LISTS:
            raise ValueError(f'split must be one of {tuple(_LISTS)}, got {split!r}')
        self.split = split
        super().__init__(data_root=data_root, ann_file=ann_file or _LISTS[split], **kwargs)

    def sequence_names(self) -> list[str]:
        """The names in the list, or of all folders of all classes."""
        if self.ann_file:
            return read_names(self.ann_file)
        classes = list_folders(self.data_root)
        return [
            name
            for category in classes
            for name in sorted(list_folders(self._class_folder(category)), key=_by_number)
        ]

    def index_sources(self) -> list[str]:
        """The folders of the classes besides those of every dataset."""
        found = list_folders(self.data_root) if os.path.isdir(self.data_root) else []
        return super().index_sources() + [self._class_folder(category) for category in found]

    def frame_paths(self, name: str) -> list[str]:
        """Images in ``img/``."""
        return list_images(os.path.join(self._folder(name), 'img'))

    def box_file(self, name: str) -> str:
        """``groundtruth.txt``."""
        return os.path.join(self._folder(name), 'groundtruth.txt')

    def flag_files(self, name: str) -> dict[str, str]:
        """The two files of flags."""
        return {flag: os.path.join(self._folder(name), f'{flag}.txt') for flag in _FLAGS}

    def is_absent(self, flags: Mapping[str, np.ndarray]) -> np.ndarray:
        """Frames in which the target is hidden or out of view."""
        return (flags['full_occlusion'] > 0) | (flags['out_of_view'] > 0)

    def details(self, name: str) -> dict:
        """The class."""
        return dict(category=_class_of(name))

    def _class_folder(self, category: str) -> str:
        return os.path.join(self.data_root, category)

    def _folder(self, name: str) -> str:
        return os.path.join(self._class_folder(_class_of(name)), name)


def _class_of(name: str) -> str:
    return name.rpartition('-')[0]


def _by_number(name: str) -> tuple[str, int]:
    category, _, number = name.rpartition('-')
    return category, int(number) if number.isdecimal() else -1
