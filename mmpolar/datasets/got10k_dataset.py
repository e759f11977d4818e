"""GOT-10k: boxes of ten thousand short videos, with absence and visibility of each frame."""

import os
from collections.abc import Mapping

import numpy as np

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import read_names
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images
from mmpolar.utils.text_file import read_text

_SPLITS = ('train', 'val', 'test')
_FLAGS = ('absence', 'cover', 'cut_by_image')


@DATASETS.register_module()
class GOT10kDataset(BaseBoxDataset):
    """GOT-10k in its official folders.

    Expected below ``data_root``: ``<split>/list.txt`` and ``<split>/<sequence>/`` with
    ``00000001.jpg`` and so on, ``groundtruth.txt``, ``absence.label``, ``cover.label``,
    ``cut_by_image.label`` and ``meta_info.ini``. The target counts as absent where ``absence`` is
    1 or ``cover`` (visible share in eighths) is 0. In the test split only the first frame has a
    box, and there are no labels. The flags of a frame are ``absence``, ``cover`` and
    ``cut_by_image``; the category of a track is its ``object_class``.

    Args:
        data_root: Folder with ``train``, ``val`` and ``test``.
        split: One of them.
        ann_file: Another list of sequences of the split, absolute or below ``data_root``.
        **kwargs: See :class:`BaseBoxDataset`.

    Raises:
        ValueError: If ``split`` is unknown.
    """

    def __init__(self, data_root: str, split: str = 'train', ann_file: str = '', **kwargs) -> None:
        if split not in _SPLITS:
            raise ValueError(f'split must be one of {_SPLITS}, got {split!r}')
        self.split = split
        super().__init__(
            data_root=data_root,
            ann_file=ann_file or f'{split}/list.txt',
            data_prefix=dict(img_path=split),
            **kwargs,
        )

    @property
    def first_box_only(self) -> bool:
        """Whether this is the test split."""
        return self.split == 'test'

    def sequence_names(self) -> list[str]:
        """The names in the list of the split."""
        return read_names(self.ann_file)

    def frame_paths(self, name: str) -> list[str]:
        """Images in the sequence's folder."""
        return list_images(self._folder(name))

    def box_file(self, name: str) -> str:
        """``groundtruth.txt``."""
        return os.path.join(self._folder(name), 'groundtruth.txt')

    def flag_files(self, name: str) -> dict[str, str]:
        """The label files; none in the test split."""
        if self.first_box_only:
            return {}
        return {flag: os.path.join(self._folder(name), f'{flag}.label') for flag in _FLAGS}

    def is_absent(self, flags: Mapping[str, np.ndarray]) -> np.ndarray | bool:
        """Frames that ``absence`` or ``cover`` call absent."""
        return (flags['absence'] > 0) | (flags['cover'] == 0) if flags else False

    def details(self, name: str) -> dict:
        """The class of the object, where ``meta_info.ini`` tells it."""
        path = os.path.join(self._folder(name), 'meta_info.ini')
        if not os.path.isfile(path):
            return {}
        lines = read_text(path).splitlines()
        entries = dict(line.split(':', 1) for line in lines if ':' in line)
        return dict(category=entries.get('object_class', '').strip() or None)

    def _folder(self, name: str) -> str:
        return os.path.join(self.data_prefix['img_path'], name)
