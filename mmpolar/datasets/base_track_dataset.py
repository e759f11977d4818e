"""What all track datasets share: one item a track, targets read on demand, frames in order."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from operator import index as as_int
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmpolar.registry import TRANSFORMS
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.target import Target
from mmpolar.utils.image import read_mask

#: Value of pixels that are neither object nor background in masks with several object ids.
VOID_ID = 255


class BaseTrackDataset(BaseDataset, metaclass=ABCMeta):
    """A list of tracks; a track is one target in one video.

    An item of the data list has the keys that :func:`make_track` sets. Annotations are indexed
    once; masks are decoded only when a frame is used. ``TrackPairDataset`` draws training pairs
    from such datasets. In test mode the dataset yields the frames of all tracks in order: its
    length is the number of frames, and an index is a frame counted through all tracks or a pair
    ``(track, frame)`` as the ``VideoSampler`` gives it.

    Args:
        data_root: Folder that relative paths start from.
        ann_file: Annotation file, if the format has one.
        data_prefix: Folders below ``data_root``, by kind.
        name: Name of the dataset in messages and data samples; by default the last part of
            ``data_root``.
        min_area: Targets of fewer square pixels count as absent.
        pipeline: Transforms, in order; used in test mode.
        test_mode: Whether to yield frames for tracking.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        ValueError: If no track is left, or a track has no target in its first frame in test mode.
    """

    METAINFO = dict(classes=('target',))
    #: Makes samplers that know MMTracking's datasets go through whole videos.
    load_as_video = True

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = '',
        data_prefix: Mapping[str, str] | None = None,
        name: str | None = None,
        min_area: float = 1.0,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        **kwargs,
    ) -> None:
        self.name = name or Path(data_root).name or type(self).__name__
        self.min_area = min_area
        self._frame_ends: np.ndarray | None = None
        super().__init__(
            data_root=str(data_root),
            ann_file=str(ann_file),
            data_prefix=dict(data_prefix or {}),
            pipeline=build_transforms(pipeline),
            test_mode=test_mode,
            **kwargs,
        )

    @abstractmethod
    def load_data_list(self) -> list[dict]:
        """Index the annotations.

        Returns:
            One :func:`make_track` dictionary a track.
        """

    @property
    def num_videos(self) -> int:
        """Number of tracks."""
        return super().__len__()

    def get_track(self, track_id: int) -> dict:
        """Index entry of one track: the keys of :func:`make_track` and ``sample_idx``."""
        return self.get_data_info(track_id)

    def get_len_per_video(self, track_id: int) -> int:
        """Number of frames of one track."""
        return len(self.get_track(track_id)['frames'])

    def load_target(self, track_id: int, frame: int) -> Target | None:
        """Target of a track in one frame; None where it is absent."""
        return self.read_target(self.get_track(track_id), frame)

    def read_target(self, track: dict, frame: int) -> Target | None:
        """Target of a track that :meth:`get_track` gave, in one frame.

        Args:
            track: Index entry of the track.
            frame: Frame number, from 0.

        Returns:
            The target with its mask, where the format has masks, decoded to the size of the
            frame; None where the target is absent.

        Raises:
            FileNotFoundError: If the mask file does not exist.
            ImageReadError: If it cannot be decoded.
        """
        if track['mask_paths'] is None:
            box = track['boxes'][frame]
            return None if box is None else Target(np.asarray(box, dtype=np.float32))
        mask = select_object(read_mask(track['mask_paths'][frame]), track['object_id'])
        if np.count_nonzero(mask) < max(self.min_area, 1):
            return None
        return Target(mask_to_box(mask), mask)

    def get_frame(self, track_id: int, frame: int) -> dict:
        """What the test pipeline starts from.

        Args:
            track_id: Number of the track.
            frame: Frame number in the track, from 0.

        Returns:
            ``img_path``, ``frame_id``, ``video_id``, ``video_length``, ``video_name``;
            ``instances``, a list of one dictionary with ``bbox`` ((4,) float32 xyxy, zeros where
            the target is absent), ``visible`` and ``bbox_label``; and ``gt_mask``, (H, W) uint8 or
            None.
        """
        track = self.get_track(track_id)
        target = self.read_target(track, frame)
        box = np.zeros(4, dtype=np.float32) if target is None else target.box
        return dict(
            img_path=track['frames'][frame],
            frame_id=frame,
            video_id=track_id,
            video_length=len(track['frames']),
            video_name=track['video_name'],
            instances=[dict(bbox=box, visible=target is not None, bbox_label=0)],
            gt_mask=None if target is None else target.mask,
        )

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """Run the pipeline on one item: a frame in test mode, a track's index entry otherwise."""
        if not self.test_mode:
            return super().prepare_data(idx)
        return self.pipeline(self.get_frame(*self._locate(idx)))

    def full_init(self) -> None:
        """Index the annotations, once; in test mode check that every track starts with a target."""
        if self._fully_initialized:
            return
        super().full_init()
        if self.test_mode:
            self._check_first_frames()

    def filter_data(self) -> list[dict]:
        """Refuse an empty index.

        Raises:
            ValueError: If there is no track.
        """
        if not self.data_list:
            raise ValueError(
                f'dataset "{self.name}" ({type(self).__name__}, {self.ann_file or self.data_root}) '
                f'has no track with a target of at least {self.min_area} square pixels; '
                'check its paths and min_area'
            )
        return self.data_list

    def __len__(self) -> int:
        """Number of frames in test mode, number of tracks otherwise."""
        return int(self._ends[-1]) if self.test_mode else self.num_videos

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep only the tracks ``indices``."""
        super().get_subset_(indices)
        self._frame_ends = None

    def _copy_without_annotation(self, memo: dict | None = None) -> 'BaseTrackDataset':
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._frame_ends = None
        return other

    @property
    def _ends(self) -> np.ndarray:
        """Number of frames up to the end of each track, shape (num_videos,)."""
        if self._frame_ends is None:
            lengths = [self.get_len_per_video(i) for i in range(self.num_videos)]
            self._frame_ends = np.cumsum(lengths)
        return self._frame_ends

    def _locate(self, idx: int | tuple[int, int]) -> tuple[int, int]:
        """Track and frame of a test index."""
        if isinstance(idx, Sequence):
            track_id, frame = (as_int(i) for i in idx)
            if not 0 <= track_id < self.num_videos:
                raise IndexError(f'"{self.name}" has {self.num_videos} tracks, not {track_id}')
            length = self.get_len_per_video(track_id)
            if not 0 <= frame < length:
                raise IndexError(
                    f'track {track_id} of "{self.name}" has {length} frames, not {frame}'
                )
            return track_id, frame
        flat = as_int(idx)
        if not 0 <= flat < len(self):
            raise IndexError(f'"{self.name}" has {len(self)} frames, not {flat}')
        track_id = int(np.searchsorted(self._ends, flat, side='right'))
        start = int(self._ends[track_id - 1]) if track_id else 0
        return track_id, flat - start

    def _check_first_frames(self) -> None:
        tracks = (self.get_track(i) for i in range(self.num_videos))
        absent = [t['video_name'] for t in tracks if not self._starts_with_target(t)]
        if absent:
            raise ValueError(
                f'dataset "{self.name}": no target in the first frame of {", ".join(absent)}; a '
                'tracker starts from it, so leave out the frames before the target appears'
            )

    def _starts_with_target(self, track: dict) -> bool:
        if track['boxes'] is not None:
            return track['boxes'][0] is not None
        return self.read_target(track, 0) is not None

    def _log_dropped(self, count: int, what: str) -> None:
        if count:
            print_log(f'dataset "{self.name}": left out {count} {what}', logger='current')


def make_track(
    video_name: str,
    frames: Sequence[str],
    mask_paths: Sequence[str] | None = None,
    object_id: int | None = None,
    boxes: Sequence[Sequence[float] | None] | None = None,
    segmentation: list | dict | None = None,
    mask_size: tuple[int, int] | None = None,
    category: int | None = None,
) -> dict:
    """Index entry of one track.

    Args:
        video_name: Name of the track, unique in its dataset.
        frames: Path of the image of each frame.
        mask_paths: Path of the mask of each frame.
        object_id: Value of the target in the masks; None for every value but 0 (and 255, where
            other values occur too).
        boxes: Box ``x1, y1, x2, y2`` of each frame, None where the target is absent; pixel centres
            lie at integers.
        segmentation: Polygons or run lengths in COCO's form, of a one-frame track.
        mask_size: Height and width of the mask that ``segmentation`` describes.
        category: Category id of the target, if known.

    Returns:
        A dictionary of these values.
    """
    return dict(
        video_name=video_name,
        frames=list(frames),
        mask_paths=None if mask_paths is None else list(mask_paths),
        object_id=object_id,
        boxes=None if boxes is None else list(boxes),
        segmentation=segmentation,
        mask_size=mask_size,
        category=category,
    )


def select_object(ids: np.ndarray, object_id: int | None) -> np.ndarray:
    """Mask of one object, or of all.

    Args:
        ids: Object ids of shape (H, W), uint8.
        object_id: The object; None for every id but 0 and 255 (void).

    Returns:
        Mask of shape (H, W), uint8 with values 0 and 1.
    """
    chosen = ids == object_id if object_id is not None else (ids != 0) & (ids != VOID_ID)
    return chosen.view(np.uint8)


def build_transforms(pipeline: Sequence[dict | Callable]) -> list[Callable]:
    """Build those transforms of a pipeline that are configs."""
    return [TRANSFORMS.build(t) if isinstance(t, Mapping) else t for t in pipeline]
