"""What all track datasets share: one item a track, targets read on demand, frames in order."""

import os
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from operator import index as as_int
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.logging import print_log

from mmpolar.datasets.annotation_errors import AnnotationErrors
from mmpolar.datasets.index_cache import IndexCache
from mmpolar.datasets.left_out import LeftOut
from mmpolar.datasets.mask_kinds import VOID_ID
from mmpolar.datasets.track import Track
from mmpolar.datasets.track_index import TrackIndex, decode_track, encode_tracks
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.target import Target
from mmpolar.utils.deprecation import moved_names
from mmpolar.utils.image import read_mask
from mmpolar.version import __version__

#: Attributes that do not change what the index says.
_NOT_INDEXED = frozenset(
    (
        'name',
        'errors',
        'index_cache',
        'data_list',
        'data_root',
        'pipeline',
        'max_refetch',
        'serialize_data',
    )
)


class BaseTrackDataset(BaseDataset, metaclass=ABCMeta):
    """A list of tracks; a track is one target in one video.

    Annotations are indexed once, into one block of bytes that worker processes share; masks are
    decoded only when a frame is used. ``TrackPairDataset`` samples training pairs from such
    datasets. In test mode the dataset
    yields the frames of all tracks in order: its length is the number of frames, and an index is a
    frame counted through all tracks or a pair ``(track, frame)`` as the ``VideoSampler`` gives it.

    With ``index_cache`` the index is kept in a file and mapped into memory from there: the next
    start, and every other process of the machine, reads no annotation. The file is built again when it
    is damaged, an option changes, an annotation file is written, or an entry comes or goes in one of
    the folders of :meth:`index_sources` and :meth:`files_of`. A mask that is written over is not seen.

    Args:
        data_root: Folder that relative paths start from.
        ann_file: Annotation file, if the format has one.
        data_prefix: Folders below ``data_root``, by kind.
        name: Name of the dataset in messages and data samples; by default the last part of
            ``data_root``.
        min_area: Targets of fewer square pixels count as absent.
        pipeline: Transforms, in order; used in test mode.
        test_mode: Whether to yield frames for tracking.
        index_cache: Folder for the index file; True for ``.mmpolar_index`` below ``data_root``;
            False to index at every start.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        ValueError: If no track is left, a track has no target in its first frame in test mode, or
            ``index_cache`` is used without ``serialize_data``.
    """

    METAINFO = dict(classes=('target',))
    #: Makes samplers that know MMTracking's datasets go through whole videos.
    load_as_video = True
    #: What the values of grey mask files are; see :func:`mmpolar.utils.image.load_mask`.
    mask_values = 'auto'

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = '',
        data_prefix: Mapping[str, str] | None = None,
        name: str | None = None,
        min_area: float = 1.0,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        index_cache: bool | str = False,
        **kwargs,
    ) -> None:
        if index_cache and not kwargs.get('serialize_data', True):
            raise ValueError('index_cache needs serialize_data=True; leave serialize_data out')
        self.name = name or Path(data_root).name or type(self).__name__
        self.min_area = min_area
        self.index_cache = index_cache
        self._frame_ends: np.ndarray | None = None
        self._index_file: IndexCache | None = None
        self.errors = AnnotationErrors()
        super().__init__(
            data_root=str(data_root),
            ann_file=str(ann_file),
            data_prefix=dict(data_prefix or {}),
            pipeline=build_transforms(pipeline),
            test_mode=test_mode,
            **kwargs,
        )

    @abstractmethod
    def load_data_list(self) -> list[Track]:
        """Index the annotations."""

    @property
    def num_videos(self) -> int:
        """Number of tracks."""
        return super().__len__()

    @force_full_init
    def get_track(self, track_id: int) -> Track:
        """Annotations of one track; arrays in them are shared and read-only."""
        index = track_id + self.num_videos if track_id < 0 else track_id
        if self.serialize_data:
            start = self.data_address[index - 1] if index else 0
            track = decode_track(self.data_bytes[start : self.data_address[index]])
        else:
            track = copy(self.data_list[index])
        track.sample_idx = index
        return track

    def get_data_info(self, idx: int) -> dict:
        """Annotations of one track, see :meth:`Track.as_dict`."""
        return self.get_track(idx).as_dict()

    def get_len_per_video(self, track_id: int) -> int:
        """Number of frames of one track."""
        start = self._ends[track_id - 1] if track_id else 0
        return int(self._ends[track_id] - start)

    def load_target(self, track_id: int, frame: int) -> Target | None:
        """Target of a track in one frame; None where it is absent."""
        return self.read_target(self.get_track(track_id), frame)

    def read_target(self, track: Track, frame: int) -> Target | None:
        """Target of a track that :meth:`get_track` gave, in one frame.

        Args:
            track: The track.
            frame: Index of the frame.

        Returns:
            The target with its mask, where the format has masks, decoded to the size of the
            frame; None where the target is absent or the frame is not annotated.

        Raises:
            FileNotFoundError: If the mask file does not exist.
            ImageReadError: If it cannot be decoded.
        """
        if track.mask_paths is None:
            box = np.array(track.boxes[frame], dtype=np.float32)
            return None if np.isnan(box[0]) else Target(box)
        if track.mask_paths[frame] is None:
            return None
        ids = read_mask(track.mask_paths[frame], self.mask_values)
        mask = select_object(ids, track.object_id)
        if np.count_nonzero(mask) < max(self.min_area, 1):
            return None
        return Target(mask_to_box(mask), mask)

    def get_frame(self, track_id: int, frame: int) -> dict:
        """What the test pipeline starts from.

        Args:
            track_id: Index of the track.
            frame: Index of the frame in the track.

        Returns:
            ``img_path``, ``frame_id``, ``video_id``, ``video_length``, ``video_name``;
            ``sequence``, ``object_id`` and ``category``, see :class:`Track`; ``annotated``,
            whether it is known where the target is; ``flags``, what else the benchmark says about
            the frame; ``instances``, a list of one dictionary with ``bbox`` ((4,) float32 xyxy,
            zeros where the target is absent), ``visible`` and ``bbox_label``; and ``gt_mask``,
            (H, W) uint8 or None.
        """
        track = self.get_track(track_id)
        target = self.read_target(track, frame)
        box = np.zeros(4, dtype=np.float32) if target is None else target.box
        return dict(
            img_path=track.frames[frame],
            frame_id=frame,
            video_id=track_id,
            video_length=len(track),
            video_name=track.video_name,
            sequence=track.sequence,
            object_id=track.object_id,
            category=track.category,
            annotated=track.is_annotated(frame),
            flags=track.flags_at(frame),
            instances=[dict(bbox=box, visible=target is not None, bbox_label=0)],
            gt_mask=None if target is None else target.mask,
        )

    def prepare_data(self, idx: int | tuple[int, int]) -> Any:
        """Run the pipeline on one item: a frame in test mode, a track otherwise."""
        if not self.test_mode:
            return super().prepare_data(idx)
        return self.pipeline(self.get_frame(*locate_frame(idx, self._ends, self.name)))

    def full_init(self) -> None:
        """Index the annotations, once; in test mode check that every track starts with a target."""
        if self._fully_initialized:
            return
        if self.index_cache:
            cache = self._make_cache()
            index = cache.load(self.index_sources(), self._build_index, self._take_read_from)
            if index is not None:
                self._adopt(index)
                self._index_file = cache
            self._fully_initialized = True
        else:
            self._build_index()

    def index_sources(self) -> list[str]:
        """Files and folders whose change makes an index file worthless.

        Returns:
            By default ``data_root``, the annotation file and the folders of ``data_prefix``; all
            of them few and high up, as they are looked at on every start.
        """
        return [str(self.data_root), self.ann_file, *self.data_prefix.values()]

    def files_of(self, track: Track) -> set[str]:
        """Files and folders that a track was read from, whose change makes an index file worthless.

        Returns:
            By default the folders of its frames and masks.
        """
        return {
            os.path.dirname(path) for path in (*track.frames, *(track.mask_paths or ())) if path
        }

    def filter_data(self) -> list[Track]:
        """Refuse an empty index.

        Raises:
            ValueError: If there is no track.
        """
        if not self.data_list and not self.errors.collects:
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
        self._index_file = None

    def _copy_without_annotation(self, memo: dict | None = None) -> 'BaseTrackDataset':
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._frame_ends = None
        other._index_file = None
        return other

    def __getstate__(self) -> dict:
        """State for another process, which maps the index file itself instead of copying it."""
        state = self.__dict__.copy()
        if self._index_file is not None:
            for key in ('data_bytes', 'data_address', '_frame_ends'):
                del state[key]
        return state

    def __setstate__(self, state: dict) -> None:
        """Take over a state; map the index file, if there is one."""
        self.__dict__.update(state)
        if self._index_file is not None:
            self._adopt(self._index_file.reopen())

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        index = encode_tracks(self.data_list)
        if self.index_cache:
            self._read_from = set().union(*map(self.files_of, self.data_list))
        self.data_list.clear()
        self._frame_ends = index.frame_ends
        return index.data, index.ends

    def _build_index(self) -> TrackIndex | None:
        """Index the annotations; the index where the data is serialized."""
        super().full_init()
        if self.test_mode and not self.errors.collects:
            self._check_first_frames()
        if not self.serialize_data:
            return None
        return TrackIndex(self.data_bytes, self.data_address, self._frame_ends)

    def _take_read_from(self) -> list[str]:
        """What the tracks were read from, once: the processes that share the index need it no more."""
        return sorted(self.__dict__.pop('_read_from', ()))

    def _make_cache(self) -> IndexCache:
        """The index file for these options and this version."""
        options = {
            key: value
            for key, value in vars(self).items()
            if (key[0] != '_' or key == '_indices') and key not in _NOT_INDEXED
        }
        options |= dict(version=__version__, data_root=os.path.abspath(self.data_root))
        return IndexCache(self.index_cache, self.data_root, self.name, type(self).__name__, options)

    def _adopt(self, index: TrackIndex) -> None:
        self.data_bytes, self.data_address = index.data, index.ends
        self._frame_ends = index.frame_ends

    @property
    def _ends(self) -> np.ndarray:
        """Number of frames up to the end of each track, shape (num_videos,)."""
        if self._frame_ends is None:
            lengths = [len(self.get_track(i)) for i in range(self.num_videos)]
            self._frame_ends = np.cumsum(lengths)
        return self._frame_ends

    def _check_first_frames(self) -> None:
        tracks = (self.get_track(i) for i in range(self.num_videos))
        absent = [t.video_name for t in tracks if not self._starts_with_target(t)]
        if absent:
            raise ValueError(
                f'dataset "{self.name}": no target in the first frame of {", ".join(absent)}; a '
                'tracker starts from it, so leave out the frames before the target appears'
            )

    def _starts_with_target(self, track: Track) -> bool:
        if track.boxes is not None:
            return not np.isnan(track.boxes[0, 0])
        return self.read_target(track, 0) is not None

    def _with_target(self, tracks: Sequence[Track], what: str) -> list[Track]:
        """Those tracks that may show a target; how many were left out is logged."""
        kept = [track for track in tracks if track.frames_to_search().size]
        self._log_dropped(len(tracks) - len(kept), what)
        return kept

    def _log_left_out(self, left_out: LeftOut) -> None:
        """Log what a reader did not use; a check notes it."""
        for line in left_out.lines():
            print_log(f'dataset "{self.name}": left out {line}', logger='current')
            self.errors.note(f'{self.ann_file}: left out {line}')

    def _log_dropped(self, count: int, what: str) -> None:
        if count:
            print_log(f'dataset "{self.name}": left out {count} {what}', logger='current')


