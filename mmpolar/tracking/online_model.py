"""A model of the target that is learned in its first frame and while the video runs.

A correlation filter on the features of the search crop, trained by least squares on a Gaussian label, as
in Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", CVPR 2019, and Bhat et al.,
"Learning Discriminative Model Prediction for Tracking" (DiMP), ICCV 2019; Ocean's published online
branch is of this kind. The filter knows what surrounds the target, which a template does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.boxes import box_center
from mmpolar.structures.grid import to_pixels
from mmpolar.tracking.normal_equations import NormalEquations
from mmpolar.tracking.products import product

#: Cells along a side of the filter.
KERNEL = 3
#: Steps of conjugate gradients of an update; the first frame is solved directly.
STEPS = 6
#: Weight of what later frames have taught beside the first frame.
RECENT_WEIGHT = 1.0
# Standard deviation of the label in units of the target's side, as in DiMP, and its least in cells.
_LABEL_WIDTH, _MIN_SIGMA = 0.25, 0.6
# Cells with this label or more are the target's. The others, of which there are many, weigh less in the
# first frame; in later ones those count that score more than this.
_ON_TARGET, _BACKGROUND_WEIGHT, _HARD_SCORE = 0.05, 0.3, 0.05
# The filter's constant input.
_CONSTANT = 0.3


class SearchView(NamedTuple):
    """A target's search crop as the online model sees it.

    Attributes:
        features: Features of the crop, of length 1 in each cell, (C, h, w) float32. Cell (r, c) lies
            at pixel (r, c) times ``stride`` of the crop.
        box: The box that the crop is cut out around, (4,) xyxy in pixels of the frame.
        scale: Pixels of the crop per pixel of the frame.
        search_size: Side X of the crop in pixels.
        stride: Pixels of the crop between two cells.
    """

    features: NDArray[np.float32]
    box: NDArray[np.float64]
    scale: float
    search_size: int
    stride: int

    @classmethod
    def of(
        cls, features: NDArray, box: NDArray, scale: float, search_size: int, stride: int
    ) -> 'SearchView':
        """The view of features of any length."""
        features = np.asarray(features, np.float32)
        length = np.sqrt(np.einsum('chw,chw->hw', features, features)) + np.float32(1e-6)
        return cls(features / length, box, scale, search_size, stride)

    def label(self, box: NDArray) -> NDArray[np.float32]:
        """The wanted score of each cell, (h, w): a Gaussian of height 1 around a box's centre.

        Args:
            box: The target's box, (4,) xyxy in pixels of the frame.
        """
        zoom = self.scale / self.stride
        offset = box_center(box) - box_center(self.box)
        center = self.search_size // 2 / self.stride + offset * zoom
        sigma = max(_LABEL_WIDTH * zoom * float(np.sqrt(np.prod(box[2:] - box[:2]))), _MIN_SIGMA)
        height, width = self.features.shape[1:]
        x, y = (
            np.exp(-0.5 * ((np.arange(cells) - at) / sigma) ** 2)
            for cells, at in zip((width, height), center, strict=True)
        )
        return np.outer(y, x).astype(np.float32)


@dataclass
class OnlineModel:
    """The filter of one target, and what it has learned from.

    What was seen is kept as two sums, so that memory does not grow with the video: that of the first
    frame is kept for ever, in that of later frames older ones fade.

    Attributes:
        weights: The filter and a constant, (9C + 1,) float32.
        first: Normal equations of the frame in which the target was given.
        recent: Those of later frames; None before the first update.
        frames: Frames since the first one.
    """

    weights: NDArray[np.float32]
    first: NormalEquations
    recent: NormalEquations | None = None
    frames: int = 0

    @classmethod
    def start(cls, view: SearchView, box: NDArray) -> 'OnlineModel':
        """Learn from the frame in which the target is given.

        Args:
            view: Its search crop.
            box: Its box, (4,) xyxy in pixels of the frame.
        """
        labels = view.label(box).ravel()
        weights = np.where(labels >= _ON_TARGET, 1.0, _BACKGROUND_WEIGHT) / labels.size
        rows = neighbourhoods(view.features, np.arange(labels.size))
        first = NormalEquations.of(rows, labels, weights)
        return cls(first.solve(), first)

    def update(self, view: SearchView, box: NDArray, rate: float) -> None:
        """Learn from a later frame in which the target was found with confidence.

        Cells of the target count, and cells of the background that score like one; the others need no
        correction (the hinge of DiMP's loss).

        Args:
            view: The target's search crop.
            box: Where it was found, (4,) xyxy in pixels of the frame.
            rate: Share of this frame among the later ones, in [0, 1].
        """
        labels, scores = view.label(box).ravel(), self.cell_scores(view).ravel()
        used = np.flatnonzero((labels >= _ON_TARGET) | (scores > _HARD_SCORE))
        rows = neighbourhoods(view.features, used)
        seen = NormalEquations.of(rows, labels[used], np.full(len(used), 1 / labels.size))
        nothing = NormalEquations(np.zeros_like(seen.gram), np.zeros_like(seen.moment))
        self.recent = (self.recent or nothing).mixed(seen, rate)
        self.weights = self.first.plus(self.recent, RECENT_WEIGHT).improve(self.weights, STEPS)

    def learned(self) -> dict[str, NDArray]:
        """What later frames have taught, arrays by name: frames and weights, and gram and moment if any."""
        arrays = dict(frames=np.array(self.frames), weights=self.weights)
        if self.recent is not None:
            arrays |= dict(gram=self.recent.gram, moment=self.recent.moment)
        return arrays

    def take_learned(self, arrays: Mapping[str, NDArray]) -> None:
        """Go on from what :meth:`learned` gave for a model of the same first frame."""
        self.frames, self.weights = int(arrays['frames']), arrays['weights']
        has_recent = 'gram' in arrays
        self.recent = NormalEquations(arrays['gram'], arrays['moment']) if has_recent else None

    def cell_scores(self, view: SearchView) -> NDArray[np.float32]:
        """How much each cell looks like the target's centre: about 1 there, about 0 elsewhere.

        Args:
            view: A search crop.

        Returns:
            (h, w).
        """
        channels, height, width = view.features.shape
        taps = self.weights[:-1].reshape(channels, KERNEL * KERNEL).T
        parts = product(taps, view.features.reshape(channels, -1)).reshape(-1, height, width)
        reach = KERNEL // 2
        total = np.full((height + 2 * reach, width + 2 * reach), self.weights[-1] * _CONSTANT)
        for tap, part in enumerate(parts):
            row, col = divmod(tap, KERNEL)
            top, left = 2 * reach - row, 2 * reach - col
            total[top : top + height, left : left + width] += part
        return total[reach : reach + height, reach : reach + width]

    def scores(self, view: SearchView, score_size: int) -> NDArray[np.float32]:
        """The same at the locations of a score map, in [0, 1].

        Args:
            view: A search crop.
            score_size: Side S of the score map.

        Returns:
            (S, S).
        """
        cells = self.cell_scores(view)
        at = to_pixels(np.arange(score_size), score_size, view.stride, view.search_size)
        at = at / view.stride
        low = np.clip(np.floor(at).astype(int), 0, len(cells) - 2)
        share = (at - low).astype(np.float32)
        rows = cells[low] + (cells[low + 1] - cells[low]) * share[:, None]
        found = rows[:, low] + (rows[:, low + 1] - rows[:, low]) * share
        return np.clip(found, 0, 1)


def is_of_stride(cells: int, search_size: int, stride: int) -> bool:
    """Whether a feature map with so many cells along a side of a search crop has that stride."""
    return cells == -(-search_size // stride)


def neighbourhoods(features: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """The 3 x 3 cells around some cells, zero outside the map, and a constant.

    Args:
        features: (C, h, w).
        chosen: Cells, counted row by row, (R,).

    Returns:
        (R, 9C + 1), the cells of a channel one after the other.
    """
    channels, height, width = features.shape
    reach = KERNEL // 2
    padded = np.zeros((height + 2 * reach, width + 2 * reach, channels), np.float32)
    padded[reach : reach + height, reach : reach + width] = features.transpose(1, 2, 0)
    rows, cols = np.divmod(chosen, width)
    around = [padded[rows + i, cols + j] for i in range(KERNEL) for j in range(KERNEL)]
    parts = np.stack(around, 2).reshape(len(chosen), -1)
    return np.hstack([parts, np.full((len(chosen), 1), _CONSTANT, np.float32)])
