"""Makes one training pair of a positive and a mined negative pair."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PairComposite(BaseTransform):
    """Make one training pair of a positive and a negative pair, in one of four ways.

    - ``positive``: the positive pair as it is;
    - ``negative``: the negative pair as it is, with the label 0;
    - ``stitch``: the positive pair, a side of whose search crop is replaced by the same part of the
      negative's search crop. The cut is a random line between the target's box and the border of
      the crop, so box and mask stay whole; sides are drawn in proportion to the room they have;
    - ``overlay``: the positive pair, whose search crop is mixed with the negative's.

    In a stitch and an overlay the tracker meets what fooled it beside, or behind, a target. The
    positive pair is left as it is where its target leaves no room on any side, and where the
    negative's search frame is of the positive's own video and might show the target a second time.

    Reads ``positives`` and ``negatives``, lists of one pair each whose crops ``CropPair`` has cut
    (no negative is needed where all are ``positive``), and ``rng``. Gives a pair as a pair dataset
    does, for ``PairPhotometric``, ``GeneratePolarTarget`` and ``PackPairInputs``, and
    ``composite_sources``: a dictionary for each image that went into the search crop, with
    ``img_path``, ``is_negative``, ``region`` (x1, y1, x2, y2 in pixels of the crop, the last two
    not included) and ``weight``. Later sources cover earlier ones where their weight is 1.

    Args:
        probs: Probability of each way; ways left out do not occur. They must add up to 1. None
            for .4 of positives and .2 of each other.
        ratio_range: Least and greatest weight of the positive in an overlay, within [.5, 1].

    Raises:
        ValueError: If an argument is outside its range; or, of a pair, if there are not one
            positive and one negative, the negative pair has the label 1, or the sizes of the search
            crops differ.
    """

    WAYS = ('positive', 'negative', 'stitch', 'overlay')

    def __init__(
        self,
        probs: Mapping[str, float] | None = None,
        ratio_range: Sequence[float] = (0.6, 0.8),
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
        self.ratio_range = tuple(ratio_range)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make one pair.

        Args:
            results: ``positives``, ``negatives``, ``rng`` and ``sample_idx``.

        Returns:
            The pair, a new dictionary; the crops that went in are not changed.
        """
        rng: Generator = results['rng']
        way = rng.choice(list(self.probs), p=list(self.probs.values()))
        positive = _single(results['positives'], 'positive')
        negative = None
        if way != 'positive':
            negative = _checked_negative(_single(results['negatives'], 'negative'), positive)
        if way == 'negative':
            pair = {**negative, 'composite_sources': [_source(negative, True)]}
        else:
            pair = {**positive, 'composite_sources': [_source(positive, False)]}
        if way in ('stitch', 'overlay') and not _is_same_video(positive, negative):
            combine = self._stitch if way == 'stitch' else self._overlay
            pair = combine(pair, negative, rng)
        return {**pair, 'rng': rng, 'sample_idx': results['sample_idx']}

    def _stitch(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        search = pair['search']
        region = draw_side(search['box'], search['img'].shape[:2], rng)
        if region is None:
            return pair
        x1, y1, x2, y2 = region
        img = search['img'].copy()
        img[y1:y2, x1:x2] = negative['search']['img'][y1:y2, x1:x2]
        return _with_search(pair, img, _source(negative, True, region))

    def _overlay(
        self, pair: dict[str, Any], negative: dict[str, Any], rng: Generator
    ) -> dict[str, Any]:
        ratio = rng.uniform(*self.ratio_range)
        img = cv2.addWeighted(pair['search']['img'], ratio, negative['search']['img'], 1 - ratio, 0)
        return _with_search(pair, img, _source(negative, True, weight=1 - ratio))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(probs={self.probs}, ratio_range={self.ratio_range})'


def draw_side(
    box: NDArray[np.float32], size: tuple[int, int], rng: Generator
) -> tuple[int, int, int, int] | None:
    """A part of an image between one of its sides and a random line beside a box.

    Args:
        box: The box that must not be touched, (4,) xyxy; pixel centres lie at integers.
        size: Height and width of the image.
        rng: Source of the randomness.

    Returns:
        x1, y1, x2, y2 of the part, in whole pixels, the last two not included; None if the box
        leaves no pixel free on any side.
    """
    height, width = size
    x1, y1, x2, y2 = (float(value) for value in box)
    # Pixel i spans i - .5 .. i + .5.
    rooms = np.floor([x1 + 0.5, y1 + 0.5, width - (x2 + 0.5), height - (y2 + 0.5)])
    rooms = np.clip(rooms, 0, [width, height, width, height]).astype(np.int64)
    if not rooms.any():
        return None
    side = int(rng.choice(4, p=rooms / rooms.sum()))
    depth = int(rng.integers(1, rooms[side] + 1))
    return (
        (0, 0, depth, height),
        (0, 0, width, depth),
        (width - depth, 0, width, height),
        (0, height - depth, width, height),
    )[side]


def _single(pairs: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if len(pairs) != 1:
        raise ValueError(
            f'PairComposite takes one {what} pair, got {len(pairs)}; set num_{what}s=1 in '
            'CompositeDataset'
        )
    return pairs[0]


def _checked_negative(negative: dict[str, Any], positive: dict[str, Any]) -> dict[str, Any]:
    shapes = [pair['search']['img'].shape for pair in (positive, negative)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f'PairComposite: the search crops are {shapes[0]} and {shapes[1]}; give the CropPair of '
            'positives and negatives the same search_size'
        )
    if negative['label'] != 0:
        raise ValueError(
            f'PairComposite: the negative pair of {negative["search"]["img_path"]} has the label '
            f'{negative["label"]}; take the negatives from NegativePairDataset'
        )
    return negative


def _is_same_video(positive: dict[str, Any], negative: dict[str, Any]) -> bool:
    return positive['search']['video'] == negative['search']['video']


def _source(
    pair: dict[str, Any],
    is_negative: bool,
    region: tuple[int, int, int, int] | None = None,
    weight: float = 1.0,
) -> dict[str, Any]:
    height, width = pair['search']['img'].shape[:2]
    return dict(
        img_path=pair['search']['img_path'],
        is_negative=is_negative,
        region=region or (0, 0, width, height),
        weight=weight,
    )


def _with_search(
    pair: dict[str, Any], img: NDArray[np.uint8], source: dict[str, Any]
) -> dict[str, Any]:
    return {
        **pair,
        'search': {**pair['search'], 'img': img},
        'composite_sources': [*pair['composite_sources'], source],
    }
