from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpolar.datasets.base_pair_dataset import BasePairDataset, checked_index
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.target import Target
from mmpolar.utils.checks import check_at_least


@DATASETS.register_module()
class TrackPairDataset(BasePairDataset):
    """Training pairs of a template and a search frame, sampled from several track datasets.

    Everything random about a pair, its augmentation included, depends on ``seed`` and its index
    alone, so pairs are the same for any number of workers and ranks. An index beyond the length
    stands for a later epoch: ``index = epoch * len(self) + position``, as the
    ``EpochPairSampler`` gives it. The datasets' shares are exact in every epoch, and
    a dataset's tracks are used equally often over epochs too.

    Args:
        datasets: Track datasets, or their configs.
        samples_per_epoch: Number of pairs in an epoch.
        negative_prob: Probability that the search frame shows another target, of another video.
        **kwargs: See :class:`BasePairDataset`.

    Raises:
        ValueError: If an option is out of its range or does not fit the number of datasets, or
            negative pairs are wanted of a single track.
    """

    #: Whether an index beyond the length stands for a later epoch.
    index_carries_epoch = True

    def __init__(
        self,
        datasets: Sequence[dict | BaseTrackDataset],
        samples_per_epoch: int,
        negative_prob: float = 0.2,
        **kwargs,
    ) -> None:
        check_at_least(1, samples_per_epoch=samples_per_epoch)
        if not 0 <= negative_prob <= 1:
            raise ValueError(f'negative_prob must lie in 0..1, got {negative_prob}')
        self.samples_per_epoch = samples_per_epoch
        self.negative_prob = negative_prob
        super().__init__(datasets, samples_per_epoch, **kwargs)

    def get_pair(self, index: int) -> dict:
        """Sample a pair.

        Args:
            index: ``epoch * len(self) + position``.

        Returns:
            ``template`` and ``search``, a :class:`~mmpolar.datasets.pair_side.PairSide` each;
            ``label``, 1, or 0 where the search frame shows another target; ``rng``, the generator
            for the augmentation; ``sample_idx``, the index; ``dataset_name``, that of the
            template; ``track``, the number of the template's dataset and its track there.

        Raises:
            IndexError: If the index is negative.
            RuntimeError: If no frame with a target, or no other video for a negative, was found.
        """
        self.full_init()
        index = checked_index(index)
        return self._sample_pair(self._scheduled_track(*divmod(index, len(self))), index)

    def pair_of(self, track: tuple[int, int], index: int) -> Any:
        """Sample a pair of a given track and run the pipeline on it.

        It depends on ``seed``, the track and the index alone. Where no target shows in the frames
        of the track that are tried, the pair is of another track of its dataset, as in
        :meth:`get_pair`; ``track`` of the pair tells.

        Args:
            track: Number of the dataset and track in it, as in ``track`` of a pair.
            index: As in :meth:`get_pair`, but for the random numbers only.

        Returns:
            What the pipeline gives.

        Raises:
            IndexError: If the index is negative.
            RuntimeError: See :meth:`get_pair`.
        """
        self.full_init()
        return self.pipeline(self._sample_pair(track, checked_index(index)))

    def _sample_pair(self, scheduled: tuple[int, int], index: int) -> dict:
        """A pair of a track of a dataset, or of another one if there is no target in it."""
        rng = np.random.default_rng([self.seed, index])
        number, track_id = scheduled
        track, frame, target = self._sample_template(rng, number, track_id)
        is_negative = rng.random() < self.negative_prob
        if is_negative:
            search = self._sample_negative(rng, track)
        else:
            search = self._sample_search(rng, number, track, frame) or (frame, target)
            search = (track, *search)
        return dict(
            template=PairSide.of_track(track, frame, target),
            search=PairSide.of_track(*search),
            label=int(not is_negative),
            rng=rng,
            sample_idx=index,
            dataset_name=self.datasets[number].name,
            track=(number, track.sample_idx),
        )

    def _check_tracks(self) -> None:
        if self.negative_prob > 0 and self._num_tracks.sum() < 2:
            raise ValueError(
                'negative pairs need two tracks, but the datasets have one; '
                'add data or set negative_prob=0'
            )

    def _sample_negative(self, rng: np.random.Generator, track: Track) -> tuple[dict, int, Target]:
        """A frame with a target of a video that shares no image with the track."""
        found = self._sample_other(rng, track)
        if found is None:
            raise RuntimeError(
                f'no video other than that of "{track["video_name"]}" for a negative pair; '
                'add data or set negative_prob=0'
            )
        return found
