"""A labelling project: a folder of videos, and in it what the studio adds."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.model_zoo import available_model_folders
from mmpolar.studio.frame_source import FrameSource
from mmpolar.studio.store import MASK, Clip, Label, Store
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.file_names import check_file_name
from mmpolar.utils.image import list_images, read_target_mask
from mmpolar.utils.video import VIDEO_SUFFIXES

#: Folder in the project that holds everything the studio writes.
OWN_FOLDER = 'mmpolar-studio'
#: Clips whose frames are kept open at once; the oldest is closed when nobody reads it any more.
_OPEN_CLIPS = 2
#: A mask may be that long on the disk before another process has named it in the database.
_UNUSED_SECONDS = 3600


class Project:
    """The videos and folders of images in a folder, and their labels.

    ``<folder>/mmpolar-studio`` holds the database ``project.db``, ``masks/``, ``exports/``, ``training/``
    and ``models/``. Nothing outside the folder is read or written.

    Args:
        folder: The folder of the videos.

    Attributes:
        folder: Its full path.
        own: The studio's own folder in it.
        store: The database.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the database cannot be used.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder).resolve()
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f'there is no folder {folder}; make it and put your videos there'
            )
        self.own = self.folder / OWN_FOLDER
        self.inside(OWN_FOLDER).mkdir(exist_ok=True)
        self.store = Store(self.own_path('project.db'))
        self._open: dict[int, FrameSource] = {}

    def close(self) -> None:
        """Close the database and the videos."""
        self._open = {}
        self.store.close()

    def inside(self, *parts: str) -> Path:
        """A path in the project's folder.

        Raises:
            ValueError: If it leads out, by its name or by a link.
        """
        path = self.folder.joinpath(*(check_file_name(part, 'a file') for part in parts))
        if self.folder not in path.resolve().parents:
            raise ValueError(
                f'{"/".join(parts)} leads out of the project; copy it into {self.folder}'
            )
        return path

    def own_path(self, *parts: str) -> Path:
        """A path in the studio's own folder; see :meth:`inside`."""
        return self.inside(OWN_FOLDER, *parts)

    def clip_names(self) -> list[str]:
        """Names of the videos and folders of images in the folder, sorted."""
        names = []
        for entry in os.scandir(self.folder):
            is_video = entry.name.lower().endswith(VIDEO_SUFFIXES) and entry.is_file()
            is_folder = (
                entry.name != OWN_FOLDER and entry.is_dir() and bool(list_images(entry.path))
            )
            if entry.name[0] != '.' and (is_video or is_folder):
                names.append(entry.name)
        return sorted(names)

    def open_clip(self, name: str) -> Clip:
        """Open a video or folder of images, by its name in the project.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it leads out of the project, cannot be decoded, or is not what was labelled.
        """
        return self._open_frames(name)[0]

    def frames(self, clip: int) -> FrameSource:
        """The frames of a clip that was opened before, by its number.

        Raises:
            KeyError: If there is no such clip.
        """
        source = self._open.get(clip)
        if source is None:
            _, source = self._open_frames(self.store.clip(clip).name)
        return source

    def save_mask(self, clip: Clip, target: int, frame: int, mask: NDArray, flush: bool) -> str:
        """Write the mask of a label that is to come; gives its file, for the label.

        An earlier file stays, so that the database never names one that is half written.

        Args:
            clip: The clip.
            target: Number of the target.
            frame: Index of the frame.
            mask: (H, W), not zero inside.
            flush: Whether it survives a power failure at once.
        """
        _, encoded = cv2.imencode('.png', (mask != 0).astype(np.uint8) * 255)
        name = f'{frame:06d}-{os.urandom(4).hex()}.png'
        path = self.own_path('masks', f'{clip.id}-{clip.name}', str(target), name)
        atomic_write(path, encoded.tobytes(), flush=flush)
        return path.relative_to(self.own).as_posix()

    def mask(self, clip: Clip, label: Label | None) -> NDArray[np.uint8]:
        """The mask of a label, (H, W) of 0 and 1, empty without one."""
        if label is None or label.kind != MASK:
            return np.zeros((clip.height, clip.width), np.uint8)
        return read_target_mask(self.own_path(*label.mask.split('/')))

    def remove_unused_masks(self) -> int:
        """Remove masks that no label names, as a killed process leaves them; gives their number."""
        used, old = self.store.mask_files(), time.time() - _UNUSED_SECONDS
        unused = [
            path
            for path in self.own.glob('masks/*/*/*.png')
            if path.relative_to(self.own).as_posix() not in used and path.stat().st_mtime < old
        ]
        for path in unused:
            path.unlink(missing_ok=True)
        return len(unused)

    def models(self) -> list[str]:
        """Names of the trackers that can be chosen: those of the package, and those trained here."""
        own = sorted(path.parent.name for path in (self.own / 'models').glob('*/model.json'))
        return [*available_model_folders(), *own]

    def model_folder(self, name: str) -> Path | str:
        """What the engine takes for the name of a tracker.

        Raises:
            KeyError: If there is none.
        """
        if name not in self.models():
            raise KeyError(f'there is no tracker {name}; there are {", ".join(self.models())}')
        own = self.own_path('models', name)
        return own if own.is_dir() else name

    def _open_frames(self, name: str) -> tuple[Clip, FrameSource]:
        path = self.inside(name)
        if name not in self.clip_names():
            raise FileNotFoundError(
                f'there is no video or folder of images {name} in {self.folder}'
            )
        for image in list_images(path):
            self.inside(name, os.path.basename(image))
        source = FrameSource(path)
        clip = self.store.add_clip(name, len(source), source.size)
        others = [(number, one) for number, one in self._open.items() if number != clip.id]
        self._open = dict([*others, (clip.id, source)][-_OPEN_CLIPS:])
        return clip, source


def anchors(labels: Sequence[Label]) -> list[Label]:
    """Labels with a mask by a person, in the order of their frames: where tracking can begin."""
    found = [label for label in labels if label.hand and label.kind == MASK]
    return sorted(found, key=lambda label: label.frame)
