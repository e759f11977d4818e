"""YouTube-VOS: masks of several objects a video, some of which appear late."""

import os
from pathlib import Path

import numpy as np

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.sequence_files import match_by_stem
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.combine_objects import MAX_OBJECT_ID
from mmpolar.utils.image import list_images
from mmpolar.utils.text_file import read_json

_SPLITS = ('train', 'valid', 'test')


@DATASETS.register_module()
class YouTubeVOSDataset(BaseTrackDataset):
    """YouTube-VOS 2018 or 2019 in its official folders, a track an object.

    Expected below ``data_root``, for each split: ``<split>/meta.json``,
    ``<split>/JPEGImages/<video>/00000.jpg`` (every fifth frame) and
    ``<split>/Annotations/<video>/00000.png``; and, for ``all_frames``,
    ``<split>_all_frames/JPEGImages``.

    A track starts at the first frame that ``meta.json`` names for its object, which may be late in
    the video. In the training split the frames with a mask file are annotated; in the others only
    the first frame of each track. The flag ``evaluated`` of a frame tells whether ``meta.json``
    names it for any object of the video: those frames are sent in. The category of a track is that
    of ``meta.json``.

    Args:
        data_root: Folder of the splits.
        split: 'train', 'valid' or 'test'.
        ann_file: Another file like ``meta.json``, absolute or below ``data_root``, for instance
            with some videos of the training split to validate on.
        all_frames: Whether to use every frame of the videos.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the JSON file or the images of a video do not exist.
        ValueError: If ``split`` is unknown or the JSON file is not like ``meta.json``.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        ann_file: str = '',
        all_frames: bool = False,
        **kwargs,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f'split must be one of {_SPLITS}, got {split!r}')
        self.split = split
        images = f'{split}_all_frames' if all_frames else split
        super().__init__(
            data_root=data_root,
            ann_file=ann_file or f'{split}/meta.json',
            data_prefix=dict(img_path=f'{images}/JPEGImages', mask_path=f'{split}/Annotations'),
            **kwargs,
        )

    def load_data_list(self) -> list[Track]:
        """Index the objects; no mask is opened."""
        return [
            track
            for video, objects in self._load_objects().items()
            for track in self.errors.attempt(self._tracks_of, video, objects)
        ]

    def _load_objects(self) -> dict[str, dict[str, dict]]:
        """Objects of each video by id, with ``frames`` and perhaps ``category``."""
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(
                f'dataset "{self.name}": {self.ann_file} does not exist; check data_root and split'
            )
        content = read_json(self.ann_file)
        try:
            videos = content['videos']
            found = {video: entry['objects'] for video, entry in videos.items()}
            frames = [o['frames'] for objects in found.values() for o in objects.values()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{self.ann_file} is not like meta.json of YouTube-VOS, which has '
                f'videos/<video>/objects/<id>/frames ({type(error).__name__}: {error})'
            ) from error
        if not all(frames):
            raise ValueError(f'{self.ann_file}: an object has no frames; take it out')
        return found

    def _tracks_of(self, video: str, objects: dict[str, dict]) -> list[Track]:
        folder = os.path.join(self.data_prefix['img_path'], video)
        frames = list_images(folder)
        if not frames:
            raise FileNotFoundError(
                f'dataset "{self.name}", video "{video}": no images in {folder}; '
                f'add them or take it out of {self.ann_file}'
            )
        stems = [Path(path).stem for path in frames]
        masks = match_by_stem(frames, os.path.join(self.data_prefix['mask_path'], video))
        named = {stem for entry in objects.values() for stem in entry['frames']}
        evaluated = np.array([stem in named for stem in stems], dtype=np.uint8)
        tracks = []
        for object_id, entry in objects.items():
            if not (object_id.isdecimal() and 1 <= int(object_id) <= MAX_OBJECT_ID):
                raise ValueError(
                    f'{self.ann_file}: object {object_id[:40]!r} of video "{video}" must be a number '
                    f'in 1..{MAX_OBJECT_ID}'
                )
            start = self._start(video, stems, min(entry['frames']))
            track = Track(
                video_name=f'{video}-{object_id}',
                frames=frames[start:],
                mask_paths=self._known_masks(masks[start:]),
                object_id=int(object_id),
                category=entry.get('category'),
                sequence=video,
                flags=dict(evaluated=evaluated[start:]),
            )
            tracks.append(track)
        return tracks

    def _start(self, video: str, stems: list[str], first: str) -> int:
        if first not in stems:
            raise FileNotFoundError(
                f'dataset "{self.name}", video "{video}": no image of frame {first}, which '
                f'{self.ann_file} names'
            )
        return stems.index(first)

    def _known_masks(self, masks: list[str | None]) -> list[str | None]:
        """Masks that tell where this object is: outside of the training split the first alone."""
        if self.split == 'train':
            return masks
        return masks[:1] + [None] * (len(masks) - 1)
