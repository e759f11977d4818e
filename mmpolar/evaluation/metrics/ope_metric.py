"""One-pass evaluation of boxes: success, precision and normalised precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmpolar.evaluation.functional import (
    NORMALIZED_DISTANCE,
    NORMALIZED_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    box_iou,
    center_distance,
    normalized_center_distance,
    normalized_precision_curve,
    precision_at,
    precision_curve,
    success_at,
    success_curve,
)
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric, require_first_target
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.boxes import box_or_nan

_ABSENT = ('skip', 'miss')
_FIRST_FRAME = ('hit', 'skip')
_CURVES = dict(
    success=SUCCESS_THRESHOLDS,
    precision=PRECISION_THRESHOLDS,
    norm_precision=NORMALIZED_THRESHOLDS,
)


@dataclass
class _Boxes:
    boxes: list[np.ndarray] = field(default_factory=list)
    gt_boxes: list[np.ndarray] = field(default_factory=list)


@METRICS.register_module()
class OPEMetric(SequenceMetric):
    """Success and precision of OTB, LaSOT, TrackingNet and UAV123.

    Each metric is computed for a sequence, then averaged over the sequences:

    - ``success``: area under the success plot, the mean over 21 thresholds of the share of frames
      with an overlap above the threshold; ``success_50`` and ``success_75``: that share at 0.5
      and 0.75;
    - ``precision``: share of frames whose centre is at most 20 px off;
    - ``norm_precision``: area under the normalised precision plot up to 0.5 (TrackingNet);
      ``norm_precision_20``: that plot at 0.2 (LaSOT).

    A frame without a prediction is a miss; OTB's toolkit and its heirs repeat the last box
    instead. A frame without ground truth is never a hit.

    Args:
        absent: 'skip' leaves frames without a target out, which is right for every benchmark in
            which a box is asked for in each frame; 'miss' counts them as misses, as LaSOT's and
            pytracking's toolkits do by dividing by the number of all frames.
        first_frame: 'hit' counts the frame in which the target is given as a perfect answer, as
            the toolkits do; 'skip' leaves it out.
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``ope``. The report also has
            the curves, of each sequence and their means, and their thresholds.

    Raises:
        ValueError: If ``absent`` or ``first_frame`` is none of the named.
    """

    default_prefix = 'ope'
    columns = (
        'success',
        'success_50',
        'success_75',
        'precision',
        'norm_precision',
        'norm_precision_20',
    )

    def __init__(self, absent: str = 'skip', first_frame: str = 'hit', **kwargs) -> None:
        super().__init__(**kwargs)
        if absent not in _ABSENT:
            raise ValueError(f'absent must be one of {_ABSENT}, got {absent!r}')
        if first_frame not in _FIRST_FRAME:
            raise ValueError(f'first_frame must be one of {_FIRST_FRAME}, got {first_frame!r}')
        self.absent = absent
        self.first_frame = first_frame

    def start(self, frame: TrackFrame) -> _Boxes:
        """State of a sequence.

        Raises:
            ValueError: If the first frame has no target.
        """
        require_first_target(frame)
        return _Boxes()

    def add(self, state: _Boxes, frame: TrackFrame) -> None:
        """Keep the boxes of a frame."""
        given = frame.frame_id == 0
        if given and self.first_frame == 'skip':
            return
        state.boxes.append(box_or_nan(frame.gt_box if given else frame.box))
        state.gt_boxes.append(box_or_nan(frame.gt_box))

    def summarize(self, state: _Boxes) -> dict[str, Any]:
        """Metrics and curves of a sequence, and the overlap and distance in each frame."""
        boxes = np.array(state.boxes).reshape(-1, 4)
        gt_boxes = np.array(state.gt_boxes).reshape(-1, 4)
        ious, distances = box_iou(boxes, gt_boxes), center_distance(boxes, gt_boxes)
        normalized = normalized_center_distance(boxes, gt_boxes)
        frames = dict(iou=ious.tolist(), distance=_finite(distances))
        if self.absent == 'miss':
            ious = np.nan_to_num(ious, nan=0.0)
            distances, normalized = (
                np.nan_to_num(values, nan=np.inf, posinf=np.inf)
                for values in (distances, normalized)
            )
        curves = dict(
            success=success_curve(ious),
            precision=precision_curve(distances),
            norm_precision=normalized_precision_curve(normalized),
        )
        values = dict(
            success=float(curves['success'].mean()),
            success_50=success_at(ious, 0.5),
            success_75=success_at(ious, 0.75),
            precision=precision_at(distances),
            norm_precision=float(curves['norm_precision'].mean()),
            norm_precision_20=precision_at(normalized, NORMALIZED_DISTANCE),
        )
        curves = {name: curve.tolist() for name, curve in curves.items()}
        return dict(values=values, curves=curves, frames=frames)

    def report_details(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The options, and the mean curves with their thresholds."""
        curves = {}
        for name, thresholds in _CURVES.items():
            stacked = np.array([sequence['curves'][name] for sequence in sequences])
            known = stacked[~np.isnan(stacked).any(axis=1)]
            mean = known.mean(axis=0).tolist() if len(known) else None
            curves[name] = dict(thresholds=thresholds.tolist(), mean=mean)
        return dict(absent=self.absent, first_frame=self.first_frame, curves=curves)


def _finite(distances: np.ndarray) -> list[float]:
    """Distances for JSON, which knows no infinity: NaN where there is no prediction or target."""
    return np.where(np.isfinite(distances), distances, np.nan).tolist()
