"""What a Siamese tracker does outside its network: window, penalties, choice of a location.

Plain numbers and numpy arrays, so that a tracker on any inference engine shares these lines.
The rules are those of Ocean (Zhang et al., ECCV 2020, section 3.4) and of its published code.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np

from mmpolar.structures.crop import (
    CROP_RULES,
    Border,
    context_size,
    crop_matrix,
    transform_box,
    warp_mask,
)
from mmpolar.structures.polar import decode_points
from mmpolar.structures.target import draw_target
from mmpolar.structures.track_result import TrackResult

#: Boxes lie on a grid of this many steps a pixel. A crop changes by jumps with its window, so two
#: engines whose maps differ in the last bit would else drift apart.
BOX_STEPS = 64
#: Targets that go through a network on a CPU together. The features of more do not fit into its
#: caches: 16 together took 1.4 to 2.3 times as long as one by one.
CPU_BATCH = 2
# Keeps the logarithm of a score of 0 or 1 finite.
_LEAST_SHARE = 1e-12

Encoded = TypeVar('Encoded')
T = TypeVar('T')


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
        lost_score: A target that scores less counts as out of sight: its box stays, its mask is
            empty, and it is looked for all over the search region. 0 to never lose one.
        found_score: A target that is out of sight is found again at this score.
        lost_search_size: Side of the search crop in pixels for a target out of sight.
        outline_share: The box of an answer is a mean of the head's box and of the smallest one
            around the outline; this is the share of the second, in [0, 1]. Where the target is
            looked for next depends on the head's box alone.
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
    lost_search_size: int = 511
    outline_share: float = 0.0

    def __post_init__(self) -> None:
        shares = ('window_influence', 'lr', 'score_ratio', 'small_target_share')
        for name in (*shares, 'lost_score', 'found_score', 'outline_share'):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {value}')
        for name in ('search_size', 'small_target_search_size', 'lost_search_size'):
            value = getattr(self, name)
            if value <= self.template_size:
                raise ValueError(
                    f'{name} must exceed the template size {self.template_size}, got {value}'
                )
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


@dataclass
class TrackMemo(Generic[Encoded]):
    """What a tracker remembers of a target between frames.

    Attributes:
        kernels: The encoded template, as the inference engine has it.
        box: The target's box in the last frame, (4,) xyxy in pixels.
        border: Colour outside the frame, BGR: the mean of the frame in which it was given.
        usual_search_size: Side of the search crop in pixels while the target is in sight.
        search_size: Side of the next search crop in pixels.
        lost: For how many frames the target has been out of sight.
    """

    kernels: Encoded
    box: np.ndarray
    border: Border
    usual_search_size: int
    search_size: int
    lost: int = 0


@dataclass(frozen=True)
class Selection:
    """The location that a score map elects, and the new box there.

    Attributes:
        row: Row of the location in the score map.
        col: Column of the location in the score map.
        box: Smoothed box in pixels of the frame, (4,) xyxy, before it is clamped to the frame.
        score: Classification score in [0, 1], free of penalty and window.
        pole: The location in pixels of the frame, (2,) xy.
    """

    row: int
    col: int
    box: np.ndarray
    score: float
    pole: np.ndarray


def cut_template(
    frame: np.ndarray, box: np.ndarray, border: Border, params: TrackParams
) -> np.ndarray:
    """Cut out the template crop of a target.

    Args:
        frame: Image, (H, W, 3) uint8.
        box: The target's box, (4,) xyxy, in pixels of the frame.
        border: Colour outside the frame.
        params: Tracking hyper-parameters.

    Returns:
        (template_size, template_size, 3) uint8.
    """
    side = context_size(box, params.context_amount)
    return CROP_RULES[params.crop].crop(frame, _center(box), side, params.template_size, border)


def cut_target_map(box: np.ndarray, mask: np.ndarray | None, params: TrackParams) -> np.ndarray:
    """Where the target is in its template crop.

    Args:
        box: The target's box, (4,) xyxy, in pixels of the frame.
        mask: Its mask, (H, W), not zero inside; None if it is not known.
        params: Tracking hyper-parameters.

    Returns:
        (template_size, template_size) uint8, 1 on the target, or on the ellipse in its box.
    """
    size = params.template_size
    side = context_size(box, params.context_amount)
    matrix = crop_matrix(_center(box), side, size)
    cut = None if mask is None else warp_mask((mask != 0).astype(np.uint8), matrix, size)
    return draw_target(transform_box(box, matrix), size, cut)


def cut_search(
    frame: np.ndarray, box: np.ndarray, search_size: int, border: Border, params: TrackParams
) -> tuple[np.ndarray, float]:
    """Cut out the search crop around a target's last box.

    Args:
        frame: Image, (H, W, 3) uint8.
        box: The target's box in the last frame, (4,) xyxy, in pixels of the frame.
        search_size: Side of the crop in pixels.
        border: Colour outside the frame.
        params: Tracking hyper-parameters.

    Returns:
        The crop, (search_size, search_size, 3) uint8, and the pixels of it per pixel of the frame.
    """
    scale = params.template_size / context_size(box, params.context_amount)
    side = search_size / scale
    return CROP_RULES[params.crop].crop(frame, _center(box), side, search_size, border), scale


def new_memos(
    kernels: Sequence[Encoded],
    boxes: Sequence[np.ndarray],
    border: Border,
    frame_size: tuple[int, int],
    params: TrackParams,
) -> list[TrackMemo[Encoded]]:
    """What to remember of targets that are given in a frame.

    Args:
        kernels: The encoded template of each target.
        boxes: The targets' boxes, (4,) xyxy in pixels each.
        border: Colour outside the frame.
        frame_size: Height and width of the frame in pixels.
        params: Tracking hyper-parameters.
    """
    frame_area = frame_size[0] * frame_size[1]
    sizes = [params.search_size_for(np.prod(box[2:] - box[:2]), frame_area) for box in boxes]
    targets = zip(kernels, boxes, sizes, strict=True)
    return [TrackMemo(encoded, box, border, size, size) for encoded, box, size in targets]


def batches(memos: Sequence[TrackMemo], at_most: int | None = None) -> list[list[int]]:
    """Which targets go through a network together: those whose search crops have one size.

    Args:
        memos: The targets.
        at_most: Targets of a batch; None for any number.

    Returns:
        Places of the targets of each batch in ``memos``, ascending.
    """
    groups: dict[int, list[int]] = {}
    for place, memo in enumerate(memos):
        groups.setdefault(memo.search_size, []).append(place)
    return [
        group[first : first + (at_most or len(group))]
        for group in groups.values()
        for first in range(0, len(group), at_most or len(group))
    ]


def map_batches(
    locate: Callable[[list[TrackMemo]], Sequence[T]],
    memos: Sequence[TrackMemo],
    at_most: int | None = None,
) -> list[T]:
    """Call a function on batches of targets, see :func:`batches`.

    Args:
        locate: Gives one answer for each target of a batch.
        memos: The targets.
        at_most: Targets of a batch; None for any number.

    Returns:
        The answers in the order of ``memos``.
    """
    answers = {}
    for places in batches(memos, at_most):
        answers.update(zip(places, locate([memos[place] for place in places]), strict=True))
    return [answers[place] for place in range(len(memos))]


def cut_searches(
    frame: np.ndarray, memos: Sequence[TrackMemo], params: TrackParams
) -> tuple[np.ndarray, list[float]]:
    """Cut out the search crops of targets that are searched in crops of one size.

    Args:
        frame: Image, (H, W, 3) uint8.
        memos: T targets.
        params: Tracking hyper-parameters.

    Returns:
        The crops, (T, X, X, 3) uint8, and of each the pixels of it per pixel of the frame.
    """
    cut = [cut_search(frame, m.box, m.search_size, m.border, params) for m in memos]
    return np.stack([crop for crop, _ in cut]), [scale for _, scale in cut]


def locate_all(
    scores: np.ndarray,
    ltrb: np.ndarray,
    memos: Sequence[TrackMemo],
    scales: Sequence[float],
    params: TrackParams,
    outline: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[tuple[Selection, np.ndarray | None]]:
    """Elect a location of each target's maps, and take its outline from there.

    Args:
        scores: Classification scores in [0, 1], shape (T, S, S).
        ltrb: Distances in pixels of the search crop, shape (T, 4, S, S).
        memos: The targets as they were in the previous frame.
        scales: Pixels of each search crop per pixel of the frame.
        params: Tracking hyper-parameters.
        outline: Gives the radii (T, n) of the outline, in pixels of the search crop, at a location
            of each target; the locations (T,) are counted row by row. None draws none.

    Returns:
        For each target the elected location, and the outline in pixels of the frame, (n, 2), or
        None.
    """
    chosen = [
        select_location(score, sides, memo.box, scale, memo.search_size, params, memo.lost > 0)
        for score, sides, memo, scale in zip(scores, ltrb, memos, scales, strict=True)
    ]
    if outline is None:
        return [(selection, None) for selection in chosen]
    size = scores.shape[-1]
    lengths = outline(np.array([one.row * size + one.col for one in chosen]))
    return [
        (selection, decode_points(selection.pole, length / scale))
        for selection, length, scale in zip(chosen, lengths, scales, strict=True)
    ]


def advance(
    memos: Sequence[TrackMemo],
    located: Sequence[tuple[Selection, np.ndarray | None]],
    frame_size: tuple[int, int],
    params: TrackParams,
) -> list[TrackResult]:
    """Let the targets be where they were found, or out of sight.

    Args:
        memos: The targets; they are brought up to date.
        located: What :func:`locate_all` found.
        frame_size: Height and width of the frame in pixels.
        params: Tracking hyper-parameters.

    Returns:
        The tracker's answer for each target.
    """
    results = []
    for memo, (selection, polygon) in zip(memos, located, strict=True):
        score = calibrated(selection.score, params)
        if score < (params.found_score if memo.lost else params.lost_score):
            memo.lost += 1
            memo.search_size = params.lost_search_size
            has_mask = polygon is not None
            results.append(TrackResult.out_of_sight(memo.box, score, has_mask, frame_size))
            continue
        memo.lost = 0
        memo.search_size = memo.usual_search_size
        memo.box = clamp_box(selection.box, frame_size, params.min_size)
        box = memo.box
        if params.outline_share > 0 and polygon is not None:
            around = _box_around(polygon, frame_size)
            box = (1 - params.outline_share) * memo.box + params.outline_share * around
        results.append(TrackResult.from_outline(box, score, polygon, frame_size))
    return results


def calibrated(score: float, params: TrackParams) -> float:
    """A classification score in [0, 1] as the parameters map it, in [0, 1]."""
    if (params.score_slope, params.score_offset) == (1.0, 0.0):
        return score
    logit = math.log(max(score, _LEAST_SHARE)) - math.log(max(1 - score, _LEAST_SHARE))
    return 1 / (1 + math.exp(-(params.score_slope * logit + params.score_offset)))


@lru_cache(maxsize=16)
def cosine_window(score_size: int) -> np.ndarray:
    """Outer product of two Hann windows, (S, S) in [0, 1], largest at the centre.

    Raises:
        ValueError: If ``score_size`` is smaller than 1.
    """
    if score_size < 1:
        raise ValueError(f'score map size must be at least 1, got {score_size}')
    window = np.outer(np.hanning(score_size), np.hanning(score_size)).astype(np.float32)
    window.setflags(write=False)
    return window


def change_penalty(
    width: np.ndarray, height: np.ndarray, target_width: float, target_height: float, k: float
) -> np.ndarray:
    """Penalty in (0, 1] on boxes whose size or aspect ratio differs from the target's.

    ``exp(-(r * s - 1) * k)`` with r and s the changes, at least 1, of the aspect ratio and of the
    padded size (SiamRPN, Li et al., CVPR 2018, eq. 13).
    """

    def padded_size(w, h):
        pad = (w + h) * 0.5
        return np.sqrt((w + pad) * (h + pad))

    def change(ratio):
        return np.maximum(ratio, 1.0 / ratio)

    size_change = change(padded_size(width, height) / padded_size(target_width, target_height))
    ratio_change = change((target_width / target_height) / (width / height))
    return np.exp(-(ratio_change * size_change - 1.0) * k)


def select_location(
    score: np.ndarray,
    ltrb: np.ndarray,
    box: np.ndarray,
    scale: float,
    search_size: int,
    params: TrackParams,
    is_lost: bool = False,
) -> Selection:
    """Elect a location of the score map and smooth the target's size.

    Args:
        score: Classification scores, shape (S, S), in [0, 1].
        ltrb: Distances from each location to the sides of its box, shape (4, S, S), in pixels of
            the search crop, positive.
        box: The target's box in the previous frame, (4,) xyxy, in pixels of the frame. The search
            crop is centred on it.
        scale: Pixels of the search crop per pixel of the frame.
        search_size: Side of the search crop in pixels.
        params: Tracking hyper-parameters.
        is_lost: Whether the target was out of sight; then no window favours the old position.

    Returns:
        The elected location with its smoothed box.
    """
    size = score.shape[-1]
    left, top, right, bottom = ltrb
    width, height = left + right, top + bottom
    center = _center(box)
    previous = (box[2:] - box[:2]) * scale

    penalty = change_penalty(width, height, previous[0], previous[1], params.penalty_k)
    influence = 0.0 if is_lost else params.window_influence
    ranking = penalty * score * (1 - influence) + cosine_window(size) * influence
    row, col = np.unravel_index(int(ranking.argmax()), ranking.shape)

    middle = search_size // 2
    pole = (np.array([col, row]) - size // 2) * params.stride + float(middle)
    shift = (
        np.array([right[row, col] - left[row, col], bottom[row, col] - top[row, col]]) / 2
        + pole
        - middle
    )
    rate = float(penalty[row, col] * score[row, col]) * params.lr
    predicted = np.array([width[row, col], height[row, col]], dtype=np.float64)
    # The published code smooths twice over: the prediction's share is the square of the rate.
    smoothed = previous + rate * rate * (predicted - previous)
    new_center = center + shift / scale
    half = smoothed / scale / 2
    return Selection(
        row=int(row),
        col=int(col),
        box=np.concatenate([new_center - half, new_center + half]),
        score=float(score[row, col]),
        pole=center + (pole - middle) / scale,
    )


def clamp_box(box: np.ndarray, frame_size: tuple[int, int], min_size: float) -> np.ndarray:
    """Keep a box usable for the next frame.

    The centre is kept inside the frame, width and height between ``min_size`` and the frame's, and
    the sides are rounded to 1/64 pixel.

    Args:
        box: (4,) xyxy in pixels.
        frame_size: Height and width of the frame in pixels.
        min_size: Smallest width and height in pixels.

    Returns:
        The clamped box, (4,) xyxy.
    """
    limit = np.array([frame_size[1], frame_size[0]], dtype=np.float64)
    # Integers are pixel centres: the frame begins half a pixel before 0.
    center = np.clip(_center(box), -0.5, limit - 0.5)
    half = np.clip(box[2:] - box[:2], np.minimum(min_size, limit), limit) / 2
    return np.round(np.concatenate([center - half, center + half]) * BOX_STEPS) / BOX_STEPS


def _box_around(polygon: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """Smallest box (4,) around an outline (n, 2), as far as it lies in the frame."""
    limit = np.array([frame_size[1], frame_size[0]]) - 0.5
    corners = np.concatenate([polygon.min(axis=0), polygon.max(axis=0)]).reshape(2, 2)
    return np.clip(corners, -0.5, limit).ravel()


def _center(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2
