"""Benchmarks in one pass over each target, for any tracker that has ``init`` and ``step``.

The data are read by the package's datasets and scored by its metrics, which need PyTorch and MMEngine;
DAVIS 2016 does without, see :mod:`mmpolar.evaluation.one_pass`. VOT starts trackers more than once, see
:mod:`mmpolar.evaluation.vot_benchmark`.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

import mmpolar.datasets
from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.track import Track
from mmpolar.evaluation.metrics import DavisMetric, GOT10kMetric, LongTermMetric, OPEMetric
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.one_pass import OnePassTracker, VideoReport, timed_step
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.structures.combine_objects import combine_objects
from mmpolar.structures.rle import decode_rle, encode_rle
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
    'vot_lt': TrackBenchmark('VOTDataset', LongTermMetric),
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
    given: str = 'mask',
) -> tuple[list[VideoReport], dict[str, float]]:
    """Track each target from its first frame and score every other one.

    Targets of one video are tracked one after the other. With ``resolve_overlaps`` of the metric each pixel
    then goes to one of them, that with the highest score, among equal scores the first; a tracker that
    gives no scores has 1 everywhere.

    Args:
        tracker: The tracker.
        dataset: The videos.
        metric: What is measured.
        on_video: Called with each report as it is made.
        given: ``'mask'`` or ``'box'``, what a target is given by; one without a mask by its box.

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
    reports, summaries = [], []
    for together in track_groups(dataset, metric):
        found, scored = evaluate_group(tracker, dataset, together, metric, given)
        summaries += scored
        for report in found:
            reports.append(report)
            if on_video is not None:
                on_video(report)
    return reports, metric.average(summaries)


def track_groups(dataset: BaseTrackDataset, metric: SequenceMetric) -> list[list[Track]]:
    """The targets that are scored together: those of a video if they share its pixels, else each alone.

    Raises:
        ValueError: If there is no video, or none is annotated.
    """
    tracks = [dataset.get_track(number) for number in range(dataset.num_videos)]
    _check_annotation(dataset.name, tracks)
    return _group(tracks, getattr(metric, 'resolve_overlaps', False))


def evaluate_group(
    tracker: OnePassTracker,
    dataset: BaseTrackDataset,
    together: Sequence[Track],
    metric: SequenceMetric,
    given: str = 'mask',
) -> tuple[list[VideoReport], list[dict[str, Any]]]:
    """Track and score the targets of a group of :func:`track_groups`.

    Args:
        tracker: The tracker.
        dataset: The dataset of the targets.
        together: The targets.
        metric: What is measured.
        given: See :func:`evaluate_tracks`.

    Returns:
        Their reports, and of each what ``metric.average`` takes.
    """
    passes = [TrackPass(tracker, dataset, track, given) for track in together]
    scored = _score_together(passes, metric) if len(passes) > 1 else [passes[0].score(metric)]
    reports = []
    for one, summary in zip(passes, scored, strict=True):
        values = {name: summary['values'][name] for name in metric.columns}
        reports.append(VideoReport(one.track.video_name, values, one.length - 1, one.seconds))
    return reports, scored


class TrackPass:
    """One pass of a tracker over a target, from its first frame on.

    Args:
        tracker: The tracker.
        dataset: The dataset of the target.
        track: The target.
        given: See :func:`evaluate_tracks`.
        length: Frames that are tracked, the first included; 0 for all.

    Attributes:
        seconds: Time that the tracker's steps took so far.
    """

    def __init__(
        self,
        tracker: OnePassTracker,
        dataset: BaseTrackDataset,
        track: Track,
        given: str = 'mask',
        length: int = 0,
    ) -> None:
        self.track = track
        self.length = min(length or len(track), len(track))
        self.seconds = 0.0
        self._tracker, self._dataset, self._given = tracker, dataset, given
        self._frame_size: tuple[int, int] | None = None

    def answers(self) -> Iterator[TrackResult]:
        """What is given, then what the tracker finds in each further frame."""
        target = self._dataset.read_target(self.track, 0)
        image = read_image(self.track.frames[0])
        self._frame_size = image.shape[:2]
        by_box = self._given == 'box' or target.mask is None
        self._tracker.init(image, target.box if by_box else target.mask)
        # The score lets no other target's answer overrule what is given.
        yield TrackResult(target.box, math.inf, mask=target.mask)
        for path in self.track.frames[1 : self.length]:
            result, seconds = timed_step(self._tracker, path)
            self.seconds += seconds
            yield result

    def score(
        self, metric: SequenceMetric, answers: 'Iterable[TrackResult | _Answer] | None' = None
    ) -> dict[str, Any]:
        """What a metric gives for the target.

        Args:
            metric: The metric.
            answers: Those to score, of :meth:`answers`; by default they are made now.
        """
        state = None
        for index, answer in enumerate(self.answers() if answers is None else answers):
            frame = self._frame(index, answer)
            if index == 0:
                state = metric.start(frame)
            metric.add(state, frame)
        common = dict(
            video_id=self.track.sample_idx, video_name=self.track.video_name, n_frames=self.length
        )
        return common | metric.summarize(state)

    def _frame(self, index: int, answer: 'TrackResult | _Answer') -> TrackFrame:
        """A frame as metrics take it; in the first there is no answer."""
        is_answered = index > 0
        return TrackFrame.from_track(
            self.track,
            index,
            self._dataset.read_target(self.track, index),
            box=answer.box if is_answered else None,
            score=float(answer.score) if is_answered else math.nan,
            mask=answer.mask if is_answered else None,
            visible=is_answered and answer.visible,
            image_size=self._frame_size,
            length=self.length,
        )


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
        return cls(result.box, result.score, result.visible, runs)

    @property
    def mask(self) -> np.ndarray | None:
        return None if self.runs is None else decode_rle(self.runs)


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


def _score_together(passes: Sequence[TrackPass], metric: SequenceMetric) -> list[dict[str, Any]]:
    """Score the targets of one video after each pixel was given to one of them."""
    kept = [[_Answer.of(answer) for answer in one.answers()] for one in passes]
    _resolve_overlaps(kept)
    return [one.score(metric, answers) for one, answers in zip(passes, kept, strict=True)]


def _resolve_overlaps(kept: Sequence[list[_Answer]]) -> None:
    """Give each pixel of each frame to one target; targets may begin late, and end together."""
    for back in range(1, max(map(len, kept)) + 1):
        present = [answers for answers in kept if back <= len(answers)]
        last = [answers[-back] for answers in present]
        if len(last) < 2 or any(answer.runs is None for answer in last):
            continue
        masks = np.stack([answer.mask for answer in last])
        ids = combine_objects(masks, [answer.score for answer in last])
        for number, (answers, answer) in enumerate(zip(present, last, strict=True), start=1):
            answers[-back] = replace(answer, runs=encode_rle(ids == number))