def locate_frame(idx: int | tuple[int, int], ends: np.ndarray, owner: str) -> tuple[int, int]:
    """Video and frame that an index of a test dataset stands for.

    Args:
        idx: A frame counted through all videos, or number of the video and of the frame in it.
        ends: Number of frames up to the end of each video, (V,).
        owner: Name of the dataset, for the message.

    Raises:
        IndexError: If there is no such frame.
    """
    if isinstance(idx, Sequence):
        video, frame = (as_int(number) for number in idx)
    else:
        video = int(np.searchsorted(ends, as_int(idx), side='right'))
        frame = as_int(idx) - (int(ends[video - 1]) if video else 0)
    length = 0
    if 0 <= video < len(ends):
        length = ends[video] - (ends[video - 1] if video else 0)
    if not 0 <= frame < length:
        raise IndexError(f'"{owner}" has no frame {idx} in its {len(ends)} videos')
    return video, frame


def select_object(ids: np.ndarray, object_id: int | None) -> np.ndarray:
    """Mask of one object, or of all.

    Args:
        ids: Object ids of shape (H, W), uint8.
        object_id: The object; None for every id but 0 and 255 (void).

    Returns:
        Mask of shape (H, W), uint8 with values 0 and 1; ``ids`` itself where it is that already.
    """
    if object_id in (None, 1) and ids.max() <= 1:
        return ids
    lowest, highest = (1, VOID_ID - 1) if object_id is None else (object_id, object_id)
    return cv2.inRange(ids, lowest, highest) & 1


def build_transforms(pipeline: Sequence[dict | Callable]) -> list[Callable]:
    """Build those transforms of a pipeline that are configs."""
    return [TRANSFORMS.build(t) if isinstance(t, Mapping) else t for t in pipeline]


__getattr__ = moved_names(
    __name__,
    {
        'INDEX_FOLDER': 'mmpolar.datasets.index_cache',
        'make_track': 'mmpolar.datasets.track',
        'frames_to_search': 'mmpolar.datasets.track',
    },
)
