"""Scores of a tracker that gives boxes and masks, one row a sequence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmpolar.evaluation.functional import (
    absence_scores,
    bootstrap_interval,
    box_iou,
    box_similarity,
    center_distance,
    contour_change,
    describe_contour,
    mean_of_known,
    normalized_center_distance,
    normalized_precision_auc,
    precision_at,
    quarter_means,
    scored_frames,
    success_auc,
)
from mmpolar.evaluation.mask_scores import mask_scores
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric, require_first_target
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.boxes import box_or_nan
from mmpolar.structures.polar import CROSSINGS, polar_ceiling

# Those of a mask are NaN in a sequence without masks.
_BOX_VALUES = ('success', 'precision', 'norm_precision', 'iou', 'static_iou')
_MASK_VALUES = ('J', 'F', 'J_and_F', 'T', 'J_box', 'ceiling', 'static_J_box')
_ABSENCE_VALUES = ('absent_flagged', 'present_flagged', 'found_again', 'recovery')
_FRAME_VALUES = ('J', 'F', 'T', 'J_box', 'ceiling', 'static_J_box')
# Means of these are given by quarters of a sequence, too.
_QUARTER_VALUES = ('iou', 'J', 'F')


@dataclass
class _Scores:
    """What is kept of a sequence: numbers only, no mask.

    ``contour`` describes the predicted mask of the last frame.
    """

    first_box: np.ndarray
    has_masks: bool
    boxes_only: bool = False
    scores: list[float] = field(default_factory=list)
    annotated: list[bool] = field(default_factory=list)
    visible: list[bool] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    gt_boxes: list[np.ndarray] = field(default_factory=list)
    mask_values: list[dict[str, float]] = field(default_factory=list)
    contour: np.ndarray | None = None


@METRICS.register_module()
class TrackSegMetric(SequenceMetric):
    """Boxes as in OTB, masks as in DAVIS, with the bounds that put the metrics into proportion.

    Frame 0, where the target is given, counts nowhere. Every metric is the mean over a sequence's
    other frames, then the mean over the sequences that have it:

    - ``success`` (area under the success plot), ``precision`` (20 px), ``norm_precision`` (area up
      to 0.5), ``iou`` (mean box overlap). Frames without a target are left out.
    - ``J``, ``F``, ``J_and_F`` of the predicted mask, for sequences whose first frame has a mask
      and where the tracker draws one for every box it gives.
      Where the target is absent an empty prediction scores 1, any other 0. A frame with a true box
      but no mask is left out.
    - ``T``, the temporal stability of DAVIS: the mean cost of matching the contours of two
      consecutive predicted masks, 0 for contours that do not change; lower is steadier.
    - ``absent_flagged`` and ``present_flagged``: share of the frames without and with the target in
      which the tracker says that it is lost; ``found_again``: share of the target's returns after
      which it is tracked again (overlap .3) within 10 frames; ``recovery``: frames until then.
    - ``J_box``: J of the filled predicted box; ``ceiling``: the IoU that a perfect polar contour of
      ``n_rays`` rays reaches on the true masks.
    - ``static_iou``, ``static_J_box``: what the first frame's box scores if it never moves.

    The report in ``out_file`` has more: ``intervals``, 95 % bootstrap intervals of the means over
    sequences, and ``quarters``, the means of ``iou``, ``J`` and ``F`` in each quarter of a
    sequence, which fall where a tracker drifts.

    ``OPEMetric`` and ``DavisMetric`` give the metrics of the benchmarks' tables.

    Args:
        n_rays: Rays of the contour whose ceiling is measured, at least 3.
        skip_last: Whether the last frame is left out of the metrics of masks, as DAVIS's toolkits
            do.
        crossing: ``'farthest'`` or ``'nearest'``, which crossing of the boundary ends its rays.
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``track``.

    Raises:
        ValueError: If ``out_file`` does not end in .json, ``n_rays`` is below 3 or ``crossing`` is
            neither of the two.
    """

    default_prefix = 'track'
    columns = _BOX_VALUES + _MASK_VALUES + _ABSENCE_VALUES

    def __init__(
        self, n_rays: int = 36, skip_last: bool = False, crossing: str = 'farthest', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if n_rays < 3:
            raise ValueError(f'a contour needs at least 3 rays, got n_rays={n_rays}')
        if crossing not in CROSSINGS:
            raise ValueError(f'crossing must be one of {CROSSINGS}, got {crossing!r}')
        self.n_rays = n_rays
        self.crossing = crossing
        self.skip_last = skip_last

    def start(self, frame: TrackFrame) -> _Scores:
        """State of a sequence.

        Raises:
            ValueError: If the first frame has no target.
        """
        require_first_target(frame)
        return _Scores(frame.gt_box, has_masks=frame.gt_mask is not None)

    def add(self, state: _Scores, frame: TrackFrame) -> None:
        """Score a frame after the first.

        Raises:
            ValueError: If the predicted mask differs from the true one in size.
        """
        if frame.frame_id == 0:
            return
        state.boxes_only |= frame.box is not None and frame.mask is None
        state.scores.append(frame.score)
        state.annotated.append(frame.annotated)
        state.visible.append(frame.visible)
        state.boxes.append(box_or_nan(frame.box))
        state.gt_boxes.append(box_or_nan(frame.gt_box))
        if state.has_masks:
            values = self._mask_values(frame, state.first_box)
            contour = None if frame.mask is None else describe_contour(frame.mask)
            values['T'] = contour_change(state.contour, contour)
            state.contour = contour
            state.mask_values.append(values)

    def summarize(self, state: _Scores) -> dict[str, Any]:
        """Metrics of a sequence, and those of its frames."""
        boxes = np.array(state.boxes).reshape(-1, 4)
        gt_boxes = np.array(state.gt_boxes).reshape(-1, 4)
        ious = box_iou(boxes, gt_boxes)
        static_boxes = np.broadcast_to(state.first_box, gt_boxes.shape)
        frames = dict(score=state.scores, iou=ious.tolist())
        for name in _FRAME_VALUES:
            frames[name] = [values[name] for values in state.mask_values]
        if state.boxes_only:
            frames['J'] = frames['F'] = [math.nan] * len(state.mask_values)
        values = dict(
            success=success_auc(ious),
            precision=precision_at(center_distance(boxes, gt_boxes)),
            norm_precision=normalized_precision_auc(normalized_center_distance(boxes, gt_boxes)),
            iou=mean_of_known(ious.tolist()),
            static_iou=mean_of_known(box_iou(static_boxes, gt_boxes).tolist()),
            **self._absence_values(state, ious),
        )
        # Frame numbers start at 1 here, as the first frame has no scores.
        counted = scored_frames(len(state.mask_values) + 1, self.skip_last)
        for name in _FRAME_VALUES:
            values[name] = mean_of_known(frames[name][: counted.stop - 1])
        values['J_and_F'] = (values['J'] + values['F']) / 2
        quarters = {name: quarter_means(frames[name]) for name in _QUARTER_VALUES if frames[name]}
        return dict(values=values, quarters=quarters, frames=frames)

    def report_details(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The options, 95 % intervals of the means, and means of the quarters of sequences."""
        values = [sequence['values'] for sequence in sequences]
        intervals = {
            name: bootstrap_interval([one[name] for one in values]) for name in self.columns
        }
        quarters = {}
        for name in _QUARTER_VALUES:
            rows = [one['quarters'][name] for one in sequences if name in one['quarters']]
            if rows:
                quarters[name] = [mean_of_known(column) for column in zip(*rows, strict=True)]
        return dict(
            n_rays=self.n_rays,
            crossing=self.crossing,
            skip_last=self.skip_last,
            intervals=intervals,
            quarters=quarters,
        )

    def _absence_values(self, state: _Scores, ious: np.ndarray) -> dict[str, float]:
        known = np.array(state.annotated)
        present = ~np.isnan(np.array(state.gt_boxes).reshape(-1, 4)).any(1)
        scores = absence_scores(present[known], np.array(state.visible)[known], ious[known])
        return asdict(scores)

    def _mask_values(self, frame: TrackFrame, first_box: np.ndarray) -> dict[str, float]:
        j, f = mask_scores(frame)
        values = dict(J=j, F=f, J_box=math.nan, ceiling=math.nan, static_J_box=math.nan)
        if frame.gt_box is None:
            return values | dict(J_box=float(frame.box is None), static_J_box=0.0)
        gt = frame.gt_mask
        if gt is None:
            return values
        return values | dict(
            J_box=box_similarity(box_or_nan(frame.box), gt),
            ceiling=polar_ceiling(gt, self.n_rays, self.crossing),
            static_J_box=box_similarity(first_box, gt),
        )
