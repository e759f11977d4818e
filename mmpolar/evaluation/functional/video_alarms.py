"""Scores of video-level decisions: alarms merged to events, counted per hour and per video.

A frame is flagged when its score reaches a threshold. Flagged frames of a video that lie at most
``max_gap`` seconds apart are one *event*: what a person looks at once. An event with a flagged frame
that shows a target is right, any other is a false alarm. A video with a target is found when one of its
frames that show the target is flagged.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.evaluation.functional.image_level import check_share

VIDEO_UNIT = 1_000
SECONDS_PER_HOUR = 3_600


@dataclass(frozen=True)
class ScoredVideo:
    """The scores of the frames of one video.

    Attributes:
        name: Its name.
        stream: What recorded it, such as a camera; videos of one stream are alike.
        times: (F,) time of each frame in seconds, rising.
        scores: (F,) score of each frame, finite.
        has_target: (F,) whether the frame shows a target.
        seconds: Length of the video, above 0.
    """

    name: str
    stream: str
    times: NDArray[np.float64]
    scores: NDArray[np.float64]
    has_target: NDArray[np.bool_]
    seconds: float

    @classmethod
    def from_frames(
        cls,
        name: str,
        times: ArrayLike,
        scores: ArrayLike,
        has_target: ArrayLike,
        stream: str | None = None,
        frame_seconds: float | None = None,
    ) -> 'ScoredVideo':
        """A video from its frames in any order.

        Args:
            name: Its name.
            times: (F,) seconds, distinct and finite, F at least 1.
            scores: (F,) finite.
            has_target: (F,) whether the frame shows a target.
            stream: What recorded it; by default the video is a stream of its own.
            frame_seconds: Seconds that a frame stands for, above 0: the video is longer than from the
                first frame to the last by as much. By default the median from frame to frame.

        Raises:
            ValueError: If there is no frame, lengths differ, a value is not finite, two frames have
                one time, or there is no way to know how long a single frame lasts.
        """
        times, scores = np.asarray(times, np.float64), np.asarray(scores, np.float64)
        has_target = np.asarray(has_target, bool)
        if times.ndim != 1 or not len(times) or not times.shape == scores.shape == has_target.shape:
            raise ValueError(
                f'video {name}: times, scores and has_target must be rows of one length, at least 1, '
                f'got the shapes {times.shape}, {scores.shape} and {has_target.shape}'
            )
        if not (np.isfinite(times).all() and np.isfinite(scores).all()):
            raise ValueError(f'video {name}: a time or a score is not finite')
        order = np.argsort(times, kind='stable')
        times = times[order]
        steps = np.diff(times)
        if (steps == 0).any():
            raise ValueError(f'video {name}: two frames are at {times[:-1][steps == 0][0]:g} s')
        if frame_seconds is None:
            if not len(steps):
                raise ValueError(f'video {name} has one frame; say for how many seconds it stands')
            frame_seconds = float(np.median(steps))
        if not frame_seconds > 0:
            raise ValueError(f'video {name}: frame_seconds must be above 0, got {frame_seconds}')
        seconds = float(times[-1] - times[0]) + frame_seconds
        stream = name if stream is None else stream
        return cls(name, stream, times, scores[order], has_target[order], seconds)


@dataclass(frozen=True)
class VideoPoint:
    """What flagging at one threshold gives.

    Attributes:
        threshold: Frames that score at least this much are flagged.
        recall: Share of the videos with a target that are found, in [0, 1]; NaN without such videos.
        false_alarms_per_hour: Events without a target in an hour of video.
        false_alarms_per_1k_videos: Of 1,000 videos without a target, those that have an event; NaN
            without such videos.
        events_per_hour: Events in an hour of video, right ones and false alarms.
    """

    threshold: float
    recall: float
    false_alarms_per_hour: float
    false_alarms_per_1k_videos: float
    events_per_hour: float


@dataclass(frozen=True)
class VideoCurve:
    """Every decision that the scores allow: one point for each score that changes something.

    Recall and false alarms per 1,000 videos never fall along the curve. Events and false alarms per hour
    may: at a low threshold events merge, in the end to one a video.

    Attributes:
        thresholds: (P,) distinct scores, falling.
        recall: (P,) see :class:`VideoPoint`, as of the others.
        false_alarms_per_hour: (P,)
        false_alarms_per_1k_videos: (P,)
        events_per_hour: (P,)
    """

    thresholds: NDArray[np.float64]
    recall: NDArray[np.float64]
    false_alarms_per_hour: NDArray[np.float64]
    false_alarms_per_1k_videos: NDArray[np.float64]
    events_per_hour: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.thresholds)

    def __getitem__(self, index: int) -> VideoPoint:
        return VideoPoint(*(float(getattr(self, field.name)[index]) for field in fields(self)))

    def __iter__(self) -> Iterator[VideoPoint]:
        return (self[index] for index in range(len(self)))

    def thinned(self) -> 'VideoCurve':
        """The highest threshold of each recall alone, and the lowest of all."""
        kept = np.append(True, np.diff(np.nan_to_num(self.recall)) > 0)
        kept[-1] = True
        return VideoCurve(*(getattr(self, field.name)[kept] for field in fields(self)))


def merge_alarms(times: ArrayLike, flagged: ArrayLike, max_gap: float) -> NDArray[np.int64]:
    """Events of one video.

    Args:
        times: (F,) seconds, rising.
        flagged: (F,) whether each frame is flagged.
        max_gap: Flagged frames at most this many seconds apart are one event, at least 0.

    Returns:
        (E, 2) index of the first and of the last flagged frame of each event.
    """
    indices = np.flatnonzero(flagged)
    is_apart = np.diff(np.asarray(times, np.float64)[indices]) > max_gap
    first = np.append(True, is_apart)[: len(indices)]
    last = np.append(is_apart, True)[: len(indices)]
    return np.stack([indices[first], indices[last]], axis=1)


class VideoAlarms:
    """Events of many videos at every threshold, counted once for all thresholds.

    A frame begins an event at the thresholds that lie above the scores of all frames up to ``max_gap``
    before it and not above its own. So events are counted as intervals of the threshold, and sorted ends
    of intervals answer for every threshold. Events with a target are counted by their first target frame,
    which has a chain of flagged frames to an earlier one in place of the highest score before it.

    Args:
        videos: The videos, at least one.
        max_gap: Flagged frames at most this many seconds apart are one event, at least 0.

    Attributes:
        hours: Hours of all videos.
        num_with_target: Number of videos with a target.
        num_without: Number of videos without one.
        num_streams: Number of streams.

    Raises:
        ValueError: If there is no video, two have one name, or ``max_gap`` is negative.
    """

    def __init__(self, videos: Sequence[ScoredVideo], max_gap: float) -> None:
        if not videos:
            raise ValueError('there is no video to score')
        if not max_gap >= 0:
            raise ValueError(f'max_gap must be at least 0 seconds, got {max_gap}')
        if len({video.name for video in videos}) < len(videos):
            raise ValueError('two videos have one name; give the frames of a video together')
        numbers = {name: i for i, name in enumerate(dict.fromkeys(v.stream for v in videos))}
        self.num_streams = len(numbers)
        self._stream = np.array([numbers[video.stream] for video in videos])
        self._seconds = np.array([video.seconds for video in videos])
        self._with_target = np.array([video.has_target.any() for video in videos])
        self.hours = float(self._seconds.sum()) / SECONDS_PER_HOUR
        self.num_with_target = int(self._with_target.sum())
        self.num_without = len(videos) - self.num_with_target
        starts = [_event_starts(video, max_gap) for video in videos]
        self._events = _Steps.of_intervals([every for every, _ in starts])
        hits = _Steps.of_intervals([with_target for _, with_target in starts])
        self._false_alarms = self._events.minus(hits)
        # The highest score of what counts in a video: a single end of an interval.
        best = [v.scores[v.has_target | ~v.has_target.any()].max() for v in videos]
        self._found = _Steps.at(np.array(best), np.flatnonzero(self._with_target))
        self._flagged = _Steps.at(np.array(best), np.flatnonzero(~self._with_target))

    def curve(self) -> VideoCurve:
        """The points of all thresholds at which something changes."""
        parts = (self._events, self._false_alarms, self._found, self._flagged)
        thresholds = np.unique(np.concatenate([steps.scores for steps in parts]))[::-1]
        return VideoCurve(thresholds, *self._rates(thresholds))

    def point(self, threshold: float) -> VideoPoint:
        """What flagging at a threshold gives."""
        return VideoPoint(float(threshold), *(float(r) for r in self._rates(np.array(threshold))))

    def point_for_recall(self, wanted: float) -> VideoPoint:
        """The point with the highest threshold that reaches a recall of videos.

        Args:
            wanted: Recall to reach, in (0, 1].

        Raises:
            ValueError: If it is out of its range, or no video has a target.
        """
        return self.point(self._threshold_for(wanted, np.ones(len(self._stream))))

    def point_for_rate(self, events_per_hour: float) -> VideoPoint:
        """The point with the lowest threshold down to which there are never more events an hour.

        Args:
            events_per_hour: At least 0.

        Returns:
            The point. Where even the highest score makes too many events, its threshold lies just above
            that score, and nothing is flagged.
        """
        curve = self.curve()
        too_many = np.flatnonzero(curve.events_per_hour > events_per_hour)
        if not len(too_many):
            return curve[-1]
        if too_many[0] == 0:
            return self.point(np.nextafter(curve.thresholds[0], np.inf))
        return curve[too_many[0] - 1]

    def intervals(
        self,
        threshold: float | None = None,
        recall: float | None = None,
        level: float = 0.95,
        n_samples: int = 2000,
        seed: int = 0,
    ) -> dict[str, tuple[float, float]]:
        """Percentile bootstrap intervals over streams, at a fixed threshold or a fixed recall.

        Whole streams are sampled again, with replacement, as frames and videos of one stream are alike;
        at a fixed recall each sample has its own threshold. Where nothing was seen, sampling again can
        show no spread, and the rule of three takes over: with no false alarm in n hours (or videos) the
        rate is below 3 / n with 95 % confidence, and with all of n videos found the recall above 1 - 3 / n.

        Args:
            threshold: The threshold, unless ``recall`` is given.
            recall: Recall of videos, in (0, 1], unless ``threshold`` is given.
            level: Share of the samples that lie in the interval, in (0, 1).
            n_samples: How often the streams are sampled.
            seed: Seed of the sampling.

        Returns:
            Lower and upper end by the names of :class:`VideoPoint`; NaN where there is no value.

        Raises:
            ValueError: If not exactly one of ``threshold`` and ``recall`` is given, or a value is out of
                its range.
        """
        if (threshold is None) == (recall is None):
            raise ValueError('give either threshold or recall')
        if not 0 < level < 1:
            raise ValueError(f'level must lie between 0 and 1, got {level}')
        point = self.point(threshold) if recall is None else self.point_for_recall(recall)
        rng = np.random.default_rng(seed)
        samples = np.full((n_samples, len(fields(VideoPoint))), np.nan)
        for row in samples:
            chosen = rng.integers(self.num_streams, size=self.num_streams)
            weights = np.bincount(chosen, minlength=self.num_streams)[self._stream]
            if recall is None:
                row[:] = threshold, *self._weighted_rates(threshold, weights)
            elif weights[self._with_target].any():
                own = self._threshold_for(recall, weights)
                row[:] = own, *self._weighted_rates(own, weights)
        ends = {
            field.name: _percentiles(column, level)
            for field, column in zip(fields(VideoPoint), samples.T, strict=True)
        }
        return ends | self._ends_without_spread(point, ends)

    def _rates(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Recall and the three rates of :class:`VideoPoint` at thresholds of any shape."""
        return (
            _ratio(self._found.count(thresholds), self.num_with_target),
            self._false_alarms.count(thresholds) / self.hours,
            VIDEO_UNIT * _ratio(self._flagged.count(thresholds), self.num_without),
            self._events.count(thresholds) / self.hours,
        )

    def _weighted_rates(
        self, threshold: float, weights: NDArray[np.int64]
    ) -> tuple[float, float, float, float]:
        """The same where each video occurs so many times."""
        hours = float(weights @ self._seconds) / SECONDS_PER_HOUR
        return (
            _ratio(self._found.sum(threshold, weights), weights[self._with_target].sum()),
            self._false_alarms.sum(threshold, weights) / hours,
            VIDEO_UNIT
            * _ratio(self._flagged.sum(threshold, weights), weights[~self._with_target].sum()),
            self._events.sum(threshold, weights) / hours,
        )

    def _threshold_for(self, wanted: float, weights: NDArray) -> float:
        check_share(wanted, 'recall')
        if not self.num_with_target:
            raise ValueError(
                f'none of {len(self._stream)} videos has a target: there is no recall of videos'
            )
        found = np.cumsum(weights[self._found.videos])
        return float(self._found.scores[np.argmax(found / found[-1] >= wanted)])

    def _ends_without_spread(
        self, point: VideoPoint, ends: dict[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        """Intervals of what never, or always, happened."""
        changed = {}
        if point.recall == 1:
            changed['recall'] = (max(0.0, 1 - rule_of_three(self.num_with_target)), 1.0)
        for name in ('false_alarms_per_hour', 'events_per_hour'):
            if getattr(point, name) == 0:
                changed[name] = (0.0, max(ends[name][1], rule_of_three(self.hours)))
        if point.false_alarms_per_1k_videos == 0:
            most = min(float(VIDEO_UNIT), VIDEO_UNIT * rule_of_three(self.num_without))
            name = 'false_alarms_per_1k_videos'
            changed[name] = (0.0, max(ends[name][1], most))
        return changed


def rule_of_three(trials: float) -> float:
    """Upper end of a rate, with 95 % confidence, where nothing was seen.

    Args:
        trials: Number of trials, or hours, above 0.

    Returns:
        3 / trials, of which e^-3 = 5 % is the probability that nothing is seen.

    Raises:
        ValueError: If there was no trial.
    """
    if not trials > 0:
        raise ValueError(f'the rule of three needs a trial, got {trials}')
    return 3.0 / trials


class _Steps:
    """A number that changes as the threshold falls.

    Attributes:
        scores: (S,) falling, at which it changes.
        changes: (S,) by how much.
        videos: (S,) index of the video that each change is due to.
    """

    def __init__(self, scores: NDArray, changes: NDArray, videos: NDArray) -> None:
        order = np.argsort(-scores, kind='stable')
        self.scores = scores[order]
        self.changes = changes[order]
        self.videos = videos[order]
        self._totals = np.append(0, np.cumsum(self.changes))

    @classmethod
    def at(cls, scores: NDArray[np.float64], videos: NDArray[np.int64]) -> '_Steps':
        """One more for each of these videos from its score, (V,), down."""
        return cls(scores[videos], np.ones(len(videos), np.int64), videos)

    @classmethod
    def of_intervals(cls, intervals: Sequence[NDArray[np.float64]]) -> '_Steps':
        """One more in each interval, above its low end up to its high end: (E, 2) a video."""
        ends = np.concatenate(intervals)
        videos = np.repeat(np.arange(len(intervals)), [len(part) for part in intervals])
        ended = np.isfinite(ends[:, 0])
        return cls(
            np.concatenate([ends[:, 1], ends[ended, 0]]),
            np.concatenate([np.ones(len(ends)), -np.ones(ended.sum())]).astype(np.int64),
            np.concatenate([videos, videos[ended]]),
        )

    def minus(self, other: '_Steps') -> '_Steps':
        """The difference of two such numbers."""
        return _Steps(
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.changes, -other.changes]),
            np.concatenate([self.videos, other.videos]),
        )

    def count(self, thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number at thresholds of any shape."""
        return self._totals[self._reached(thresholds)]

    def sum(self, threshold: float, weights: NDArray[np.int64]) -> int:
        """The number at a threshold, where each video counts so many times."""
        reached = self._reached(threshold)
        return int(weights[self.videos[:reached]] @ self.changes[:reached])

    def _reached(self, thresholds: ArrayLike) -> NDArray[np.int64]:
        return np.searchsorted(-self.scores, -np.asarray(thresholds), side='right')


class _RecentMaximum:
    """Highest value of the last seconds, as time goes on."""

    def __init__(self, max_gap: float) -> None:
        self._max_gap = max_gap
        self._kept: deque[tuple[float, float]] = deque()

    def at(self, time: float) -> float:
        """The highest value up to ``max_gap`` before a time, minus infinity if there is none."""
        while self._kept and time - self._kept[0][0] > self._max_gap:
            self._kept.popleft()
        return self._kept[0][1] if self._kept else -math.inf

    def add(self, time: float, value: float) -> None:
        while self._kept and self._kept[-1][1] <= value:
            self._kept.pop()
        self._kept.append((time, value))


def _event_starts(
    video: ScoredVideo, max_gap: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds, from above a low to a high one, at which a frame is the first of an event.

    Returns:
        Of all events (E, 2), and of those with a target, by their first target frame (H, 2).
    """
    highest, linked = _RecentMaximum(max_gap), _RecentMaximum(max_gap)
    has_targets = bool(video.has_target.any())
    starts, target_starts = [], []
    frames = zip(
        video.times.tolist(), video.scores.tolist(), video.has_target.tolist(), strict=True
    )
    for time, score, has_target in frames:
        if (low := highest.at(time)) < score:
            starts.append((low, score))
        highest.add(time, score)
        if has_targets:
            # Up to this threshold flagged frames lead from here to an earlier target frame.
            link = linked.at(time)
            if has_target and link < score:
                target_starts.append((link, score))
            linked.add(time, score if has_target else min(score, link))
    return np.reshape(starts, (-1, 2)), np.reshape(target_starts, (-1, 2))


def _ratio(count: ArrayLike, total: float) -> NDArray[np.float64]:
    return np.asarray(count) / total if total else np.full(np.shape(count), np.nan)


def _percentiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
