"""Makes one training pair of a positive and a mined negative pair."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.pair_side import PairSide
from mmpolar.mining.composites.cut_out import lay_over, sample_side
from mmpolar.mining.composites.fill_outside import FillOutside
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.polar import mask_to_box

#: Positions that are tried for a pasted object before the pair is left as it is.
PASTE_ATTEMPTS = 5


@TRANSFORMS.register_module()
class PairComposite(BaseTransform):
    """Make one training pair of a positive and a negative pair, in one of six ways.

    - ``positive``: the positive pair as it is;
    - ``negative``: the negative pair as it is, with the label 0;
    - ``stitch``: the positive pair, a side of whose search crop is replaced by the same part of the
      negative's search crop. The cut is a random line between the target's box and the border of
      the crop, so box and mask stay whole; sides are sampled in proportion to the room they have;
    - ``overlay``: the positive pair, whose search crop is mixed with the negative's;
    - ``transplant``: the positive pair, whose target is cut out along its mask and laid over the
      negative's search crop;
    - ``paste``: the positive pair, with the object of the negative's search crop cut out along its
      mask and laid over the positive's at a random position and size: a distractor, or in front of
      the target an occluder, which takes away at most ``max_occlusion`` of the mask. The box is
      then that of what is left to see.

    In a stitch and an overlay the tracker sees a hard negative beside, or behind, a target; cut-outs
    break the tie between objects and their usual surroundings (copy-paste, Ghiasi et al., CVPR
    2021). The positive pair is left as it is where its target leaves no room on any side, where a
    mask that is needed is not there, and where the negative's search frame is of the positive's own
    video and might show the target a second time. Where both pairs are of the same target
    (``same_target`` of ``CompositeDataset``), the negative's search crop does not show it by
    construction (``avoid``), and is combined.

    Where a crop leaves its frame, ``fill_outside`` may show a part of another image
    (:class:`FillOutside`): of the negative's search frame in the positive pair; in the negative pair
    of the positive's search frame, or of the negative's own template frame where the positive's
    target comes to lie over it, which would else be there twice, once as background. Of two pairs of
    the same target both are filled from the negative's search frame, as all others show it. A pair is
    left unfilled where that image is of a video that might show the target.

    Reads ``positives`` and ``negatives``, lists of one pair each whose crops ``CropPair`` has cut
    (no negative is needed where all are ``positive`` and nothing is filled), ``rng``, and
    ``shares_target``, a list of one bool: whether both pairs are of the same target; not if it is
    left out. Gives a pair as a pair dataset does, for ``PairPhotometric``, ``GeneratePolarTarget``
    and ``PackPairInputs``, and ``composite_sources``: a dictionary for each image that went into
    the search crop, with ``img_path``, ``is_negative``, ``region`` (x1, y1, x2, y2 in pixels of
    the crop, the last two not included) and ``weight``. Later sources cover earlier ones where
    their weight is 1.

    Args:
        probs: Probability of each way; ways left out do not occur. They must add up to 1. None
            for .4 of positives and .2 of each other.
        ratio_range: Least and greatest weight of the positive in an overlay, within [.5, 1].
        paste_zoom: Least and greatest factor by which a pasted object is resized.
        max_occlusion: Share of the target's mask that a pasted object may cover, in [0, 1).
        fill_outside: Arguments of :class:`FillOutside`; None fills nothing. It needs crops of
            ``CropPair(keep_frames=True)``.

    Raises:
        ValueError: If an argument is outside its range; or, of a pair, if there are not one
            positive and one negative, the negative pair has the label 1, or the sizes of the search
            crops differ.
    """

    WAYS = ('positive', 'negative', 'stitch', 'overlay', 'transplant', 'paste')

    def __init__(
        self,
        probs: Mapping[str, float] | None = None,
        ratio_range: Sequence[float] = (0.6, 0.8),
        paste_zoom: Sequence[float] = (0.6, 1.3),
        max_occlusion: float = 0.5,
        fill_outside: Mapping[str, Any] | None = None,
    ) -> None:
        default = dict(positive=0.4, negative=0.2, stitch=0.2, overlay=0.2)
        self.probs = default if probs is None else dict(probs)
        unknown = sorted(set(self.probs) - set(self.WAYS))
        if unknown:
            raise ValueError(f'PairComposite: probs has {unknown}; it may have {self.WAYS}')
        shares = list(self.probs.values())
        if not shares or min(shares) < 0 or not np.isclose(sum(shares), 1):
            raise ValueError(
                f'PairComposite: probs must be at least 0 and add up to 1, got {self.probs}'
            )
        if len(ratio_range) != 2 or not 0.5 <= ratio_range[0] <= ratio_range[1] <= 1:
            raise ValueError(
                'PairComposite: ratio_range must be (least, greatest) with '
                f'.5 <= least <= greatest <= 1, got {ratio_range}'
            )
        if len(paste_zoom) != 2 or not 0 < paste_zoom[0] <= paste_zoom[1]:
            raise ValueError(
                'PairComposite: paste_zoom must be (least, greatest) with 0 < least <= greatest, '
                f'got {paste_zoom}'
            )
        if not 0 <= max_occlusion < 1:
            raise ValueError(f'PairComposite: max_occlusion must be in [0, 1), got {max_occlusion}')
        self.ratio_range = tuple(ratio_range)
        self.paste_zoom = tuple(paste_zoom)
        self.max_occlusion = max_occlusion
        self.fill_outside = None if fill_outside is None else FillOutside(**fill_outside)
        self._combine = dict(
            stitch=self._stitch,
            overlay=self._overlay,
            transplant=self._transplant,
            paste=self._paste,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make one pair.

        Args:
            results: ``positives``, ``negatives``, ``rng``, ``sample_idx`` and perhaps
                ``shares_target``.

        Returns:
            The pair, a new dictionary; the crops that went in are not changed.
        """
        rng: Generator = results['rng']
        way = rng.choice(list(self.probs), p=list(self.probs.values()))
        positive = _single(results['positives'], 'positive')
        negative = None
        if way != 'positive' or self.fill_outside is not None:
            negative = _checked_negative(_single(results['negatives'], 'negative'), positive)
        (shares_target,) = results.get('shares_target', (False,))
        if self.fill_outside is not None:
            positive, negative = self._fill(way, positive, negative, shares_target, rng)
        if way == 'negative':
            pair = {**negative, 'composite_sources': [_source(negative, True)]}
        else:
            pair = {**positive, 'composite_sources': [_source(positive, False)]}
        if way in self._combine and not _crop_may_show(positive, negative['search'], shares_target):
            pair = self._combine[way](pair, negative, rng)
        return {**pair, 'rng': rng, 'sample_idx': results['sample_idx']}

    def _fill(
        self,
        way: str,
        positive: dict[str, Any],
        negative: dict[str, Any],
        shares_target: bool,
        rng: Generator,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fill up the pairs that this way takes crops from."""
        filled = positive
        if way != 'negative' and not _may_show(positive, negative['search']):
            filled = self.fill_outside(positive, negative['search'], rng)
        if shares_target:
            other, tracked = negative['search'], positive
        elif way in ('stitch', 'overlay', 'transplant'):
            other, tracked = negative['template'], positive
        else:
            other, tracked = positive['search'], negative
        if way != 'positive' and not _may_show(tracked, other):
            negative = self.fill_outside(negative, other, rng)
        return filled, negative

    def _stitch(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        search = pair['search']
        region = sample_side(search.box, search.img.shape[:2], rng)
        if region is None:
            return pair
        x1, y1, x2, y2 = region
        img = search.img.copy()
        img[y1:y2, x1:x2] = negative['search'].img[y1:y2, x1:x2]
        return _with_search(pair, img, _source(negative, True, region))

    def _overlay(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        ratio = rng.uniform(*self.ratio_range)
        img = cv2.addWeighted(pair['search'].img, ratio, negative['search'].img, 1 - ratio, 0)
        return _with_search(pair, img, _source(negative, True, weight=1 - ratio))

    def _transplant(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        search = pair['search']
        if search.mask is None or not search.mask.any():
            return pair
        img = lay_over(negative['search'].img, search.img, search.mask)
        # The target was the first source, and now covers the other one.
        sources = [_source(negative, True), *pair['composite_sources']]
        return {**pair, 'search': replace(search, img=img), 'composite_sources': sources}

    def _paste(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        search, other = pair['search'], negative['search']
        if search.mask is None or other.mask is None:
            return pair
        if not (search.mask.any() and other.mask.any()):
            return pair
        size = len(search.img)
        area = np.count_nonzero(search.mask)
        for _ in range(PASTE_ATTEMPTS):
            matrix = self._sample_placement(other.mask, size, rng)
            cut = cv2.warpAffine(other.mask, matrix, (size, size), flags=cv2.INTER_NEAREST)
            left = np.where(cut > 0, 0, search.mask).astype(np.uint8)
            if cut.any() and np.count_nonzero(left) >= max(1, (1 - self.max_occlusion) * area):
                break
        else:
            return pair
        # An object that its crop cuts off would else get a dark rim.
        moved = cv2.warpAffine(other.img, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
        seen = replace(search, mask=left)
        if np.count_nonzero(left) < area:
            seen.box = mask_to_box(left)
        img = lay_over(search.img, moved, cut)
        return _with_search({**pair, 'search': seen}, img, _source(negative, True, _extent(cut)))

    def _sample_placement(
        self, mask: NDArray[np.uint8], size: int, rng: Generator
    ) -> NDArray[np.float64]:
        """(2, 3) matrix that resizes an object and puts its centre anywhere in the crop."""
        zoom = rng.uniform(*self.paste_zoom)
        box = mask_to_box(mask)
        center = (box[:2] + box[2:]) / 2
        position = rng.uniform(0, size - 1, 2)
        return np.array(
            [
                [zoom, 0, position[0] - zoom * center[0]],
                [0, zoom, position[1] - zoom * center[1]],
            ]
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(probs={self.probs}, ratio_range={self.ratio_range}, '
            f'paste_zoom={self.paste_zoom}, max_occlusion={self.max_occlusion}, '
            f'fill_outside={self.fill_outside})'
        )


def _single(pairs: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if len(pairs) != 1:
        raise ValueError(
            f'PairComposite takes one {what} pair, got {len(pairs)}; set num_{what}s=1 in '
            'CompositeDataset'
        )
    return pairs[0]


def _checked_negative(negative: dict[str, Any], positive: dict[str, Any]) -> dict[str, Any]:
    shapes = [pair['search'].img.shape for pair in (positive, negative)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f'PairComposite: the search crops are {shapes[0]} and {shapes[1]}; give the CropPair of '
            'positives and negatives the same search_size'
        )
    if negative['label'] != 0:
        raise ValueError(
            f'PairComposite: the negative pair of {negative["search"].img_path} has the label '
            f'{negative["label"]}; take the negatives from NegativePairDataset'
        )
    return negative


def _may_show(pair: dict[str, Any], side: PairSide) -> bool:
    """Whether a side of another pair is of a video that this pair's target is in."""
    return side.video in {pair['template'].video, pair['search'].video}


def _crop_may_show(pair: dict[str, Any], side: PairSide, shares_target: bool) -> bool:
    """Whether the crop of a negative's search side may show this pair's target.

    It is cut so that it does not show the target of its own template.
    """
    return _may_show(pair, side) and not (shares_target and side.avoid is not None)


def _source(
    pair: dict[str, Any],
    is_negative: bool,
    region: tuple[int, int, int, int] | None = None,
    weight: float = 1.0,
) -> dict[str, Any]:
    height, width = pair['search'].img.shape[:2]
    return dict(
        img_path=pair['search'].img_path,
        is_negative=is_negative,
        region=region or (0, 0, width, height),
        weight=weight,
    )


def _extent(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Bounding rectangle x1, y1, x2, y2 of a mask that is not empty, the last two not included."""
    x, y, width, height = cv2.boundingRect(mask)
    return x, y, x + width, y + height


def _with_search(
    pair: dict[str, Any], img: NDArray[np.uint8], source: dict[str, Any]
) -> dict[str, Any]:
    return {
        **pair,
        'search': replace(pair['search'], img=img),
        'composite_sources': [*pair['composite_sources'], source],
    }
