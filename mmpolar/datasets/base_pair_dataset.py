"""What datasets of pairs share: whose turn it is, and how frames with a target are sampled."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import index as as_int
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from mmpolar.datasets.base_track_dataset import BaseTrackDataset, build_transforms
from mmpolar.datasets.permutation import permuted_index
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.target import Target
from mmpolar.utils.checks import check_at_least

#: Attempts to sample a frame, track or image before giving up, or turning to a search in order.
MAX_ATTEMPTS = 20


class BasePairDataset(Dataset, metaclass=ABCMeta):
    """Pairs of a template and a search frame, sampled from several track datasets.

    Each position belongs to one dataset, so the datasets' shares are exact; within a dataset the
    pairs follow seeded permutations of its tracks, so that the tracks are used equally
    often.

    Args:
        datasets: Track datasets, or their configs.
        length: Number of pairs.
        quotas: Share of each dataset, positive, in any unit; None for shares in proportion to the
            numbers of tracks.
        frame_range: Largest distance in frames of two frames of one video, one number for all
            datasets or one for each.
        pipeline: Transforms, in order; they take random numbers from ``results['rng']`` only.
        seed: Seed of the pairs, at least 0.
        lazy_init: Whether to put off indexing until :meth:`full_init` or the first pair.

    Raises:
        ValueError: If an option is out of its range or does not fit the number of datasets.
    """

    def __init__(
        self,
        datasets: Sequence[dict | BaseTrackDataset],
        length: int,
        quotas: Sequence[float] | None = None,
        frame_range: int | Sequence[int] = 100,
        pipeline: Sequence[dict | Callable] = (),
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        self.datasets = [DATASETS.build(d) if isinstance(d, Mapping) else d for d in datasets]
        self.quotas = quotas
        is_common = isinstance(frame_range, int)
        self.frame_ranges = [frame_range] * len(self.datasets) if is_common else list(frame_range)
        self.seed = seed
        self._length = length
        self._check_common_options()
        self.pipeline = Compose(build_transforms(pipeline))
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @abstractmethod
    def get_pair(self, index: int) -> dict:
        """Sample a pair; what it holds is the pipeline's input."""

    @property
    def metainfo(self) -> dict:
        """Meta information of the first dataset."""
        return self.datasets[0].metainfo

    def full_init(self) -> None:
        """Index the datasets and give each position to one of them, once."""
        if self._fully_initialized:
            return
        for dataset in self.datasets:
            dataset.full_init()
        self._num_tracks = np.array([dataset.num_videos for dataset in self.datasets])
        self._check_tracks()
        shares = self._num_tracks if self.quotas is None else np.asarray(self.quotas)
        self._counts = apportion(self._length, shares)
        self._cumulative_shares = np.cumsum(self._counts) / self._length
        self._dataset_of, self._turn_of = interleave(self._counts)
        self._fully_initialized = True

    def __len__(self) -> int:
        """Number of pairs."""
        return self._length

    def __getitem__(self, index: int) -> Any:
        """Sample a pair and run the pipeline on it; see :meth:`get_pair`."""
        return self.pipeline(self.get_pair(index))

    def _check_common_options(self) -> None:
        count = len(self.datasets)
        if count == 0:
            raise ValueError('datasets is empty; give at least one track dataset')
        check_at_least(0, seed=self.seed)
        if len(self.frame_ranges) != count or min(self.frame_ranges) < 0:
            raise ValueError(
                f'frame_range must be one number or {count}, each at least 0, '
                f'got {self.frame_ranges}'
            )
        if self.quotas is not None and (len(self.quotas) != count or not min(self.quotas) > 0):
            raise ValueError(f'quotas must be {count} positive numbers, got {self.quotas}')

    def _check_tracks(self) -> None:
        """Refuse datasets, indexed by now, from which the wanted pairs cannot be sampled."""

    def _scheduled_track(self, epoch: int, position: int) -> tuple[int, int]:
        """Dataset and track that a position of an epoch walks to."""
        number = int(self._dataset_of[position])
        turn = epoch * int(self._counts[number]) + int(self._turn_of[position])
        return number, permuted_index(turn, int(self._num_tracks[number]), (self.seed, number))

    def _sample_template(
        self, rng: np.random.Generator, number: int, track_id: int
    ) -> tuple[dict, int, Target]:
        """A frame of the track in which the target shows; of another track if there is none."""
        dataset = self.datasets[number]
        for _ in range(MAX_ATTEMPTS):
            track = dataset.get_track(track_id)
            found = first_with_target(dataset, track, rng.permutation(track.frames_to_search()))
            if found is not None:
                return track, *found
            track_id = int(rng.integers(dataset.num_videos))
        raise RuntimeError(
            f'dataset "{dataset.name}": no target in {MAX_ATTEMPTS} tracks, the last of them '
            f'"{track["video_name"]}"; leave out tracks without targets or lower min_area'
        )

    def _sample_search(
        self, rng: np.random.Generator, number: int, track: Track, template_frame: int
    ) -> tuple[int, Target] | None:
        """Another frame of the track near the template's, if the target shows in one."""
        frames = track.frames_to_search()
        distance = np.abs(frames - template_frame)
        near = frames[(distance > 0) & (distance <= self.frame_ranges[number])]
        return first_with_target(self.datasets[number], track, rng.permutation(near))

    def _sample_other(
        self, rng: np.random.Generator, track: Track
    ) -> tuple[dict, int, Target] | None:
        """A frame with a target of a video that shares no image with the track, if there is one."""
        for number, other_id in self._other_tracks(rng):
            found = self._sample_foreign(rng, self.datasets[number], track, other_id)
            if found is not None:
                return found
        return None

    def _sample_foreign(
        self, rng: np.random.Generator, dataset: BaseTrackDataset, track: Track, other_id: int
    ) -> tuple[dict, int, Target] | None:
        """A frame with a target of one other track, unless the two share an image."""
        other = dataset.get_track(other_id)
        if not set(track.frames).isdisjoint(other.frames):
            return None
        found = first_with_target(dataset, other, rng.permutation(other.frames_to_search()))
        return None if found is None else (other, *found)

    def _other_tracks(self, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Datasets and tracks at random, by the datasets' shares; after that all in order."""
        for _ in range(MAX_ATTEMPTS):
            number = int(np.searchsorted(self._cumulative_shares, rng.random(), side='right'))
            yield number, int(rng.integers(self._num_tracks[number]))
        for number, num_tracks in enumerate(self._num_tracks):
            yield from ((number, track_id) for track_id in range(num_tracks))


def apportion(total: int, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Split a number by shares, by the method of the largest remainder.

    Args:
        total: The number to split.
        shares: Shares in any unit, none negative, one positive at least, shape (D,).

    Returns:
        Whole numbers of shape (D,) that add up to ``total``, each less than 1 off its share.
    """
    exact = total * np.asarray(shares, dtype=np.float64) / np.sum(shares)
    counts = np.floor(exact).astype(np.int64)
    largest_remainders = np.argsort(counts - exact, kind='stable')
    counts[largest_remainders[: total - counts.sum()]] += 1
    return counts


def interleave(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spread the turns of several datasets evenly over the positions of an epoch.

    Args:
        counts: Number of turns of each dataset, shape (D,).

    Returns:
        The dataset of each position, and which of that dataset's turns it is, shape (sum,) each.
    """
    numbers = np.repeat(np.arange(len(counts)), counts)
    turns = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort((turns + 0.5) / counts[numbers], kind='stable')
    return numbers[order].astype(np.int32), turns[order].astype(np.int32)


def checked_index(index: int) -> int:
    """An index as a plain number.

    Raises:
        IndexError: If it is negative.
    """
    index = as_int(index)
    if index < 0:
        raise IndexError(f'pair index must be at least 0, got {index}')
    return index


def first_with_target(
    dataset: BaseTrackDataset, track: Track, frames: np.ndarray
) -> tuple[int, Target] | None:
    """The first of some frames (at most ``MAX_ATTEMPTS``) in which the target shows."""
    for frame in frames[:MAX_ATTEMPTS].tolist():
        target = dataset.read_target(track, frame)
        if target is not None:
            return frame, target
    return None


def view(track: Track, frame: int, target: Target) -> dict:
    """A frame of a track with its target, for transforms that add keys of their own.

    Returns:
        ``img_path``; ``box``, (4,) float32 xyxy; ``mask``, (H, W) uint8 or None; and ``video``,
        the path of the track's first image, which tells videos apart.
    """
    return dict(
        img_path=track.frames[frame],
        box=target.box,
        mask=target.mask,
        video=track.frames[0],
    )
