"""Groups of views of one target, which train a mask stage."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpolar.datasets.base_pair_dataset import MAX_ATTEMPTS, BasePairDataset, checked_index, view
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.registry import DATASETS
from mmpolar.structures.target import Target
from mmpolar.utils.checks import check_at_least


@DATASETS.register_module()
class MaskCropDataset(BasePairDataset):
    """Groups of V views of one target, sampled from track datasets with masks.

    The views are frames of one video, or one still image V times. With them may come the frames
    of other targets, one for a new background and some for distractors, which
    :class:`CompositeViews` lays behind and beside the target. Everything random about a group
    depends on ``seed`` and its index alone, as in :class:`TrackPairDataset`.

    Args:
        datasets: Track datasets with masks, or their configs.
        samples_per_epoch: Number of groups in an epoch.
        num_views: Views V of a group, at least 3: the crop, and its two references.
        frame_range: Largest distance in frames of two views, one number or one a dataset.
        fill_prob: Probability that another photograph fills up what lies outside a still image.
        cut_out_prob: Probability that the target of a still image gets another background.
        distractor_prob: Probability that there is a distractor; a second one comes with a third
            of that.
        same_class_prob: Probability that a distractor comes from the target's own dataset.
        **kwargs: See :class:`BasePairDataset`.

    Raises:
        ValueError: If an option is out of its range or does not fit the number of datasets.
    """

    index_carries_epoch = True

    def __init__(
        self,
        datasets: Sequence[dict | BaseTrackDataset],
        samples_per_epoch: int,
        num_views: int = 3,
        frame_range: int | Sequence[int] = 50,
        fill_prob: float = 0.6,
        cut_out_prob: float = 0.25,
        distractor_prob: float = 0.35,
        same_class_prob: float = 0.7,
        **kwargs,
    ) -> None:
        check_at_least(1, samples_per_epoch=samples_per_epoch)
        check_at_least(3, num_views=num_views)
        self.num_views = num_views
        self.fill_prob = fill_prob
        self.cut_out_prob = cut_out_prob
        self.distractor_prob = distractor_prob
        self.same_class_prob = same_class_prob
        super().__init__(datasets, samples_per_epoch, frame_range=frame_range, **kwargs)

    def get_pair(self, index: int) -> dict[str, Any]:
        """Sample a group.

        Args:
            index: ``epoch * len(self) + position``.

        Returns:
            ``views``, V dictionaries with ``img_path``, ``box`` ((4,) float32 xyxy), ``mask``
            ((H, W) uint8) and ``video``; ``is_still``, whether all are one image; ``background``
            and ``filler``, such dictionaries or None; ``distractors``, a list of them; ``rng``; ``sample_idx``.

        Raises:
            IndexError: If the index is negative.
            RuntimeError: If no frame with a mask was found.
        """
        self.full_init()
        index = checked_index(index)
        rng = np.random.default_rng([self.seed, index])
        number, track_id = self._scheduled_track(*divmod(index, len(self)))
        track, frame, target = self._draw_masked(rng, number, track_id)
        views = [view(track, frame, target)]
        for _ in range(self.num_views - 1):
            found = self._sample_search(rng, number, track, frame) or (frame, target)
            views.append(view(track, *found))
        is_still = len({one['img_path'] for one in views}) == 1
        wants_background = is_still and rng.random() < self.cut_out_prob
        wants_filler = is_still and not wants_background and rng.random() < self.fill_prob
        chance = rng.random()
        count = int(chance < self.distractor_prob) + int(chance < self.distractor_prob / 3)
        return dict(
            views=views,
            is_still=is_still,
            background=self._sample_extra(rng, track, None) if wants_background else None,
            filler=self._sample_extra(rng, track, None) if wants_filler else None,
            distractors=[
                extra
                for _ in range(count)
                if (extra := self._sample_extra(rng, track, number)) is not None
            ],
            rng=rng,
            sample_idx=index,
        )

    def _draw_masked(
        self, rng: np.random.Generator, number: int, track_id: int
    ) -> tuple[dict, int, Target]:
        for _ in range(MAX_ATTEMPTS):
            track, frame, target = self._sample_template(rng, number, track_id)
            if target.mask is not None:
                return track, frame, target
            track_id = int(rng.integers(self.datasets[number].num_videos))
        raise RuntimeError(
            f'dataset "{self.datasets[number].name}": no target with a mask in {MAX_ATTEMPTS} tracks; '
            'a mask stage trains on masks only, leave the dataset out'
        )

    def _sample_extra(
        self, rng: np.random.Generator, track: dict, number: int | None
    ) -> dict[str, Any] | None:
        """A frame with the mask of another target, by chance of the same dataset ``number``."""
        found = None
        if number is not None and rng.random() < self.same_class_prob:
            dataset = self.datasets[number]
            other_id = int(rng.integers(dataset.num_videos))
            found = self._sample_foreign(rng, dataset, track, other_id)
        found = found or self._sample_other(rng, track)
        if found is None or found[2].mask is None:
            return None
        return view(*found)
