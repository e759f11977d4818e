"""Average overlap and success rates of GOT-10k."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmpolar.evaluation.functional import got10k_ious, got10k_scores
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric, require_first_target
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.boxes import box_or_nan, to_corner_xywh


@dataclass
class _Boxes:
    size: tuple[int, int]
    boxes: list[np.ndarray] = field(default_factory=list)
    gt_boxes: list[np.ndarray] = field(default_factory=list)
    visible: list[bool] = field(default_factory=list)


@METRICS.register_module()
class GOT10kMetric(SequenceMetric):
    """``ao``, ``sr50`` and ``sr75`` as the benchmark's package ``got10k`` computes them.

    Over all frames of all sequences together, so that a long sequence weighs more. The first frame
    does not count, nor do frames in which the target is invisible: whose flag ``cover`` is 0 or,
    where the data have no such flag, which have no true box. Boxes are cut to the image.

    Args:
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``got10k``.
    """

    default_prefix = 'got10k'
    columns = ('ao', 'sr50', 'sr75')

    def start(self, frame: TrackFrame) -> _Boxes:
        """State of a sequence.

        Raises:
            KeyError: If the size of the frame is not known.
            ValueError: If the first frame has no target.
        """
        require_first_target(frame)
        if frame.image_size is None:
            raise KeyError(
                f'video {frame.video_name!r} lacks the metainfo ori_shape, which boxes are cut to; '
                'list it in meta_keys of the pipeline step that packs the sample'
            )
        return _Boxes(frame.image_size)

    def add(self, state: _Boxes, frame: TrackFrame) -> None:
        """Keep the boxes of a frame."""
        visible = frame.gt_box is not None and frame.flags.get('cover', 1) > 0
        state.boxes.append(to_corner_xywh(box_or_nan(frame.box)))
        state.gt_boxes.append(to_corner_xywh(box_or_nan(frame.gt_box)))
        state.visible.append(visible)

    def summarize(self, state: _Boxes) -> dict[str, Any]:
        """Metrics of a sequence, and the overlaps of the frames that count."""
        ious = got10k_ious(
            np.array(state.boxes), np.array(state.gt_boxes), state.size, np.array(state.visible)
        )
        return dict(values=asdict(got10k_scores(ious)), ious=ious.tolist())

    def average(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Metrics over all frames of all sequences."""
        return asdict(got10k_scores([np.array(sequence['ious']) for sequence in sequences]))
