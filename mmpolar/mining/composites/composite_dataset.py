import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import index as as_int
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mmpolar.datasets.base_pair_dataset import MAX_ATTEMPTS
from mmpolar.datasets.base_track_dataset import build_transforms
from mmpolar.datasets.permutation import permuted_index
from mmpolar.mining.composites.same_target import check_are_pairs, check_share_tracks
from mmpolar.mining.picks.mined_negatives import MinedNegatives
from mmpolar.registry import DATASETS
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.random_state import seeded_globally

#: What the loaders of MMCV, MMDetection and this package raise on a file that is not readable.
#: MMCV asserts that an image was decoded.
UNREADABLE_ERRORS = (OSError, ValueError, AssertionError, SyntaxError, cv2.error)
#: Keys of the permutations of the positives, the picks and the whole pool of negatives.
_POSITIVES, _PICKS, _POOL = range(3)


@DATASETS.register_module()
class CompositeDataset(Dataset):
    """Composite training images from a pool with targets and a pool without.

    An item is made of M positives and N negatives, by a pipeline that starts with a transform
    such as ``StitchComposite`` or ``OverlayComposite``. The negatives are the picks of the current
    mining round, ``mined``; as long as there are none they come from the whole pool, but for those
    that are excluded. Workers, also persistent ones, see new picks at once.

    The training of hard-negative mining splits the composites of a round into *groups* and
    updates the weights after each: a group is one batch of the data loader, over all ranks, and
    ``num_composites`` is the number of composites of all groups of a round (of an epoch, where
    every epoch is mined again).

    Everything random about a composite depends on ``seed``, the mining round and its index alone,
    so composites are the same for any number of workers and ranks. For that, Python's, NumPy's
    and PyTorch's (CPU) global generators are seeded while an item is made, and have their former
    state afterwards; transforms that sample from ``results['rng']`` need no such care. An index
    beyond the length stands for a later epoch: ``index = epoch * len(self) + position``, as the
    ``EpochPairSampler`` gives it. Other samplers work too, but repeat the same composites in each
    epoch until the next mining round.

    Positives are taken in the order of seeded permutations of their dataset and so are used
    equally often, over epochs too; negatives likewise in permutations of the picks of a round, and
    of the pool.

    A negative *pair* is picked because the model confuses what it shows with the target of its
    template. With ``same_target`` each positive pair is of that target, so that what was mined is
    shown beside the target that it was mined for: position j of the positives follows position j of
    the negatives, and positives are used as often as their targets have negatives. So the
    positives are of no more targets than the pool is: make it long enough. A positive is of another
    target where that track gives no pair in several attempts.

    Args:
        positives: Dataset of images with targets, or its config. Its own pipeline ends with a
            results dictionary: it loads, and may augment, but does not pack.
        negatives: Dataset of images without targets, or its config; likewise. None if
            ``num_negatives`` is 0.
        pipeline: Transforms, in order, from ``positives`` and ``negatives`` (lists of results),
            ``rng`` and ``sample_idx`` to what the data loader collates.
        num_composites: Number of composites in an epoch.
        num_positives: Number M of positives in a composite, at least 1.
        num_negatives: Number N of negatives in a composite.
        mined_share: Probability that a negative is one of the picks; others come from the pool. A
            sequence has one for each mining round, the last for all that follow.
        reviewed: Config of a dataset of further positives, whose ``ann_file`` the review of alarms
            writes; it is read again in each mining round, and there are none while there is no file.
        same_target: Whether each positive is a pair of the target of its negative's template. For
            a ``TrackPairDataset`` and a ``NegativePairDataset`` of the same track datasets.
        seed: Seed of the composites, at least 0.
        lazy_init: Whether to put off indexing until :meth:`full_init` or the first item. Workers
            see new picks only of a dataset that was indexed before they were started, as MMEngine's
            runner does.

    Raises:
        ValueError: If an option is out of its range, a dataset that is needed has no image, or
            options or track datasets do not go together with ``same_target``.
        TypeError: If ``same_target`` is set for datasets that are not pairs.
    """

    #: Whether an index beyond the length stands for a later epoch.
    index_carries_epoch = True

    def __init__(
        self,
        positives: dict | Dataset,
        negatives: dict | Dataset | None = None,
        pipeline: Sequence[dict | Callable] = (),
        *,
        num_composites: int,
        num_positives: int = 2,
        num_negatives: int = 2,
        mined_share: float | Sequence[float] = 1.0,
        reviewed: dict | None = None,
        same_target: bool = False,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        self.positives = _built(positives)
        self.negatives = _built(negatives)
        self.num_composites = num_composites
        self.num_positives = num_positives
        self.num_negatives = num_negatives
        self.mined_share = mined_share
        self._mined_shares = np.atleast_1d(mined_share).tolist()
        self.same_target = same_target
        self.seed = seed
        self._reviewed_config = reviewed
        self._reviewed: Any = ()
        # A data loader worker, which reads them, may know of no scope.
        scope = DefaultScope.get_current_instance()
        self._scope = None if scope is None else scope.scope_name
        self._reviewed_round: int | None = None
        self._check_options()
        self.pipeline = Compose(build_transforms(pipeline))
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Meta information of the positives."""
        return self.positives.metainfo

    @property
    def mined(self) -> MinedNegatives:
        """Picks of the current mining round, as indices of ``negatives``."""
        self.full_init()
        return self._mined

    def full_init(self) -> None:
        """Index both datasets and make room for the picks, once.

        Raises:
            ValueError: If a dataset that is needed has no image, or no positive has a box.
        """
        if self._fully_initialized:
            return
        for dataset in (self.positives, self.negatives):
            if hasattr(dataset, 'full_init'):
                dataset.full_init()
        _check_has_images(self.positives, 'positives', 'check its paths and its filter_cfg')
        _check_has_boxes(self.positives)
        if self.num_negatives:
            _check_has_images(self.negatives, 'negatives', 'check its paths or set num_negatives=0')
        if self.same_target:
            check_share_tracks(self.positives, self.negatives)
        pool_size = 0 if self.negatives is None else len(self.negatives)
        self._mined = MinedNegatives(pool_size)
        # In shared memory, so that workers that live for one epoch do not repeat each warning.
        self._is_reported = torch.zeros(pool_size, dtype=torch.bool).share_memory_()
        self._fully_initialized = True

    def negative_keys(self) -> list[str]:
        """What names each negative, also in another run: its ``img_path``, or else ``img_id``.

        Negatives that have ``negative_keys()`` of their own, as pairs do, are named by that.

        Raises:
            TypeError: If ``negatives`` is a dataset without ``get_data_info``.
            KeyError: If an item has neither key.
        """
        self.full_init()
        if hasattr(self.negatives, 'negative_keys'):
            return self.negatives.negative_keys()
        return [_key(self.negatives, i) for i in range(self._mined.capacity)]

    def __len__(self) -> int:
        """Number of composites in an epoch."""
        return self.num_composites

    def __getitem__(self, index: int) -> Any:
        """Make a composite and run the pipeline on it.

        Args:
            index: ``epoch * len(self) + position``.

        Returns:
            What the pipeline gives. It is tried with other images where that is None.

        Raises:
            IndexError: If the index is negative.
            RuntimeError: If a positive cannot be read, no readable negative was found, or the
                pipeline gives nothing but None.
        """
        self.full_init()
        index = as_int(index)
        if index < 0:
            raise IndexError(f'composite index must be at least 0, got {index}')
        picks, round_number = self._mined.read()
        self._read_reviewed(round_number)
        for attempt in range(MAX_ATTEMPTS):
            entropy = SeedSequence([self.seed, round_number, index, attempt])
            own_seed, global_seed = entropy.spawn(2)
            sampling = _Sampling(
                index, attempt, picks, round_number, np.random.default_rng(own_seed)
            )
            with seeded_globally(global_seed):
                item = self.pipeline(self._images(sampling))
            if item is not None:
                return item
        raise RuntimeError(
            f'composite {index}: the pipeline gave None for {MAX_ATTEMPTS} samples; '
            'loosen its filters, e.g. FilterAnnotations'
        )

    def _check_options(self) -> None:
        check_at_least(1, num_composites=self.num_composites, num_positives=self.num_positives)
        check_at_least(0, num_negatives=self.num_negatives, seed=self.seed)
        if not self._mined_shares or not all(0 <= share <= 1 for share in self._mined_shares):
            raise ValueError(f'mined_share must lie in 0..1, got {self.mined_share}')
        if self.num_negatives and self.negatives is None:
            raise ValueError(
                f'num_negatives={self.num_negatives} needs a dataset of negatives; '
                'give one or set num_negatives=0'
            )
        if self.same_target:
            self._check_same_target()

    def _check_same_target(self) -> None:
        if self.num_positives != self.num_negatives:
            raise ValueError(
                'same_target=True needs a negative for each positive, got '
                f'num_positives={self.num_positives} and num_negatives={self.num_negatives}'
            )
        if self._reviewed_config is not None:
            raise ValueError('same_target=True takes no reviewed positives; leave reviewed out')
        check_are_pairs(self.positives, self.negatives)

    def _images(self, sampling: '_Sampling') -> dict:
        """What the pipeline starts from."""
        common = dict(rng=sampling.rng, sample_idx=sampling.index)
        if self.same_target:
            return self._pairs_of_same_targets(sampling) | common
        positives = [self._load_positive(sampling, j) for j in range(self.num_positives)]
        negatives = [self._load_negative(sampling, j) for j in range(self.num_negatives)]
        return dict(positives=positives, negatives=negatives, **common)

    def _pairs_of_same_targets(self, sampling: '_Sampling') -> dict:
        """Negatives, for each a positive of its target, and whether it really is of that."""
        negatives = [self._load_negative(sampling, j) for j in range(self.num_negatives)]
        tracks = [negative['track'] for negative in negatives]
        positives = [self._load_positive(sampling, *each) for each in enumerate(tracks)]
        shared = [pair['track'] == track for pair, track in zip(positives, tracks, strict=True)]
        return dict(positives=positives, negatives=negatives, shares_target=shared)

    def _read_reviewed(self, round_number: int) -> None:
        """Read the reviewed positives, once in each mining round."""
        if self._reviewed_config is None or self._reviewed_round == round_number:
            return
        self._reviewed_round = round_number
        has_file = os.path.isfile(self._reviewed_config['ann_file'])
        # MMEngine cannot serialize a dataset that has no image yet.
        config = dict(self._reviewed_config, serialize_data=False)
        with DefaultScope.overwrite_default_scope(self._scope):
            self._reviewed = _built(config) if has_file else ()

    def _num_positives(self) -> int:
        return len(self.positives) + len(self._reviewed)

    def _positive(self, number: int, track: tuple[int, int] | None = None) -> dict | None:
        """A positive, of a track if one is given; the reviewed ones come after the others."""
        if track is not None:
            return self.positives.pair_of(track, number)
        if len(self._reviewed) and number >= len(self.positives):
            return self._reviewed[number - len(self.positives)]
        return self.positives[number]

    def _positive_name(self, number: int) -> str:
        inner = number - len(self.positives)
        return _name(self.positives, number) if inner < 0 else _name(self._reviewed, inner)

    def _load_positive(
        self, sampling: '_Sampling', position: int, track: tuple[int, int] | None = None
    ) -> dict:
        """Read the positive for a position in a composite; another where its pipeline gives None.

        With a track it is a pair of that, if there is one in half of the attempts.
        """
        number = self._scheduled_positive(sampling, position)
        for attempt in range(sampling.attempt, sampling.attempt + MAX_ATTEMPTS):
            try:
                results = self._positive(number, track if attempt < MAX_ATTEMPTS // 2 else None)
            except UNREADABLE_ERRORS as error:
                raise RuntimeError(
                    f'positive {self._positive_name(number)} cannot be read ({error}); '
                    'replace it or take it out of the annotations'
                ) from error
            if results is not None:
                return results
            number = int(sampling.rng.integers(self._num_positives()))
        raise RuntimeError(
            f'the pipeline of the positives gave None for {MAX_ATTEMPTS} images, the last of them '
            f'{self._positive_name(number)}; loosen its filters'
        )

    def _load_negative(self, sampling: '_Sampling', position: int) -> dict:
        """Read the negative for a position in a composite; another where that is not possible."""
        source, number = self._scheduled_negative(sampling, position)
        for _ in range(MAX_ATTEMPTS):
            try:
                results = self.negatives[number]
                if results is not None:
                    return results
                problem = 'its pipeline gave None'
            except UNREADABLE_ERRORS as error:
                problem = f'{type(error).__name__}: {" ".join(str(error).split())}'
            unreadable = f'negative {_name(self.negatives, number)} cannot be read ({problem})'
            self._report_once(number, unreadable)
            number = int(sampling.rng.choice(source))
        raise RuntimeError(
            f'{MAX_ATTEMPTS} negatives in a row were not readable; the last of them: {unreadable}; '
            'check the files and the pipeline of the negatives'
        )

    def _scheduled_positive(self, sampling: '_Sampling', position: int) -> int:
        length = self._num_positives()
        if sampling.attempt:
            return int(sampling.rng.integers(length))
        slot = sampling.index * self.num_positives + position
        number = permuted_index(slot, length, (self.seed, _POSITIVES))
        if getattr(self.positives, 'index_carries_epoch', False) and not len(self._reviewed):
            return slot // length * length + number
        return number

    def _scheduled_negative(
        self, sampling: '_Sampling', position: int
    ) -> tuple[NDArray[np.int64] | int, int]:
        """What replacements come from (indices, or all below a number), and the negative."""
        slot = sampling.index * self.num_negatives + position
        picks = sampling.picks
        number_of_share = min(sampling.round_number, len(self._mined_shares)) - 1
        if len(picks) and sampling.rng.random() < self._mined_shares[number_of_share]:
            key = (self.seed, _PICKS, sampling.round_number)
            return picks, int(picks[permuted_index(slot, len(picks), key)])
        pool_size = self._mined.capacity
        number = permuted_index(slot, pool_size, (self.seed, _POOL))
        if not self._mined.excluded.any():
            return pool_size, number
        allowed = np.flatnonzero(~self._mined.excluded)
        if not len(allowed):
            raise RuntimeError(
                f'all {pool_size} negatives are excluded; add some, or set num_negatives=0'
            )
        return allowed, int(number if number in allowed else allowed[number % len(allowed)])

    def _report_once(self, number: int, unreadable: str) -> None:
        if not self._is_reported[number]:
            self._is_reported[number] = True
            message = f'{unreadable}; another one is used instead'
            print_log(message, logger='current', level=logging.WARNING)


@dataclass(frozen=True)
class _Sampling:
    """What the random numbers of one composite depend on."""

    index: int
    attempt: int
    picks: NDArray[np.int64]
    round_number: int
    rng: Generator


def _built(dataset: dict | Dataset | None) -> Dataset | None:
    return DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset


def _check_has_images(dataset: Dataset, role: str, remedy: str) -> None:
    if len(dataset) == 0:
        raise ValueError(f'{role}: {type(dataset).__name__} has no image; {remedy}')


def _check_has_boxes(positives: Any) -> None:
    """Refuse annotated positives without a single box; those that list no instances pass."""
    if not hasattr(positives, 'get_data_info'):
        return
    for number in range(len(positives)):
        info = positives.get_data_info(number)
        instances = info.get('instances') if isinstance(info, Mapping) else None
        if instances is None or any(not one.get('ignore_flag') for one in instances):
            return
    raise ValueError(
        f'none of the {len(positives)} positives has a box; check their annotation file, and that '
        'metainfo.classes has the names of its categories'
    )


def _key(dataset: Dataset, number: int) -> str:
    if not hasattr(dataset, 'get_data_info'):
        raise TypeError(
            f'{type(dataset).__name__} has no get_data_info(index) that names its images; add it, '
            'with "img_path" or "img_id" in its answer'
        )
    info = dataset.get_data_info(number)
    if 'img_path' not in info and 'img_id' not in info:
        raise KeyError(
            f'item {number} of {type(dataset).__name__} has neither "img_path" nor "img_id", one '
            'of which must name it'
        )
    return str(info['img_path'] if 'img_path' in info else info['img_id'])


def _name(dataset: Dataset, number: int) -> str:
    """The image for a message."""
    try:
        return f'"{_key(dataset, number)}"'
    except (TypeError, KeyError):
        return f'number {number} of {type(dataset).__name__}'
