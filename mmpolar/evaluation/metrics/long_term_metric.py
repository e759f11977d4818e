"""Scores of videos whose target leaves and returns: VOT-LT and VOTS."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmpolar.evaluation.functional import (
    LongTermTrack,
    mean_of_known,
    pixel_overlap,
    precision_recall,
    quality_scores,
    region_similarity,
)
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric, require_first_target
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.vot_region import Rectangle

_OF_ALL = ('precision', 'recall', 'f_score')
#: Values of a frame, as :class:`LongTermTrack` has them, and their types.
_OF_FRAMES = dict(overlaps=float, reported=bool, present=bool, confidences=float)
_BY_VIDEO = ('quality', 'accuracy', 'robustness', 'not_reported', 'drift', 'absence')


@dataclass
class _Track:
    """What is kept of a target; ``name`` is that of its video, ``frames`` has a value a frame."""

    name: str
    has_masks: bool
    frames: dict[str, list] = field(default_factory=lambda: {name: [] for name in _OF_FRAMES})


@METRICS.register_module()
class LongTermMetric(SequenceMetric):
    """Does a tracker report its target where it is, and nothing where it is not?

    - ``precision``, ``recall`` and ``f_score`` of VOT-LT (2018 to 2022), at the confidence at which
      F is highest. A lost target has confidence 0.
    - ``quality``, ``accuracy``, ``robustness``, ``not_reported`` (NRE), ``drift`` (DRE) and ``absence``
      (ADQ) of VOTS (since 2023), of each target, then of each video, then of all. For a lost target
      nothing is reported.

    Overlaps are those of the masks where the first frame has one and the tracker draws one, else those
    of the boxes, in pixels as VOT's toolkit counts them. The first frame does not count, nor does one
    that is not annotated.

    Args:
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``long_term``. The report has the
            overlap and the confidence in each frame besides.
    """

    default_prefix = 'long_term'
    columns = _OF_ALL + _BY_VIDEO

    def start(self, frame: TrackFrame) -> _Track:
        """State of a target.

        Raises:
            ValueError: If the first frame has no target.
        """
        require_first_target(frame)
        return _Track(frame.sequence or frame.video_name, frame.gt_mask is not None)

    def add(self, state: _Track, frame: TrackFrame) -> None:
        """Score a frame after the first.

        Raises:
            ValueError: If the predicted mask differs from the true one in size.
        """
        if frame.frame_id == 0 or not frame.annotated:
            return
        present, uses_mask = frame.gt_box is not None, state.has_masks and frame.mask is not None
        reported = bool(frame.mask.any()) if uses_mask else frame.visible and frame.box is not None
        if not (present and reported):
            overlap = float(present == reported)
        elif uses_mask and frame.gt_mask is not None:
            overlap = region_similarity(frame.mask, frame.gt_mask)
        else:
            overlap = pixel_overlap(
                *(Rectangle(*to_corner_xywh(box)) for box in (frame.box, frame.gt_box)),
                frame.image_size,
            )
        confidence = 1.0 if math.isnan(frame.score) else frame.score
        values = overlap, reported, present, confidence if reported else 0.0
        for column, value in zip(state.frames.values(), values, strict=True):
            column.append(value)

    def summarize(self, state: _Track) -> dict[str, Any]:
        """Metrics of a target, and those of its frames."""
        track = _to_track(state.frames)
        values = asdict(precision_recall([track])) | asdict(quality_scores(track))
        return dict(values=values, video=state.name, frames=state.frames)

    def average(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Metrics of all targets together."""
        values = asdict(precision_recall([_to_track(one['frames']) for one in sequences]))
        videos = defaultdict(list)
        for one in sequences:
            videos[one['video']].append(one['values'])
        for name in _BY_VIDEO:
            of_videos = [mean_of_known([one[name] for one in rows]) for rows in videos.values()]
            values[name] = mean_of_known(of_videos)
        return values


def _to_track(frames: Mapping[str, Sequence[float]]) -> LongTermTrack:
    return LongTermTrack(
        **{name: np.array(frames[name], kind) for name, kind in _OF_FRAMES.items()}
    )
