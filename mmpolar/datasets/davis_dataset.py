"""Videos with a mask for every frame, in the folders of DAVIS."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmpolar.datasets.base_track_dataset import (
    VOID_ID,
    BaseTrackDataset,
)
from mmpolar.datasets.sequence_files import match_by_stem
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images, read_mask


@DATASETS.register_module()
class DavisDataset(BaseTrackDataset):
    """Videos with a mask for every frame, in the folders of DAVIS 2016 or 2017.

    Expected below ``data_root``: ``JPEGImages/480p/<sequence>/<frame>.jpg`` and
    ``Annotations/480p/<sequence>/<frame>.png``. ``ann_file`` lists what to use, for instance
    ``ImageSets/2016/train.txt``: a sequence name a line, or an image path and a mask path a line.
    Boxes are those of the masks. For DAVIS 2016 all objects are one target, for DAVIS 2017 say
    ``multi_object=True``; its test sets show the first mask only, so say ``all_masks=False``.

    Args:
        data_root: Root folder.
        ann_file: The list, absolute or below ``data_root``; empty for all sequences.
        multi_object: Whether each object id of a sequence is a track of its own; otherwise all
            objects together are one target. The objects are those of the first mask that has any.
        all_masks: Whether every frame must have a mask. Otherwise a frame without one counts as
            not annotated.
        data_prefix: Folders ``img_path`` and ``mask_path``.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the list, a sequence or the mask of a frame does not exist.
        ValueError: If a line of the list is neither a name nor two paths.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        multi_object: bool = False,
        all_masks: bool = True,
        data_prefix: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        self.multi_object = multi_object
        self.all_masks = all_masks
        folders = dict(img_path='JPEGImages/480p', mask_path='Annotations/480p')
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=folders | dict(data_prefix or {}),
            **kwargs,
        )

    def load_data_list(self) -> list[Track]:
        """Index the sequences; masks are opened only to find the object ids of ``multi_object``."""
        return [
            track
            for name, (frames, mask_paths) in self._load_sequences().items()
            for track in self.errors.attempt(self._make_tracks, name, frames, mask_paths)
        ]

    def _load_sequences(self) -> dict[str, tuple[list[str], list[str]]]:
        """Image and mask paths of each sequence."""
        lines = self._read_list() if self.ann_file else self._sequence_names()
        if lines and len(lines[0]) == 2:
            return self._sequences_from_pairs(lines)
        found: dict[str, tuple[list[str], list[str | None]]] = {}
        for (name,) in lines:
            try:
                found[name] = self._sequence_from_folder(name)
            except OSError as error:
                self.errors.report(error)
        return found

    def _read_list(self) -> list[list[str]]:
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(
                f'dataset "{self.name}": list file {self.ann_file} does not exist; '
                'give ann_file, absolute or below data_root, or leave it empty for all sequences'
            )
        lines = [line.split() for line in Path(self.ann_file).read_text().splitlines()]
        lines = [line for line in lines if line]
        for line in lines:
            if len(line) > 2 or len(line) != len(lines[0]):
                raise ValueError(
                    f'{self.ann_file}: expected a sequence name on every line, or an image path '
                    f'and a mask path on every line, got "{" ".join(line)}"'
                )
        return lines

    def _sequence_names(self) -> list[list[str]]:
        folder = Path(self.data_prefix['img_path'])
        if not folder.is_dir():
            raise FileNotFoundError(
                f'dataset "{self.name}": image folder {folder} does not exist; '
                'check data_root and data_prefix'
            )
        return sorted([p.name] for p in folder.iterdir() if p.is_dir() and p.name[0] != '.')

    def _sequence_from_folder(self, name: str) -> tuple[list[str], list[str | None]]:
        image_folder = os.path.join(self.data_prefix['img_path'], name)
        mask_folder = os.path.join(self.data_prefix['mask_path'], name)
        frames = list_images(image_folder)
        if not frames:
            raise self._missing(name, image_folder, 'images')
        masks = match_by_stem(frames, mask_folder)
        if not any(masks):
            raise self._missing(name, mask_folder, 'masks')
        unmasked = [path for path, mask in zip(frames, masks, strict=True) if mask is None]
        if unmasked and self.all_masks:
            error = FileNotFoundError(
                f'dataset "{self.name}", sequence "{name}": {len(unmasked)} frames have no mask in '
                f'{mask_folder}, the first is {unmasked[0]}; add the masks, or list only frames '
                'with a mask as lines "image mask" in ann_file, or set all_masks=False'
            )
            self.errors.report(error)
        return frames, masks

    def _missing(self, name: str, folder: str, what: str) -> FileNotFoundError:
        return FileNotFoundError(
            f'dataset "{self.name}", sequence "{name}": no {what} in {folder}; '
            'add them or take the sequence out of ann_file'
        )

    def _sequences_from_pairs(
        self, pairs: list[list[str]]
    ) -> dict[str, tuple[list[str], list[str]]]:
        sequences: dict[str, tuple[list[str], list[str]]] = {}
        for image, mask in pairs:
            paths = [os.path.join(self.data_root, part.lstrip('/')) for part in (image, mask)]
            name = Path(image).parent.name
            for path in paths:
                if not os.path.isfile(path):
                    raise FileNotFoundError(
                        f'dataset "{self.name}", sequence "{name}": {path}, listed in '
                        f'{self.ann_file}, does not exist; add it or take the line out'
                    )
            frames, mask_paths = sequences.setdefault(name, ([], []))
            frames.append(paths[0])
            mask_paths.append(paths[1])
        return sequences

    def _make_tracks(
        self, name: str, frames: list[str], mask_paths: list[str | None]
    ) -> list[Track]:
        if not self.multi_object:
            return [Track(video_name=name, frames=frames, mask_paths=mask_paths)]
        return [
            Track(
                video_name=f'{name}-{object_id}',
                frames=frames,
                mask_paths=mask_paths,
                object_id=object_id,
                sequence=name,
            )
            for object_id in _first_object_ids(mask_paths)
        ]


def _first_object_ids(mask_paths: list[str | None]) -> list[int]:
    for path in filter(None, mask_paths):
        ids = np.unique(read_mask(path))
        objects = [int(i) for i in ids if i not in (0, VOID_ID)]
        if objects:
            return objects
    return []
