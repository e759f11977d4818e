"""Report of the alarms that a detector raises in videos, and the table of frames that it is made of."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmpolar.evaluation.functional import (
    ScoredVideo,
    VideoAlarms,
    VideoCurve,
    VideoPoint,
    merge_alarms,
    rule_of_three,
)
from mmpolar.utils.atomic_write import atomic_table, atomic_write
from mmpolar.utils.csv_table import read_rows
from mmpolar.utils.tables import json_text

#: Columns of a table of frames, and of one of events.
COLUMNS = ('image', 'video', 'stream', 'time', 'score', 'has_target')
EVENT_COLUMNS = ('video', 'stream', 'first_time', 'last_time', 'score', 'has_target')
#: Values of a point that a table shows, and its header.
_SHOWN = ('recall', 'false_alarms_per_hour', 'false_alarms_per_1k_videos', 'events_per_hour')
HEADER = (
    'at',
    'threshold',
    'recall of videos',
    'false alarms / hour',
    'false alarms / 1000 videos',
    'events / hour',
    'events / day',
)


@dataclass(frozen=True)
class Reading:
    """A point of the curve that somebody asked for.

    Attributes:
        kind: ``'threshold'``, ``'recall'`` or ``'checks'``.
        value: The threshold, the recall of videos, or the number of events that are checked a day.
        point: What is reached there.
        intervals: 95 % bootstrap intervals over streams, by the names of the point.
    """

    kind: str
    value: float
    point: VideoPoint
    intervals: Mapping[str, tuple[float, float]]

    @property
    def title(self) -> str:
        """Its name in a table."""
        unit = ' a day' if self.kind == 'checks' else ''
        return f'{self.kind} {self.value:g}{unit}'

    @property
    def suffix(self) -> str:
        """What is put behind the names of its values."""
        return '' if self.kind == 'threshold' else f'_at_{self.kind}_{self.value:g}'


@dataclass(frozen=True)
class VideoLevelReport:
    """Alarms of a detector in videos.

    Attributes:
        counts: Numbers of ``frames``, ``videos_with_target``, ``videos_without`` and ``streams``, and
            the ``hours`` of all videos.
        max_gap: Alarms at most this many seconds apart are one event.
        hours_per_day: Hours of video that are watched a day.
        readings: The points that were asked for.
        curve: The highest threshold of each recall.
    """

    counts: Mapping[str, float]
    max_gap: float
    hours_per_day: float
    readings: Sequence[Reading]
    curve: VideoCurve

    @classmethod
    def of(
        cls,
        videos: Sequence[ScoredVideo],
        max_gap: float,
        thresholds: Sequence[float] = (),
        recalls: Sequence[float] = (),
        checks_per_day: Sequence[float] = (),
        hours_per_day: float = 24.0,
    ) -> 'VideoLevelReport':
        """Count the alarms of videos.

        Args:
            videos: The videos, at least one.
            max_gap: Seconds, at least 0.
            thresholds: Thresholds to report on.
            recalls: Recalls of videos to report on, in (0, 1]; left out where no video has a target.
            checks_per_day: Numbers of events that can be checked a day, above 0.
            hours_per_day: Hours of video that are watched a day, above 0: 24 for each camera.

        Raises:
            ValueError: If a value is out of its range.
        """
        if not hours_per_day > 0 or any(not checks > 0 for checks in checks_per_day):
            raise ValueError(
                'hours_per_day and checks_per_day must be above 0, '
                f'got {hours_per_day} and {list(checks_per_day)}'
            )
        alarms = VideoAlarms(videos, max_gap)
        readings = [_reading(alarms, 'threshold', value) for value in thresholds]
        if alarms.num_with_target:
            readings += [_reading(alarms, 'recall', value) for value in recalls]
        readings += [
            _reading(alarms, 'checks', value, alarms.point_for_rate(value / hours_per_day))
            for value in checks_per_day
        ]
        counts = dict(
            frames=sum(len(video.scores) for video in videos),
            videos_with_target=alarms.num_with_target,
            videos_without=alarms.num_without,
            streams=alarms.num_streams,
            hours=alarms.hours,
        )
        return cls(counts, max_gap, hours_per_day, readings, alarms.curve().thinned())

    def metrics(self) -> dict[str, float]:
        """Value of each metric, without those that the videos do not allow."""
        values = {}
        for reading in self.readings:
            for name, value in vars(reading.point).items():
                if name != reading.kind and not math.isnan(value):
                    values[name + reading.suffix] = value
        return values

    def text(self) -> str:
        """What was tested, and a table with a row a point; 95 % intervals in brackets."""
        counts = self.counts
        rows = [HEADER]
        for reading in self.readings:
            cells = [_cell(reading, name) for name in _SHOWN]
            a_day = f'{reading.point.events_per_hour * self.hours_per_day:.4g}'
            above = '' if reading.point.events_per_hour else 'above '
            rows.append((reading.title, f'{above}{reading.point.threshold:.4f}', *cells, a_day))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f'{counts["frames"]} frames of {counts["videos_with_target"]} videos with a target and '
            f'{counts["videos_without"]} without, {counts["streams"]} streams, '
            f'{counts["hours"]:.4g} hours; alarms up to {self.max_gap:g} s apart are one event; '
            f'{self.hours_per_day:g} hours are watched a day'
        ]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append('  '.join(cells).rstrip())
        return '\n'.join(lines)

    def warnings(self) -> list[str]:
        """What the test videos are too few to say."""
        hours, needed = self.counts['hours'], rule_of_three(1 / self.hours_per_day)
        lines = []
        for reading in self.readings:
            if reading.kind == 'checks' and hours < needed / reading.value:
                most = rule_of_three(hours) * self.hours_per_day
                lines.append(
                    f'{reading.value:g} checks a day cannot be told from more: even without one event in '
                    f'these {hours:.3g} hours there may be up to {most:.3g} a day (95 %); test on '
                    f'{needed / reading.value:.3g} hours or more'
                )
        return lines

    def to_json(self) -> str:
        """All of it; what is not known is null."""
        content = dict(
            counts=self.counts,
            max_gap=self.max_gap,
            hours_per_day=self.hours_per_day,
            metrics=self.metrics(),
            points=[
                dict(name=reading.title, **asdict(reading.point), intervals=reading.intervals)
                for reading in self.readings
            ],
            curve={name: row.tolist() for name, row in vars(self.curve).items()},
        )
        return json_text(content)

    def write(self, path: Path, frames: Iterable[Mapping[str, Any]]) -> None:
        """Write the report, and beside it the table of its frames, which ``mmpolar alarms`` reads.

        Args:
            path: The report, ``*.json``; its folder is made. Beside it goes the table, as ``.csv``.
            frames: Each with the columns of :data:`COLUMNS`.
        """
        atomic_write(path, self.to_json())
        write_frames(path.with_suffix('.csv'), frames)


def write_frames(path: str | os.PathLike, frames: Iterable[Mapping[str, Any]]) -> None:
    """Write a table of frames.

    Args:
        path: File to write, ``.csv``.
        frames: Each with the columns of :data:`COLUMNS`.
    """
    with atomic_table(path) as writer:
        writer.writerow(COLUMNS)
        for frame in frames:
            cells = {**frame, 'has_target': int(frame['has_target'])}
            writer.writerow([cells[name] for name in COLUMNS])


def read_videos(path: str | os.PathLike) -> list[ScoredVideo]:
    """Read the videos of a table of frames, of any detector.

    Args:
        path: CSV file with the columns ``video``, ``time`` (in seconds) and ``score``, and perhaps
            ``has_target`` (1 or 0; by default no frame shows a target) and ``stream`` (by default each
            video is one of its own); others are not read.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing or a value is wrong; the file and the line are named.
    """
    frames = []
    for row in read_rows(path, needed=('video', 'time', 'score')):
        shown = row.text('has_target', '0')
        if shown not in ('0', '1'):
            raise ValueError(f'{row.location}: has_target must be 1 or 0, got {shown!r}')
        frames.append(
            dict(
                video=row.text('video'),
                stream=row.text('stream') or None,
                time=row.number('time'),
                score=row.number('score'),
                has_target=shown == '1',
            )
        )
    if not frames:
        raise ValueError(f'{path} has no frame')
    return videos_of_frames(frames)


def videos_of_frames(
    frames: Iterable[Mapping[str, Any]], frame_seconds: float | None = None
) -> list[ScoredVideo]:
    """Videos from their frames, in any order.

    Args:
        frames: Each with ``video``, ``stream`` (None: the video), ``time``, ``score``, ``has_target``.
        frame_seconds: How long a video of a single frame is; others are as long as their frames say.

    Raises:
        ValueError: If a video has two streams or two frames at one time, or is of a single frame and
            ``frame_seconds`` is not given.
    """
    by_video: dict[str, list[Mapping[str, Any]]] = {}
    for frame in frames:
        by_video.setdefault(frame['video'], []).append(frame)
    videos = []
    for name, shown in by_video.items():
        streams = {frame['stream'] for frame in shown}
        if len(streams) > 1:
            raise ValueError(f'video {name} is of two streams, {", ".join(map(str, streams))}')
        videos.append(
            ScoredVideo.from_frames(
                name,
                [frame['time'] for frame in shown],
                [frame['score'] for frame in shown],
                [frame['has_target'] for frame in shown],
                stream=streams.pop(),
                frame_seconds=frame_seconds if len(shown) == 1 else None,
            )
        )
    return videos


def list_events(
    videos: Iterable[ScoredVideo], max_gap: float, threshold: float
) -> Iterator[dict[str, Any]]:
    """The events at a threshold, with the values of :data:`EVENT_COLUMNS`, videos in their order."""
    for video in videos:
        for first, last in merge_alarms(video.times, video.scores >= threshold, max_gap).tolist():
            shown = slice(first, last + 1)
            flagged = video.scores[shown] >= threshold
            yield dict(
                video=video.name,
                stream=video.stream,
                first_time=float(video.times[first]),
                last_time=float(video.times[last]),
                score=float(video.scores[shown].max()),
                has_target=int((video.has_target[shown] & flagged).any()),
            )


def _reading(
    alarms: VideoAlarms, kind: str, value: float, point: VideoPoint | None = None
) -> Reading:
    if kind == 'recall':
        return Reading(kind, value, alarms.point_for_recall(value), alarms.intervals(recall=value))
    point = alarms.point(value) if point is None else point
    return Reading(kind, value, point, alarms.intervals(threshold=point.threshold))


def _cell(reading: Reading, name: str) -> str:
    """A value with its interval."""
    value = getattr(reading.point, name)
    if math.isnan(value):
        return ''
    low, high = reading.intervals[name]
    return f'{value:.4g} ({low:.4g} to {high:.4g})'
