"""Benchmarks of one target a video, for any tracker that has ``init`` and ``step``.

The data are read by the package's datasets and scored by its metrics, which need PyTorch and MMEngine;
DAVIS 2016 does without, see :mod:`mmpolar.evaluation.one_pass`.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import mmpolar.datasets
from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.track import Track
from mmpolar.evaluation.metrics import DavisMetric, GOT10kMetric, OPEMetric
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.one_pass import OnePassTracker, VideoReport, as_result
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.structures.target import Target
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import read_image


@dataclass(frozen=True)
class TrackBenchmark:
    """A benchmark: its data, and what is measured.

    Attributes:
        dataset: Class of :mod:`mmpolar.datasets`.
        metric: Class of the metric.
        options: Options of the dataset.
    """

    dataset: str
    metric: type[SequenceMetric]
    options: Mapping[str, Any] = field(default_factory=dict)

    def read(self, data_root: str | os.PathLike, **options: Any) -> BaseTrackDataset:
        """Its videos.

        Args:
            data_root: Folder of the dataset, in its official form.
            **options: Further options of the dataset, such as ``split``.
        """
        kind = getattr(mmpolar.datasets, self.dataset)
        return kind(data_root=str(data_root), test_mode=True, **self.options | options)


#: Benchmarks whose annotation is public, by name.
TRACK_BENCHMARKS = {
    'otb': TrackBenchmark('OTBDataset', OPEMetric),
    'lasot': TrackBenchmark('LaSOTDataset', OPEMetric, dict(split='test')),
    'uav123': TrackBenchmark('UAV123Dataset', OPEMetric),
    'got10k': TrackBenchmark('GOT10kDataset', GOT10kMetric, dict(split='val')),
    'segtrack_v2': TrackBenchmark('SegTrackV2Dataset', DavisMetric),
}


def evaluate_tracks(
    tracker: OnePassTracker,
    dataset: BaseTrackDataset,
    metric: SequenceMetric,
    on_video: Callable[[VideoReport], None] | None = None,
) -> tuple[list[VideoReport], dict[str, float]]:
    """Track each target from its first frame, given by its mask where there is one, else by its box.

    Args:
        tracker: The tracker.
        dataset: The videos.
        metric: What is measured.
        on_video: Called with each report as it is made.

    Returns:
        The reports of the videos, and the values of all together.

    Raises:
        ValueError: If there is no video, a first frame has no target, or the tracker gives something else than
            results, boxes or masks.

    Example:
        >>> from mmpolar.apis import init_tracker
        >>> from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks
        >>> otb = TRACK_BENCHMARKS['otb']
        >>> tracker = init_tracker(engine='onnx')
        >>> _, mean = evaluate_tracks(tracker, otb.read('data/otb'), otb.metric())  # doctest: +SKIP
    """
    reports, summaries = [], []
    for track_id in range(dataset.num_videos):
        track = dataset.get_track(track_id)
        report, summary = _evaluate_track(tracker, dataset, track, metric)
        reports.append(report)
        summaries.append(summary)
        if on_video is not None:
            on_video(report)
    if not reports:
        raise ValueError(f'dataset "{dataset.name}" has no video with a target')
    return reports, metric.average(summaries)


def _evaluate_track(
    tracker: OnePassTracker, dataset: BaseTrackDataset, track: Track, metric: SequenceMetric
) -> tuple[VideoReport, dict[str, Any]]:
    state, seconds = None, 0.0
    for number, path in enumerate(track.frames):
        image, target = read_image(path), dataset.read_target(track, number)
        result = None
        if number > 0:
            start = time.perf_counter()
            found = tracker.step(image)
            seconds += time.perf_counter() - start
            result = as_result(found, image.shape[:2])
        frame = _frame(track, number, target, result, image.shape[:2])
        if number == 0:
            state = metric.start(frame)
            tracker.init(image, target.box if target.mask is None else target.mask)
        metric.add(state, frame)
    summary = metric.summarize(state)
    values = {name: summary['values'][name] for name in metric.columns}
    return VideoReport(track.video_name, values, len(track) - 1, seconds), summary


def _frame(
    track: Track,
    number: int,
    target: Target | None,
    result: TrackResult | None,
    image_size: tuple[int, int],
) -> TrackFrame:
    """A frame as metrics take it; ``result`` is None where the target is given."""
    return TrackFrame(
        video_id=track.sample_idx,
        video_name=track.video_name,
        frame_id=number,
        video_length=len(track),
        img_path=track.frames[number],
        image_size=image_size,
        annotated=track.is_annotated(number),
        gt_box=None if target is None else np.asarray(target.box, np.float64),
        gt_mask=None if target is None else target.mask,
        box=None if result is None else np.asarray(result.box, np.float64),
        score=float('nan') if result is None else result.score,
        polygon=None,
        mask=None if result is None else result.mask,
        visible=result is not None and result.visible,
        flags=track.flags_at(number),
        category=track.category,
        sequence=track.sequence,
        object_id=track.object_id,
    )
