"""OTB-100: boxes of a hundred targets."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.sequence_files import frames_between, list_folders
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images
from mmpolar.utils.text_file import read_text

#: First and last frame number of the sequences whose annotation covers only a part.
_RANGES = dict(
    BlurCar1=(247, 988),
    BlurCar3=(3, 359),
    BlurCar4=(18, 397),
    David=(300, 770),
    Diving=(1, 215),
    Football1=(1, 74),
    Freeman3=(1, 460),
    Freeman4=(1, 283),
)
_BOX_FILE = re.compile(r'groundtruth_rect(?:\.([0-9]+))?\.txt')


@DATASETS.register_module()
class OTBDataset(BaseBoxDataset):
    """OTB-100 (also OTB-50 and OTB-2013) in its official folders.

    Expected below ``data_root``: ``<sequence>/img/0001.jpg`` and so on, and
    ``<sequence>/groundtruth_rect.txt``, or ``groundtruth_rect.1.txt``, ``groundtruth_rect.2.txt``
    where there are several targets: those are called ``Jogging-1``, ``Jogging-2`` and so on. An
    empty box file, such as ``Human4/groundtruth_rect.1.txt``, stands for no target. Numbers may be
    separated by commas, tabs or spaces. Where the annotation covers a part of the images, as in
    ``David``, the frames are chosen by the numbers in their names.

    Args:
        data_root: Folder of the sequences.
        sequences: Names of the targets to use, for instance those of OTB-50; None for all.
        **kwargs: See :class:`BaseBoxDataset`. The files count pixels from 1.

    Raises:
        ValueError: If a name in ``sequences`` has no box file.
    """

    counts_from_one = True

    def __init__(self, data_root: str, sequences: Sequence[str] | None = None, **kwargs) -> None:
        self.sequences = None if sequences is None else list(sequences)
        self._box_files: dict[str, str] = {}
        super().__init__(data_root=data_root, **kwargs)

    def sequence_names(self) -> list[str]:
        """Names of the targets."""
        for folder in list_folders(self.data_root):
            self._box_files |= _targets(Path(self.data_root, folder))
        if self.sequences is None:
            return list(self._box_files)
        missing = [name for name in self.sequences if name not in self._box_files]
        if missing:
            raise ValueError(
                f'dataset "{self.name}": no box file for {", ".join(missing)} in {self.data_root}; '
                'add the folders or take the names out of sequences (one of several targets of a '
                'folder is named such as Jogging-1)'
            )
        return self.sequences

    def frame_paths(self, name: str) -> list[str]:
        """Images of the part that is annotated."""
        folder = os.path.dirname(self._box_files[name])
        frames = list_images(os.path.join(folder, 'img'))
        part = _RANGES.get(os.path.basename(folder))
        return frames if part is None else frames_between(frames, *part)

    def box_file(self, name: str) -> str:
        """The target's box file."""
        return self._box_files[name]

    def details(self, name: str) -> dict:
        """The folder, which several targets may share."""
        return dict(sequence=os.path.basename(os.path.dirname(self._box_files[name])))


def _targets(folder: Path) -> dict[str, str]:
    """Box files of a folder that are not empty, by the name of the target."""
    found = {}
    for path in sorted(folder.iterdir()):
        match = _BOX_FILE.fullmatch(path.name)
        if match and read_text(path).strip():
            number = match.group(1)
            found[f'{folder.name}-{number}' if number else folder.name] = str(path)
    return found
