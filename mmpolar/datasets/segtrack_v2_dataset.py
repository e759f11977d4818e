"""SegTrack v2: masks of fourteen videos, some with several objects."""

import os
from pathlib import Path

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.sequence_files import list_folders, match_by_stem, read_names
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images


@DATASETS.register_module()
class SegTrackV2Dataset(BaseTrackDataset):
    """SegTrack v2 in its official folders, a track an object.

    Expected below ``data_root``: ``ImageSets/all.txt`` with the names of the videos, each after an
    asterisk; ``JPEGImages/<video>/<frame>.png`` or ``.bmp``; and the masks with the same names in
    ``GroundTruth/<video>/``, or in ``GroundTruth/<video>/1/``, ``2/`` and so on where there are
    several objects.

    Args:
        data_root: Folder with ``ImageSets``, ``JPEGImages`` and ``GroundTruth``.
        ann_file: Another list of videos, absolute or below ``data_root``; the asterisks may lack.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the list, the images of a video or the mask of a frame do not exist.
    """

    def __init__(self, data_root: str, ann_file: str = 'ImageSets/all.txt', **kwargs) -> None:
        folders = dict(img_path='JPEGImages', mask_path='GroundTruth')
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=folders, **kwargs)

    def load_data_list(self) -> list[Track]:
        """Index the objects; no mask is opened."""
        names = [name.lstrip('*').strip('/') for name in read_names(self.ann_file)]
        return [track for name in names for track in self.errors.attempt(self._tracks_of, name)]

    def _tracks_of(self, name: str) -> list[Track]:
        frames = list_images(os.path.join(self.data_prefix['img_path'], name))
        folder = os.path.join(self.data_prefix['mask_path'], name)
        if not frames or not os.path.isdir(folder):
            lacking = folder if frames else os.path.join(self.data_prefix['img_path'], name)
            raise FileNotFoundError(
                f'dataset "{self.name}", video "{name}": nothing in {lacking}; '
                f'add it or take the video out of {self.ann_file}'
            )
        objects = sorted((o for o in list_folders(folder) if o.isdecimal()), key=int)
        if not objects:
            return [
                Track(video_name=name, frames=frames, mask_paths=self._masks(name, frames, folder))
            ]
        return [
            Track(
                video_name=f'{name}-{number}',
                frames=frames,
                mask_paths=self._masks(name, frames, os.path.join(folder, number)),
                sequence=name,
            )
            for number in objects
        ]

    def _masks(self, name: str, frames: list[str], folder: str) -> list[str]:
        masks = match_by_stem(frames, folder)
        unmasked = [Path(path).name for path, mask in zip(frames, masks, strict=True) if not mask]
        if unmasked:
            error = FileNotFoundError(
                f'dataset "{self.name}", video "{name}": {len(unmasked)} frames have no mask in '
                f'{folder}, the first is {unmasked[0]}; add the masks'
            )
            self.errors.report(error)
        return masks
