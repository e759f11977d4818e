"""Videos with a box for every frame and no masks."""

import os
from collections.abc import Sequence

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import list_folders
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images

#: Where the images of a sequence may be, below its folder, in the order of search.
_IMAGE_FOLDERS = ('', 'frames', 'img', 'color')
#: Names of the box file of a sequence, in the order of search.
_BOX_FILES = ('groundtruth.txt', 'groundtruth_rect.txt')


@DATASETS.register_module()
class BoxTrackDataset(BaseBoxDataset):
    """Videos with boxes, a folder a sequence: your own, or a benchmark without a class of its own.

    The images of a sequence lie in its folder or in ``frames/``, ``img/`` or ``color/`` below it.
    ``groundtruth.txt`` or ``groundtruth_rect.txt`` has a line a frame, separated by commas, tabs
    or spaces: ``x, y, width, height``, or the coordinates of a polygon, whose enclosing upright
    box is used. A line with NaN, or a box smaller than ``min_area``, means that the target is
    absent.

    Args:
        data_root: Folder of the sequences.
        sequences: Names of the sequences to use; None for all folders in ``data_root``.
        **kwargs: See :class:`BaseBoxDataset`.

    Raises:
        FileNotFoundError: If a folder, the images or the box file of a sequence do not exist.
        ValueError: If a box file cannot be read, or has another number of lines than images.
    """

    def __init__(self, data_root: str, sequences: Sequence[str] | None = None, **kwargs) -> None:
        self.sequences = None if sequences is None else list(sequences)
        super().__init__(data_root=data_root, **kwargs)

    def sequence_names(self) -> list[str]:
        """The names in ``sequences``, or of all folders."""
        return list_folders(self.data_root) if self.sequences is None else self.sequences

    def frame_paths(self, name: str) -> list[str]:
        """Images of the first folder that has any.

        Raises:
            FileNotFoundError: If there is no folder for the sequence, or no image.
        """
        folder = os.path.join(self.data_root, name)
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f'dataset "{self.name}", sequence "{name}": folder {folder} does not exist; '
                'add it or take the name out of sequences'
            )
        for below in _IMAGE_FOLDERS:
            frames = list_images(os.path.join(folder, below) if below else folder)
            if frames:
                return frames
        raise FileNotFoundError(
            f'dataset "{self.name}", sequence "{name}": no images in {folder} or its folders '
            f'{", ".join(_IMAGE_FOLDERS[1:])}; add them or name the other sequences in sequences'
        )

    def box_file(self, name: str) -> str:
        """The box file that exists.

        Raises:
            FileNotFoundError: If there is none.
        """
        folder = os.path.join(self.data_root, name)
        for file in _BOX_FILES:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                return path
        raise FileNotFoundError(
            f'dataset "{self.name}", sequence "{name}": neither {" nor ".join(_BOX_FILES)} in '
            f'{folder}; add it or name the other sequences in sequences'
        )
