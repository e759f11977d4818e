import logging
import os
from collections.abc import Callable, Mapping, Sequence

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmpolar.datasets.frame_cache import FrameCache, FrameSampling
from mmpolar.datasets.image_folder_dataset import ImageFolderDataset
from mmpolar.registry import DATASETS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.video import VIDEO_SUFFIXES

#: Folder below ``data_root`` where frames are kept by default.
CACHE_FOLDER = '.mmpolar_frames'


@DATASETS.register_module()
class VideoFolderDataset(ImageFolderDataset):
    """Frames of videos in folders, without annotations: a pool of negatives.

    All videos in the folders and the folders below them are sampled at a rate. Each is decoded once:
    its frames are kept as JPEG files, within a budget, see
    :class:`mmpolar.datasets.frame_cache.FrameCache`. Damaged videos are named in a warning and left
    out, from the damage on.

    An item is that of :class:`ImageFolderDataset`, with the kept frame as ``img_path``, and has
    ``video``, the path of its video, ``frame``, its number there, and ``seconds``, its time.

    Args:
        data_root: Folder that relative paths start from.
        data_prefix: ``img``, the folder with videos, or several of them; by default ``data_root``
            itself.
        pipeline: Transforms, in order.
        group: Options of :class:`mmpolar.datasets.group_rule.GroupRule`, ``pattern`` or ``table``, for
            the path of a video; by default a group is a folder.
        rate: Frames a second, above 0.
        max_side: Longest side of a kept frame in pixels, at least 1; larger ones are scaled down.
        quality: Of the JPEG files, 1 to 100.
        cache_dir: Folder of the cache; by default ``.mmpolar_frames`` in ``data_root``.
        cache_bytes: Most bytes that the frames may take. If they need more, every second frame of all
            videos is dropped, as often as it takes.
        num_threads: Videos that are decoded at a time, at least 1.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no video in a folder and those below it, none can be decoded, or an
            option is out of its range.
    """

    KIND = 'video'
    SUFFIXES = VIDEO_SUFFIXES

    def __init__(
        self,
        data_root: str = '',
        data_prefix: Mapping[str, str | Sequence[str]] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        group: Mapping[str, str] | None = None,
        rate: float = 1.0,
        max_side: int = 1280,
        quality: int = 90,
        cache_dir: str | None = None,
        cache_bytes: int = 20 * 10**9,
        num_threads: int = 2,
        **kwargs,
    ) -> None:
        self.sampling = FrameSampling(rate, max_side, quality)
        self.cache_dir = os.path.join(data_root, CACHE_FOLDER) if cache_dir is None else cache_dir
        self.cache_bytes = cache_bytes
        self.num_threads = num_threads
        super().__init__(data_root, data_prefix, pipeline, group, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Sample the videos of all folders, as far as the cache lacks them, and list the frames."""
        videos = self._list_files()
        groups = {video: self.group_rule.group_of(video) for video in videos}
        cache = FrameCache(
            self.cache_dir,
            self.data_root,
            videos,
            self.sampling,
            self.cache_bytes,
            scope=self.data_prefix['img'],
        )
        with progress_bar(
            total=len(videos), desc='sampling frames', unit='video', shown=is_main_process()
        ) as bar:
            frames = cache.frames(self.num_threads, bar.update)
        self._report(cache, len(videos))
        if not frames:
            raise ValueError(
                f'none of {len(videos)} videos in "{self.data_root}" can be decoded; '
                'convert them, for example to H.264 in mp4 files'
            )
        return [
            dict(
                img_path=frame.path,
                img_id=f'{frame.video}#{frame.number}',
                group=groups[frame.video],
                video=self._full_path(frame.video),
                frame=frame.number,
                seconds=frame.seconds,
                instances=[],
            )
            for frame in frames
        ]

    def _report(self, cache: FrameCache, num_videos: int) -> None:
        warnings = []
        if cache.problems:
            named = [f'{video} ({why})' for video, why in cache.problems.items()]
            warnings.append(
                f'{len(named)} of {num_videos} videos are damaged: {abridged(named, 5)}'
            )
        if cache.step > 1:
            warnings.append(
                f'cache_bytes={self.cache_bytes} holds one of {cache.step} frames that are sampled, '
                f'{self.sampling.rate / cache.step:g} a second; raise it, and remove {cache.folder}, '
                'for more'
            )
        for warning in warnings:
            print_log(f'VideoFolderDataset: {warning}', 'current', logging.WARNING)
