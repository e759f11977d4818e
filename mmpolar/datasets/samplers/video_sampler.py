"""Whole test videos, frame by frame, split over the ranks."""

from collections.abc import Iterator, Sequence

from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class VideoSampler(Sampler[tuple[int, int]]):
    """Whole test videos, frame by frame, split over the ranks so that each has similar work.

    A rank without a video, where there are more ranks than videos, yields nothing.

    Args:
        dataset: Track dataset in test mode.
        seed: Not used; MMEngine gives every sampler a seed.

    Raises:
        ValueError: If the dataset is not in test mode.
    """

    def __init__(self, dataset: BaseTrackDataset, seed: int | None = None) -> None:
        if not dataset.test_mode:
            raise ValueError(
                f'dataset "{dataset.name}" is not in test mode; set test_mode=True, or train with '
                'TrackPairDataset and EpochPairSampler'
            )
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        lengths = [dataset.get_len_per_video(i) for i in range(dataset.num_videos)]
        videos = assign_videos(lengths, self.world_size)[self.rank]
        self._indices = [(video, frame) for video in videos for frame in range(lengths[video])]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs (video, frame) of this rank."""
        return iter(self._indices)

    def __len__(self) -> int:
        """Number of frames of this rank."""
        return len(self._indices)


def assign_videos(lengths: Sequence[int], world_size: int) -> list[list[int]]:
    """Give each video to the rank that has the fewest frames so far, the longest video first.

    Args:
        lengths: Number of frames of each video.
        world_size: Number of ranks.

    Returns:
        The videos of each rank, ascending; empty lists where there are more ranks than videos.
    """
    videos: list[list[int]] = [[] for _ in range(world_size)]
    frames = [0] * world_size
    for video in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        rank = frames.index(min(frames))
        videos[rank].append(video)
        frames[rank] += lengths[video]
    return [sorted(of_rank) for of_rank in videos]
