"""Search crops that went through a network together, and the peaks of their score maps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.boxes import box_overlaps
from mmpolar.structures.grid import to_pixels
from mmpolar.structures.polar import decode_points
from mmpolar.tracking.engine import SearchMaps, TrackEngine
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.selection import Selection, select_location

#: A location belongs to a second peak if its box overlaps that of the first by no more than this, and
#: scores at least so much.
PEAK_OVERLAP, PEAK_SCORE = 0.2, 0.05


class Peak(NamedTuple):
    """A location that was selected for a target.

    Attributes:
        selection: The location, and the box there.
        polygon: The contour there in pixels of the frame, (n, 2); None of a network without contours.
        second: Gives the second peak of the score map, which takes time, or None if there is none.
    """

    selection: Selection
    polygon: NDArray[np.float32] | None
    second: Callable[[], 'Peak | None'] = lambda: None


@dataclass(frozen=True)
class SearchedBatch:
    """What a network says about the search crops of T targets, and where these crops are.

    Attributes:
        engine: The network.
        params: Hyper-parameters of tracking.
        maps: What :meth:`TrackEngine.search` gave.
        boxes: The box around which each crop was cut, (4,) xyxy in pixels of the frame.
        scales: Pixels of each crop for a pixel of the frame.
        search_size: Side of the crops in pixels.
        far: Whether each target may be anywhere in its crop.
        online: Scores of each target's online model, (S, S) in [0, 1]; None without one.
    """

    engine: TrackEngine
    params: TrackParams
    maps: SearchMaps
    boxes: Sequence[NDArray[np.float64]]
    scales: Sequence[float]
    search_size: int
    far: Sequence[bool]
    online: Sequence[NDArray[np.float64] | None]

    def peaks(self) -> list[Peak]:
        """The location that is selected for each target."""
        selections = [self._select(index, self.far[index]) for index in range(len(self.boxes))]
        polygons = self._contours(selections)
        return [
            Peak(selection, polygon, partial(self._second, index, selection))
            for index, (selection, polygon) in enumerate(zip(selections, polygons, strict=True))
        ]

    def _second(self, index: int, first: Selection) -> Peak | None:
        """The peak of a score map without the locations whose boxes overlap the first one's.

        No window favours a location: it is looked for because the first one is doubtful.
        """
        selection = self._select(index, True, self._others(index, first))
        if selection.score < PEAK_SCORE:
            return None
        # A contour is asked for each target of the batch.
        return Peak(selection, self._contours([selection] * len(self.boxes))[index])

    def _select(
        self, index: int, is_far: bool, among: NDArray[np.bool_] | None = None
    ) -> Selection:
        """Select a location for a target, among all or those that are given, (S, S)."""
        scores, online = self.maps.scores[index], self.online[index]
        if among is not None:
            scores = scores * among
            online = None if online is None else online * among
        return select_location(
            scores,
            self.maps.ltrb[index],
            self.boxes[index],
            self.scales[index],
            self.search_size,
            self.params,
            is_far,
            online,
        )

    def _others(self, index: int, first: Selection) -> NDArray[np.bool_]:
        """Locations (S, S) whose boxes overlap that of a selected one by little."""
        left, top, right, bottom = self.maps.ltrb[index]
        cells = np.arange(len(left), dtype=np.float32)
        at = to_pixels(cells, len(left), self.params.stride, self.search_size)
        x, y = at[None], at[:, None]
        boxes = np.stack([x - left, y - top, x + right, y + bottom], -1)
        return box_overlaps(boxes, boxes[first.row, first.col]) <= PEAK_OVERLAP

    def _contours(self, selections: Sequence[Selection]) -> list[NDArray[np.float32] | None]:
        """The contour of each target of the batch from a location, in pixels of the frame."""
        if self.engine.n_rays is None:
            return [None] * len(selections)
        score_size = self.maps.scores.shape[-1]
        locations = np.array([one.row * score_size + one.col for one in selections])
        radii = self.engine.contours(self.maps, locations)
        return [
            decode_points(selection.pole, lengths / scale)
            for selection, lengths, scale in zip(selections, radii, self.scales, strict=True)
        ]
