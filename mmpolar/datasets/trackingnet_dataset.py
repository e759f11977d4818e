"""TrackingNet: boxes of thirty thousand videos, in twelve chunks and a test set."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images

#: Number of training chunks, ``TRAIN_0`` to ``TRAIN_11``.
_NUM_CHUNKS = 12
_SPLITS = ('train', 'test')


@DATASETS.register_module()
class TrackingNetDataset(BaseBoxDataset):
    """TrackingNet in its official folders.

    Expected below ``data_root``, for each chunk ``TRAIN_0`` to ``TRAIN_11`` and for ``TEST``:
    ``<chunk>/anno/<video>.txt`` and ``<chunk>/frames/<video>/0.jpg`` and so on. In the test set
    only the first frame has a box.

    Args:
        data_root: Folder of the chunks.
        split: 'train' or 'test'.
        chunks: Numbers of the training chunks to use; None for all twelve.
        **kwargs: See :class:`BaseBoxDataset`.

    Raises:
        FileNotFoundError: If a chunk does not exist.
        ValueError: If ``split`` or a chunk is unknown.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        chunks: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f'split must be one of {_SPLITS}, got {split!r}')
        numbers = range(_NUM_CHUNKS) if chunks is None else chunks
        if not set(numbers) <= set(range(_NUM_CHUNKS)):
            raise ValueError(f'chunks must be numbers in 0..{_NUM_CHUNKS - 1}, got {chunks}')
        self.split = split
        self.chunks = ['TEST'] if split == 'test' else [f'TRAIN_{number}' for number in numbers]
        self._chunk_of: dict[str, str] = {}
        super().__init__(data_root=data_root, **kwargs)

    @property
    def first_box_only(self) -> bool:
        """Whether this is the test set."""
        return self.split == 'test'

    def sequence_names(self) -> list[str]:
        """Names of the box files of the chunks."""
        for chunk in self.chunks:
            folder = Path(self.data_root, chunk, 'anno')
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'dataset "{self.name}": folder {folder} does not exist; '
                    'name the chunks that you have in chunks'
                )
            self._chunk_of |= {path.stem: chunk for path in sorted(folder.glob('*.txt'))}
        return list(self._chunk_of)

    def index_sources(self) -> list[str]:
        """The two folders of each chunk."""
        return [
            os.path.join(self.data_root, chunk, kind)
            for chunk in self.chunks
            for kind in ('anno', 'frames')
        ]

    def frame_paths(self, name: str) -> list[str]:
        """Images in the video's folder below ``frames``."""
        return list_images(os.path.join(self.data_root, self._chunk_of[name], 'frames', name))

    def box_file(self, name: str) -> str:
        """The video's file below ``anno``."""
        return os.path.join(self.data_root, self._chunk_of[name], 'anno', f'{name}.txt')
