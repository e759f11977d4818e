"""Benchmarks in one pass over each target, for any tracker that has ``init`` and ``step``.

The data are read by the package's datasets and scored by its metrics, which need PyTorch and MMEngine;
DAVIS 2016 does without, see :mod:`mmpolar.evaluation.one_pass`. VOT starts trackers more than once, see
:mod:`mmpolar.evaluation.vot_benchmark`.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

import mmpolar.datasets
from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.track import Track
from mmpolar.evaluation.metrics import DavisMetric, GOT10kMetric, OPEMetric
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.one_pass import OnePassTracker, VideoReport, as_result
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.structures.combine_objects import combine_objects
from mmpolar.structures.rle import decode_rle, encode_rle
from mmpolar.structures.target import Target
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import read_image


@dataclass(frozen=True)
class TrackBenchmark:
    """A benchmark: its data, and what is measured.

    Attributes:
        dataset: Class of :mod:`mmpolar.datasets`.
        metric: Makes the metric; takes options of its class.
        options: Options of the dataset.
    """

    dataset: str
    metric: Callable[..., SequenceMetric]
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
    'davis2017': TrackBenchmark(
        'DavisDataset',
        partial(DavisMetric, resolve_overlaps=True),
        dict(ann_file='ImageSets/2017/val.txt', multi_object=True, late_objects=False),
    ),
    # Of the other splits only the first masks are public.
    'youtube_vos': TrackBenchmark(
        'YouTubeVOSDataset',
        partial(DavisMetric, resolve_overlaps=True, skip_last=False),
        dict(split='train'),
    ),
}


def evaluate_tracks(
    tracker: OnePassTracker,
    dataset: BaseTrackDataset,
    metric: SequenceMetric,
    on_video: Callable[[VideoReport], None] | None = None,
) -> tuple[list[VideoReport], dict[str, float]]:
    """Track each target from its first frame, given by its mask where there is one, else by its box.

    Targets of one video are tracked one after the other. With ``resolve_overlaps`` of the metric each pixel
    then goes to one of them, that with the highest score, among equal scores the first; a tracker that
    gives no scores has 1 everywhere.

    Args:
        tracker: The tracker.
        dataset: The videos.
        metric: What is measured.
        on_video: Called with each report as it is made.

    Returns:
        The reports of the targets, and the values of all together.

    Raises:
        ValueError: If there is no video, none is annotated, a first frame has no target, or the tracker gives
            something else than results, boxes or masks.

    Example:
        >>> from mmpolar.apis import init_tracker
        >>> from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks
        >>> otb = TRACK_BENCHMARKS['otb']
        >>> tracker = init_tracker(engine='onnx')
        >>> _, mean = evaluate_tracks(tracker, otb.read('data/otb'), otb.metric())  # doctest: +SKIP
    """
    tracks = [dataset.get_track(number) for number in range(dataset.num_videos)]
    _check_annotation(dataset.name, tracks)
    reports, summaries = [], []
    for together in _group(tracks, getattr(metric, 'resolve_overlaps', False)):
        runs = [_track(tracker, dataset, track) for track in together]
        if len(runs) > 1:
            _resolve_overlaps(runs)
        for run in runs:
            summary = _score(run, dataset, metric)
            values = {name: summary['values'][name] for name in metric.columns}
            name, count = run.track.video_name, len(run.track) - 1
            reports.append(VideoReport(name, values, count, run.seconds))
            summaries.append(summary)
            if on_video is not None:
                on_video(reports[-1])
    return reports, metric.average(summaries)


@dataclass(frozen=True)
class _Answer:
    """A result whose mask is kept as run lengths: the masks of a long video would fill the memory."""

    box: np.ndarray
    score: float
    visible: bool
    runs: dict[str, Any] | None

    @classmethod
    def of(cls, result: TrackResult) -> '_Answer':
        runs = None if result.mask is None else encode_rle(result.mask)
        return cls(np.asarray(result.box, np.float64), result.score, result.visible, runs)

    @property
    def mask(self) -> np.ndarray | None:
        return None if self.runs is None else decode_rle(self.runs)


@dataclass
class _Run:
    """What a tracker answered for a target; ``answers`` begin with what was given."""

    track: Track
    frame_size: tuple[int, int]
    answers: list[_Answer]
    seconds: float = 0.0


def _check_annotation(name: str, tracks: Sequence[Track]) -> None:
    """Refuse data with nothing to compare answers with."""
    if not tracks:
        raise ValueError(f'dataset "{name}" has no video with a target')
    if not any(track.annotated is None or track.annotated[1:].any() for track in tracks):
        raise ValueError(
            f'dataset "{name}": no frame after the first is annotated, as in test sets whose annotation is '
            'withheld; make a submission of these: mmpolar submit'
        )


def _group(tracks: Sequence[Track], by_video: bool) -> list[list[Track]]:
    """The targets that share pixels: those of a video, or each alone."""
    groups: dict[str | int, list[Track]] = {}
    for number, track in enumerate(tracks):
        groups.setdefault(track.sequence if by_video else number, []).append(track)
    return list(groups.values())


def _track(tracker: OnePassTracker, dataset: BaseTrackDataset, track: Track) -> _Run:
    target = dataset.read_target(track, 0)
    image = read_image(track.frames[0])
    tracker.init(image, target.box if target.mask is None else target.mask)
    # The score lets no other target's answer overrule what is given.
    given = TrackResult(target.box, math.inf, mask=target.mask)
    run = _Run(track, image.shape[:2], [_Answer.of(given)])
    for path in track.frames[1:]:
        image = read_image(path)
        start = time.perf_counter()
        found = tracker.step(image)
        run.seconds += time.perf_counter() - start
        run.answers.append(_Answer.of(as_result(found, image.shape[:2])))
    return run


def _resolve_overlaps(runs: Sequence[_Run]) -> None:
    """Give each pixel of each frame to one target; targets may begin late, and end together."""
    for back in range(1, max(len(run.answers) for run in runs) + 1):
        present = [run for run in runs if back <= len(run.answers)]
        answers = [run.answers[-back] for run in present]
        if len(answers) < 2 or any(answer.runs is None for answer in answers):
            continue
        masks = np.stack([answer.mask for answer in answers])
        ids = combine_objects(masks, [answer.score for answer in answers])
        for number, (run, answer) in enumerate(zip(present, answers, strict=True), start=1):
            run.answers[-back] = replace(answer, runs=encode_rle(ids == number))


def _score(run: _Run, dataset: BaseTrackDataset, metric: SequenceMetric) -> dict[str, Any]:
    state = None
    for number in range(len(run.answers)):
        frame = _frame(run, number, dataset.read_target(run.track, number))
        if number == 0:
            state = metric.start(frame)
        metric.add(state, frame)
    return metric.summarize(state)


def _frame(run: _Run, number: int, target: Target | None) -> TrackFrame:
    """A frame as metrics take it; in the first there is no answer."""
    track, answer = run.track, run.answers[number] if number else None
    return TrackFrame(
        video_id=track.sample_idx,
        video_name=track.video_name,
        frame_id=number,
        video_length=len(track),
        img_path=track.frames[number],
        image_size=run.frame_size,
        annotated=track.is_annotated(number),
        gt_box=None if target is None else np.asarray(target.box, np.float64),
        gt_mask=None if target is None else target.mask,
        box=None if answer is None else answer.box,
        score=float('nan') if answer is None else answer.score,
        polygon=None,
        mask=None if answer is None else answer.mask,
        visible=answer is not None and answer.visible,
        flags=track.flags_at(number),
        category=track.category,
        sequence=track.sequence,
        object_id=track.object_id,
    )
