"""Videos with a mask for every frame, in the folders of DAVIS."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.mask_kinds import VOID_ID
from mmpolar.datasets.sequence_files import match_by_stem, read_names
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.utils.image import IMAGE_SUFFIXES, MASK_VALUES, list_images, read_mask

_SUFFIX = '|'.join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
#: The paths of an image and its mask, either of which may have spaces.
_PAIR = re.compile(rf'(.+?(?:{_SUFFIX}))\s+(.+(?:{_SUFFIX}))', re.IGNORECASE)


@DATASETS.register_module()
class DavisDataset(BaseTrackDataset):
    """Videos with a mask for every frame, in the folders of DAVIS 2016 or 2017.

    Expected below ``data_root``: ``JPEGImages/480p/<sequence>/<frame>.jpg`` and
    ``Annotations/480p/<sequence>/<frame>.png``. ``ann_file`` lists what to use, for instance
    ``ImageSets/2016/train.txt``: a sequence name a line, or an image path and a mask path a line;
    both may have spaces. Boxes are those of the masks. For DAVIS 2016 all objects are one target,
    for DAVIS 2017 say ``multi_object=True``; its test sets show the first mask only, so say
    ``all_masks=False``.

    Args:
        data_root: Root folder.
        ann_file: The list, absolute or below ``data_root``; empty for all sequences.
        multi_object: Whether each object id of a sequence is a track of its own, which starts in
            the first frame that shows it; otherwise all objects together are one target.
        late_objects: Whether objects that appear later are tracks too, with ``multi_object``, for
            which every mask is opened; otherwise those of the first mask that has any.
        all_masks: Whether every frame must have a mask. Otherwise a frame without one counts as
            not annotated.
        mask_values: What the values of grey masks are: 'ids' of objects (255 is void), 'matte', a
            soft mask of one object that is cut at half, or 'auto'; see
            :func:`mmpolar.utils.image.load_mask`.
        sequences: Names of the sequences to use, instead of a list file.
        data_prefix: Folders ``img_path`` and ``mask_path``.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the list, a sequence or the mask of a frame does not exist.
        ValueError: If the list has both names and pairs of paths, ``sequences`` is empty or comes
            with a list file, or ``mask_values`` is unknown.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        multi_object: bool = False,
        all_masks: bool = True,
        late_objects: bool = True,
        mask_values: str = 'auto',
        sequences: Sequence[str] | None = None,
        data_prefix: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        if mask_values not in MASK_VALUES:
            raise ValueError(f'mask_values must be one of {MASK_VALUES}, got {mask_values!r}')
        if sequences is not None and (ann_file or not sequences):
            raise ValueError(
                f'give the names of sequences, or ann_file, or neither for all sequences; got '
                f'sequences={list(sequences)} and ann_file={ann_file!r}'
            )
        self.sequences = None if sequences is None else list(sequences)
        self.multi_object = multi_object
        self.late_objects = late_objects
        self.mask_values = mask_values
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
        lines = [_split_line(line) for line in read_names(self.ann_file)]
        for line in lines:
            if len(line) != len(lines[0]):
                error = ValueError(
                    f'{self.ann_file}: expected a sequence name on every line, or an image path '
                    f'and a mask path on every line, got "{" ".join(line)}"'
                )
                self.errors.report(error)
        return [line for line in lines if len(line) == len(lines[0])]

    def _sequence_names(self) -> list[list[str]]:
        if self.sequences is not None:
            return [[name] for name in self.sequences]
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
            missing = [path for path in paths if not os.path.isfile(path)]
            if missing:
                error = FileNotFoundError(
                    f'dataset "{self.name}", sequence "{name}": {", ".join(missing)}, listed in '
                    f'{self.ann_file}, does not exist; add it or take the line out'
                )
                self.errors.report(error)
                continue
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
                frames=frames[start:],
                mask_paths=mask_paths[start:],
                object_id=object_id,
                sequence=name,
            )
            for object_id, start in sorted(self._find_objects(mask_paths).items())
        ]

    def _find_objects(self, mask_paths: list[str | None]) -> dict[int, int]:
        """Index of the frame in which each object appears first."""
        found: dict[int, int] = {}
        for index, path in enumerate(mask_paths):
            if path is None or (found and not self.late_objects):
                continue
            counts = np.bincount(read_mask(path, self.mask_values).ravel(), minlength=VOID_ID + 1)
            for object_id in np.flatnonzero(counts[1:VOID_ID]).tolist():
                found.setdefault(object_id + 1, index)
        return found


def _split_line(line: str) -> list[str]:
    """A sequence name, or the paths of an image and its mask; with slashes."""
    line = line.replace('\\', '/')
    pair = _PAIR.fullmatch(line)
    return list(pair.groups()) if pair else [line]
