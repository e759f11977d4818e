"""A fixed pool of pairs whose search region does not hold the template's target."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log

from mmpolar.datasets.base_pair_dataset import (
    MAX_ATTEMPTS,
    BasePairDataset,
    apportion,
    checked_index,
    first_with_target,
)
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.track import Track
from mmpolar.datasets.transforms.pack_pair_inputs import PackPairInputs
from mmpolar.mining.pool.negative_region import background_region, distractor_region
from mmpolar.mining.pool.track_relations import TrackRelations
from mmpolar.registry import DATASETS
from mmpolar.structures.target import Target
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.image import ImageReadError, read_image_size

#: What the search region of a negative pair can show.
KINDS = ('other', 'distractor', 'background')
# Tells the random numbers of this dataset from those of TrackPairDataset with the same seed.
_STREAM = 0x4E45
Shown = tuple[str, PairSide]


@DATASETS.register_module()
class NegativePairDataset(BasePairDataset):
    """A fixed pool of negative pairs: the search region does not hold the template's target.

    The region shows one of three kinds of things:

    - ``other``: the target of a video that shares no image with the template's;
    - ``distractor``: another annotated object of the same frame, with the region placed so that
      the template's target stays outside; where there is none, or the two are too close, an
      object of the same class in another image of the same dataset;
    - ``background``: the template's own video, away from the target.

    Where a video has nothing of the wanted kind, the pair is of the kind ``other``.
    :meth:`count_kinds` tells how many there are of each. For ``background`` and ``distractor`` the
    template's target must be annotated in the search frame: frames that say nothing of it may
    show it.

    A pair depends on ``seed``, its index and the length of the pool alone, its augmentation too,
    so the pool is the same in every process, round and run, and a pipeline whose geometry is
    random still crops the same region each time. ``CropPair`` keeps a target that the search
    frame shows (``avoid``) outside the crop for all random numbers.

    Args:
        datasets: Track datasets, or their configs.
        length: Number of pairs.
        kinds: Share of each kind, none negative, in any unit; kinds left out do not occur. None
            for equal shares.
        template_size: Side of the template crop in pixels, as in ``CropPair``.
        search_size: Side of the search crop in pixels, as in ``CropPair``.
        context_amount: Context around the target, as in ``CropPair``.
        **kwargs: See :class:`~mmpolar.datasets.base_pair_dataset.BasePairDataset`.

    Raises:
        ValueError: If an option is out of its range or does not fit the number of datasets.
    """

    def __init__(
        self,
        datasets: Sequence[dict | BaseTrackDataset],
        length: int,
        kinds: Mapping[str, float] | None = None,
        template_size: int = 127,
        search_size: int = 255,
        context_amount: float = 0.5,
        **kwargs,
    ) -> None:
        check_at_least(1, length=length)
        if not search_size > template_size > 0 or context_amount < 0:
            raise ValueError(
                'search_size must exceed template_size, which must be positive, and context_amount '
                f'must not be negative, got {search_size}, {template_size}, {context_amount}'
            )
        self.kinds = dict.fromkeys(KINDS, 1.0) if kinds is None else dict(kinds)
        _check_kinds(self.kinds)
        self.search_ratio = search_size / template_size
        self.context_amount = context_amount
        self._keys: list[str] | None = None
        super().__init__(datasets, length, **kwargs)

    def full_init(self) -> None:
        """Index the datasets and give each pair its dataset, track and kind, once."""
        if self._fully_initialized:
            return
        super().full_init()
        shares = [self.kinds.get(kind, 0.0) for kind in KINDS]
        kinds = np.repeat(np.arange(len(KINDS)), apportion(len(self), shares))
        # Not interleaved: in step with the datasets, each kind would meet some of them only.
        self._kind_of = np.random.default_rng([self.seed, _STREAM]).permutation(kinds)
        wants_distractors = self.kinds.get('distractor', 0) > 0
        self._relations = [TrackRelations(d) if wants_distractors else None for d in self.datasets]

    def get_pair(self, index: int) -> dict:
        """Sample a pair.

        Args:
            index: Position in the pool.

        Returns:
            ``template`` and ``search``, a :class:`~mmpolar.datasets.pair_side.PairSide` each;
            ``label``, 0; ``kind``; ``rng``, the generator for the augmentation; ``sample_idx``,
            the index; ``dataset_name``, that of the template; ``track``, the number of the
            template's dataset and its track there. Where the search frame shows the template's
            target too, ``search`` has ``avoid``, that target's box, and for a distractor
            ``region``, the box to crop around; the box of a background region, which has no
            object, is the region.

        Raises:
            IndexError: If the index is not in the pool.
            RuntimeError: If no frame with a target, or no other video, was found.
        """
        self.full_init()
        index = checked_index(index)
        if index >= len(self):
            raise IndexError(f'the pool has {len(self)} negative pairs, there is no pair {index}')
        rng = np.random.default_rng([self.seed, _STREAM, index])
        number, track_id = self._scheduled_track(0, index)
        track, frame, target = self._sample_template(rng, number, track_id)
        kind, search = self._sample_shown(
            rng, number, track, frame, target, self.wanted_kind(index)
        )
        return dict(
            template=PairSide.of_track(track, frame, target),
            search=search,
            label=0,
            kind=kind,
            rng=rng,
            sample_idx=index,
            dataset_name=self.datasets[number].name,
            track=(number, track.sample_idx),
        )

    def test_samples(self) -> 'NegativePairDataset':
        """The same pairs, cropped as in training and packed for the model's ``test_step``.

        Returns:
            A shallow copy whose pipeline ends with ``PackPairInputs``.
        """
        self.full_init()
        packed = copy.copy(self)
        packed.pipeline = Compose([*self.pipeline.transforms, PackPairInputs()])
        return packed

    def wanted_kind(self, index: int) -> str:
        """The kind that the shares give to a pair; :meth:`get_pair` may have to take another."""
        self.full_init()
        return KINDS[self._kind_of[index]]

    def get_data_info(self, index: int) -> dict:
        """What a pair shows, without its pixels.

        Args:
            index: Position in the pool.

        Returns:
            ``img_id``, a key of the pair that names kind, template and search region;
            ``img_path``, the search frame; ``template_path``; ``template_box`` and ``region``,
            (4,) xyxy in pixels of their frames; ``kind``; ``sample_idx``. Where the annotation
            cannot be read, ``img_id``, which says so, ``kind`` (``'unreadable'``) and
            ``sample_idx`` alone.
        """
        try:
            pair = self.get_pair(index)
        except (FileNotFoundError, ImageReadError) as error:
            key = f'{index:06d} unreadable {error}'
            return dict(img_id=key, kind='unreadable', sample_idx=index)
        template, search, kind = pair['template'], pair['search'], pair['kind']
        region = search.box if search.region is None else search.region
        located = (
            _located(template.img_path, template.box),
            _located(search.img_path, region),
        )
        return dict(
            img_id=f'{index:06d} {kind} {" -> ".join(located)}',
            img_path=search.img_path,
            template_path=template.img_path,
            template_box=template.box,
            region=region,
            kind=kind,
            sample_idx=index,
        )

    def negative_keys(self) -> list[str]:
        """The key of each pair, see :meth:`get_data_info`; all are different.

        They are made once, from the annotations of all pairs; how many pairs there are of each
        kind is logged then.
        """
        if self._keys is None:
            self._keys = [self.get_data_info(index)['img_id'] for index in range(len(self))]
            counts = ', '.join(f'{count} {kind}' for kind, count in self.count_kinds().items())
            print_log(f'{len(self)} negative pairs: {counts}', logger='current')
        return list(self._keys)

    def count_kinds(self) -> dict[str, int]:
        """Number of pairs of each kind, after what could not be had was replaced."""
        keys = self._keys or self.negative_keys()
        counts = Counter(key.split(maxsplit=2)[1] for key in keys)
        return {kind: counts[kind] for kind in (*KINDS, 'unreadable') if counts[kind]}

    def _sample_shown(
        self,
        rng: np.random.Generator,
        number: int,
        track: Track,
        frame: int,
        target: Target,
        wanted: str,
    ) -> Shown:
        """The kind and the search side of a pair: what is wanted, or what can be had."""
        if wanted != 'other':
            frame, target = self._sample_search(rng, number, track, frame) or (frame, target)
        search = None
        if wanted == 'background':
            search = self._background(rng, track, frame, target)
        elif wanted == 'distractor':
            search = self._neighbour(rng, number, track, frame, target)
            search = search or self._classmate(rng, number, track)
        if search is not None:
            return wanted, search
        found = self._sample_other(rng, track)
        if found is None:
            raise RuntimeError(
                f'no video other than that of "{track["video_name"]}" for a negative pair of the '
                f'kind "other" (wanted: "{wanted}"); add data'
            )
        return 'other', PairSide.of_track(*found)

    def _background(
        self, rng: np.random.Generator, track: Track, frame: int, target: Target
    ) -> PairSide | None:
        """The template's video, away from the target."""
        path = track.frames[frame]
        frame_size = read_image_size(path) if target.mask is None else target.mask.shape
        region = background_region(
            rng, target.box, frame_size, self.search_ratio, self.context_amount
        )
        if region is None:
            return None
        return PairSide.of_track(track, frame, Target(region), avoid=target.box)

    def _neighbour(
        self, rng: np.random.Generator, number: int, track: Track, frame: int, target: Target
    ) -> PairSide | None:
        """Another object of the same frame."""
        dataset = self.datasets[number]
        neighbours = self._relations[number].in_same_images(track)
        for other_id in _some_of(rng, neighbours):
            other = dataset.get_track(other_id)
            if other.frames[frame : frame + 1] != track.frames[frame : frame + 1]:
                continue
            found = first_with_target(dataset, other, np.array([frame]))
            if found is None:
                continue
            region = distractor_region(
                rng, found[1].box, target.box, self.search_ratio, self.context_amount
            )
            if region is not None:
                return PairSide.of_track(other, *found, region, target.box)
        return None

    def _classmate(self, rng: np.random.Generator, number: int, track: Track) -> PairSide | None:
        """An object of the template's class in another image."""
        classmates = self._relations[number].of_same_class(track)
        for other_id in _some_of(rng, classmates):
            found = self._sample_foreign(rng, self.datasets[number], track, other_id)
            if found is not None:
                return PairSide.of_track(*found)
        return None


def _some_of(rng: np.random.Generator, track_ids: np.ndarray) -> list[int]:
    """At most ``MAX_ATTEMPTS`` of some tracks in random order; the whole of a class may be large."""
    return rng.choice(track_ids, min(len(track_ids), MAX_ATTEMPTS), replace=False).tolist()


def _check_kinds(kinds: Mapping[str, float]) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ValueError(f'kinds has {unknown}; it may have {", ".join(KINDS)}')
    if not kinds or min(kinds.values()) < 0 or sum(kinds.values()) == 0:
        raise ValueError(f'kinds must be shares of at least 0, one of them above 0, got {kinds}')


def _located(path: str, box: np.ndarray) -> str:
    return f'{path}@{",".join(f"{value:.1f}" for value in box.tolist())}'
