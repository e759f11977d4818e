"""Test videos with all of their targets at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from mmpolar.datasets.base_track_dataset import BaseTrackDataset, locate_frame
from mmpolar.registry import DATASETS
from mmpolar.utils.image import read_image


@DATASETS.register_module()
class MultiTargetDataset(Dataset):
    """Test frames with all targets of their video at once.

    A track dataset in test mode yields a video once for each of its targets. This one yields it
    once, and with each frame a data sample for every target that has been given so far, so that
    the tracker finds them in one pass through the network. The samples are those of the dataset
    within, so metrics and files of results are the same; only the order in which they come differs.

    Its length is the number of frames of all videos; an index is a frame counted through all videos
    or a pair ``(video, frame)`` as the ``VideoSampler`` gives it.

    Args:
        dataset: Track dataset in test mode, or its config. Tracks of one ``sequence`` are targets
            of one video; they may begin in different frames and end in the last one.

    Raises:
        ValueError: If the dataset is not in test mode, or two tracks of a sequence end in different
            frames.
    """

    test_mode = True

    def __init__(self, dataset: dict | BaseTrackDataset) -> None:
        if isinstance(dataset, Mapping):
            dataset = DATASETS.build(dataset)
        if not dataset.test_mode:
            raise ValueError(f'dataset "{dataset.name}" is not in test mode; set test_mode=True')
        dataset.full_init()
        self.dataset = dataset
        self.name = dataset.name
        self._targets, lengths = _group_tracks(dataset)
        self._ends = np.cumsum(lengths)

    @property
    def metainfo(self) -> dict[str, Any]:
        """That of the dataset within."""
        return self.dataset.metainfo

    @property
    def num_videos(self) -> int:
        """Number of videos."""
        return len(self._targets)

    def get_len_per_video(self, video: int) -> int:
        """Number of frames of one video."""
        return int(self._ends[video] - (self._ends[video - 1] if video else 0))

    def targets_in(self, video: int, frame: int) -> list[tuple[int, int]]:
        """Targets that have been given up to a frame.

        Args:
            video: Number of the video.
            frame: Frame number in the video, from 0.

        Returns:
            Number of each track in the dataset within, and number of the frame in that track.
        """
        return [(track, frame - start) for track, start in self._targets[video] if frame >= start]

    def __len__(self) -> int:
        """Number of frames."""
        return int(self._ends[-1])

    def __getitem__(self, idx: int | tuple[int, int]) -> dict[str, Any]:
        """A frame.

        Args:
            idx: Number of the frame, or of the video and of the frame in it.

        Returns:
            ``inputs`` of the dataset within, and its ``data_samples``, one for each target.

        Raises:
            IndexError: If there is no such frame.
        """
        targets = self.targets_in(*locate_frame(idx, self._ends, self.name))
        frames = [self.dataset.get_frame(*target) for target in targets]
        image = read_image(frames[0]['img_path'])
        packed = [self.dataset.pipeline(dict(frame, img=image)) for frame in frames]
        samples = [one['data_samples'] for one in packed]
        return dict(inputs=packed[0]['inputs'], data_samples=samples)


def _group_tracks(dataset: BaseTrackDataset) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """For each video its tracks with the frame in which each begins, and its length."""
    tracks: dict[str, list[int]] = {}
    last_frames: dict[str, str] = {}
    for number in range(dataset.num_videos):
        track = dataset.get_track(number)
        sequence, last = track.sequence, track.frames[-1]
        if last_frames.setdefault(sequence, last) != last:
            raise ValueError(
                f'dataset "{dataset.name}": tracks of sequence "{sequence}" end in different frames '
                f'({last_frames[sequence]} and {last}); test this dataset without MultiTargetDataset'
            )
        tracks.setdefault(sequence, []).append(number)
    targets, lengths = [], []
    for numbers in tracks.values():
        frames = [dataset.get_len_per_video(number) for number in numbers]
        lengths.append(max(frames))
        starts = [lengths[-1] - length for length in frames]
        targets.append(list(zip(numbers, starts, strict=True)))
    return targets, lengths
