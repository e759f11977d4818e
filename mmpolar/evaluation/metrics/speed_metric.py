"""Speed of a tracker, from the times that were measured while it ran."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mmpolar.evaluation.functional import frames_per_second
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS


@METRICS.register_module()
class SpeedMetric(SequenceMetric):
    """``fps``, ``ms`` and ``init_ms`` as measured; nothing is assumed.

    The tracker puts the seconds of each frame into its sample as ``track_seconds``: cropping,
    network and decoding, without reading the image. ``fps`` is the number of a sequence's frames
    after the first by their time, ``ms`` its reciprocal; ``init_ms`` is the time of the first
    frame. All three are averaged over the sequences. A sequence whose frames carry no time has no
    metric.

    Args:
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``speed``. The report has the
            seconds of every frame.
    """

    default_prefix = 'speed'
    needs_annotation = False
    columns = ('fps', 'ms', 'init_ms')

    def start(self, frame: TrackFrame) -> list[float]:
        """State of a sequence: the seconds of its frames."""
        return []

    def add(self, state: list[float], frame: TrackFrame) -> None:
        """Keep the time of a frame."""
        state.append(frame.seconds)

    def summarize(self, state: list[float]) -> dict[str, Any]:
        """Metrics of a sequence, and the seconds of its frames."""
        fps = frames_per_second(state)
        values = dict(fps=fps, ms=1e3 / fps, init_ms=1e3 * state[0])
        return dict(values=values, frames=dict(seconds=state))

    def average(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Means over the sequences."""
        untimed = [s['video_name'] for s in sequences if s['values']['fps'] != s['values']['fps']]
        if untimed:
            print_log(
                f'{len(untimed)} of {len(sequences)} sequences carry no measured times and have no '
                f'speed, the first is {untimed[0]!r}; the tracker must set track_seconds',
                logger='current',
                level=logging.WARNING,
            )
        return super().average(sequences)
