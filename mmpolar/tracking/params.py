"""Hyper-parameters of tracking."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmpolar.structures.crop import CROP_RULES
from mmpolar.utils.deprecation import renamed_keywords, warn_deprecated

#: Largest side of a crop in pixels.
MAX_SIDE = 4096
_SHARES = (
    'window_influence',
    'lr',
    'score_ratio',
    'small_target_share',
    'lost_score',
    'found_score',
    'second_peak_score',
    'contour_share',
    'online_share',
    'online_rate',
    'online_score',
)
#: Old spellings of parameters, in configs, checkpoints and model folders of earlier releases.
RENAMED_PARAMS = {'outline_share': 'contour_share'}


def current_spelling(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a file, of this release or an earlier one, in today's spelling."""
    return {RENAMED_PARAMS.get(name, name): value for name, value in params.items()}


@dataclass(frozen=True)
class TrackParams:
    """Hyper-parameters of tracking; the defaults are those published for VOT2019.

    Attributes:
        penalty_k: Strength of the penalty on changes of size and aspect ratio.
        window_influence: Weight of the cosine window in [0, 1].
        lr: Rate in [0, 1] at which the size follows the prediction.
        score_ratio: Weight of the regular-region score against the object-aware one.
        context_amount: Context around the target, as a share of width plus height.
        template_size: Side of the template crop in pixels.
        search_size: Side of the search crop in pixels.
        small_target_search_size: Side of the search crop for small targets in pixels.
        small_target_share: A target below this share of the frame's area is small.
        stride: Pixels of the search crop between two locations.
        min_size: Smallest width and height of a predicted box in pixels of the frame.
        crop: How crops are cut out: ``'exact'``, or ``'whole_pixels'`` to get the published code's
            boxes; see :data:`mmpolar.structures.crop.CROP_RULES`.
        score_slope: Scores s become ``sigmoid(slope * logit(s) + offset)`` (Platt, 1999), so that
            they can mean the probability that the target was found; 1 leaves them as they are.
        score_offset: See ``score_slope``.
        lost_score: A target that scores less counts as lost: its box stays and its mask is empty.
            0 to never lose one.
        found_score: A target that may be anywhere, after ``widen_after`` frames, is found again at
            this score: there is more in a wider region that looks like it.
        second_peak_score: Where a result scores less than .9 the second peak of the score map is looked at, too,
            and taken if it scores so much and has been clearly more probable in the last frames; 0 to
            look at the first one alone. Takes a mask stage with weights of presence, and time for one
            more mask.
        lost_search_size: Side of the search crop in pixels for a target that stays lost.
        widen_after: For how many frames it is looked for in the usual search region first: a target
            that something hides mostly comes back where it was.
        scan_after: After so many frames a lost target is looked for in all of the frame: in every
            second frame the search goes on to another part of it.
        scan_zooms: Sizes that it may then have, in units of its last one, in [0.1, 10].
        contour_share: The box of a result is a mean of the head's box and of the smallest one
            around the contour; this is the share of the second, in [0, 1]. Where the target is
            looked for next depends on the head's box alone.
        steady_cutoff: Against jitter, box and contour of the results pass through a filter
            (:class:`mmpolar.tracking.one_euro.OneEuroFilter`) of this cutoff in periods a frame;
            .05 to .2 are of use, 0 leaves them as they are. The search does not depend on it.
        online_share: Share of the online model (:mod:`mmpolar.tracking.online_model`) in the score that
            ranks the locations, in [0, 1]; 0 to go without.
        online_interval: It may learn in every frame whose number is a multiple of this one.
        online_rate: Share of such a frame among those that it has learned from after the first, in
            [0, 1].
        online_score: Score from which it learns from a frame, in [0, 1].
        steady_gain: By how much the cutoff grows with the speed in sides of the target a frame.

    Raises:
        ValueError: If a value is out of range.

    Example:
        >>> from dataclasses import replace
        >>> from mmpolar.tracking import TrackParams
        >>> params = TrackParams(window_influence=0.3)
        >>> params.search_size_for(target_area=50 * 40, frame_area=320 * 240)
        255
        >>> replace(params, lost_score=0.3).search_sizes
        (255, 287, 511)
    """

    penalty_k: float = 0.062
    window_influence: float = 0.38
    lr: float = 0.765
    score_ratio: float = 0.94
    context_amount: float = 0.5
    template_size: int = 127
    search_size: int = 255
    small_target_search_size: int = 287
    small_target_share: float = 0.004
    stride: int = 8
    min_size: float = 10.0
    crop: str = 'exact'
    score_slope: float = 1.0
    score_offset: float = 0.0
    lost_score: float = 0.0
    found_score: float = 0.5
    second_peak_score: float = 0.0
    lost_search_size: int = 511
    widen_after: int = 10
    scan_after: int = 20
    scan_zooms: tuple[float, ...] = (1.0, 1.6, 0.625)
    contour_share: float = 0.0
    online_share: float = 0.0
    online_interval: int = 5
    online_rate: float = 0.1
    online_score: float = 0.9
    steady_cutoff: float = 0.0
    steady_gain: float = 2.0

    def __post_init__(self) -> None:
        for name in _SHARES:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {value}')
        for name in ('template_size', 'stride', 'lost_search_size', 'online_interval'):
            value = getattr(self, name)
            if not 1 <= value <= MAX_SIDE:
                raise ValueError(f'{name} must lie in [1, {MAX_SIDE}], got {value}')
        for name in ('penalty_k', 'context_amount', 'min_size'):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f'{name} must be at least 0 and finite, got {value}')
        for name in ('score_slope', 'score_offset'):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f'{name} must be finite, got {getattr(self, name)}')
        for name in ('search_size', 'small_target_search_size', 'lost_search_size'):
            value = getattr(self, name)
            if not self.template_size < value <= MAX_SIDE:
                raise ValueError(
                    f'{name} must exceed the template size {self.template_size}, up to {MAX_SIDE}, '
                    f'got {value}'
                )
        for name in ('widen_after', 'scan_after', 'steady_cutoff', 'steady_gain'):
            if getattr(self, name) < 0:
                raise ValueError(f'{name} must be at least 0, got {getattr(self, name)}')
        object.__setattr__(self, 'scan_zooms', tuple(self.scan_zooms))
        if not 1 <= len(self.scan_zooms) <= 8 or not all(0.1 <= z <= 10 for z in self.scan_zooms):
            raise ValueError(f'scan_zooms must be 1 to 8 numbers in 0.1..10, got {self.scan_zooms}')
        if self.crop not in CROP_RULES:
            raise ValueError(f'crop must be one of {", ".join(CROP_RULES)}, got {self.crop!r}')

    @property
    def search_sizes(self) -> tuple[int, ...]:
        """Sides of the search crops that can occur, ascending."""
        sizes = {self.search_size, self.small_target_search_size}
        if self.lost_score > 0:
            sizes.add(self.lost_search_size)
        return tuple(sorted(sizes))

    def search_size_for(self, target_area: float, frame_area: float) -> int:
        """Side of the search crop: small targets get the larger search region."""
        is_small = target_area < self.small_target_share * frame_area
        return self.small_target_search_size if is_small else self.search_size

    @property
    def outline_share(self) -> float:
        """Old name of ``contour_share``."""
        warn_deprecated('TrackParams.outline_share', 'TrackParams.contour_share')
        return self.contour_share


TrackParams.__init__ = renamed_keywords(**RENAMED_PARAMS)(TrackParams.__init__)
