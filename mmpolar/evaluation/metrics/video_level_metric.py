"""Alarms that a detector raises in videos, as the people count them who look at them."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from mmengine.logging import print_log

from mmpolar.evaluation.metrics.scored_image_metric import (
    ScoredImageMetric,
    image_name,
    wanted_shares,
)
from mmpolar.evaluation.video_level_report import VideoLevelReport, videos_of_frames
from mmpolar.registry import METRICS

#: Named groups that a pattern may have.
_GROUPS = ('video', 'frame', 'stream')


@METRICS.register_module()
class VideoLevelMetric(ScoredImageMetric):
    """Recall of videos, and false alarms per hour and per 1,000 videos.

    A frame is flagged when its score, by default that of its best detection, reaches a threshold.
    Flagged frames of a video at most ``max_gap`` seconds apart are one event. An event with a flagged
    frame that shows a target is right, any other is a false alarm; a video with a target is found when a
    frame that shows it is flagged. Metrics, each with ``recall``, ``false_alarms_per_hour``,
    ``false_alarms_per_1k_videos`` (videos without a target that have an event) and ``events_per_hour``:

    - at ``score_thr``, by these names;
    - for each wanted recall r of videos, ``..._at_recall_r`` with ``threshold_at_recall_r``, the highest
      threshold that reaches r;
    - for each number n of events that can be checked a day, ``..._at_checks_n`` with
      ``threshold_at_checks_n``, the lowest threshold down to which there are never more.

    The log and the report have 95 % bootstrap intervals over streams, and say where the videos are too
    few to promise a number of checks. Frames whose only targets are ignored ones are left out.

    The video of a frame is the group ``video`` of ``pattern``, the metainfo ``video_id``, or its folder;
    its number the group ``frame``, the metainfo ``frame_id``, or the last number in its file's name; its
    time the metainfo ``time`` in seconds, or its number times ``frame_seconds``; its stream the group
    ``stream``, the metainfo ``stream``, or the video.

    Args:
        score_thr: Threshold at which a frame is flagged, above 0.
        recall: Wanted recall or recalls of videos, above 0 and at most 1.
        checks_per_day: Number or numbers of events that can be checked a day, above 0.
        hours_per_day: Hours of video that are watched a day, above 0: 24 for each camera.
        max_gap: Flagged frames at most this many seconds apart are one event, at least 0.
        frame_seconds: Seconds from a number of a frame to the next, above 0.
        pattern: Regular expression, searched in the path of an image, with the named groups ``video``,
            ``frame`` and ``stream`` as far as wanted. Example: ``r'(?P<stream>cam\\d+)/(?P<video>[^/]+)/'``.
        **kwargs: See :class:`~mmpolar.evaluation.metrics.scored_image_metric.ScoredImageMetric`. The
            default prefix is ``video``. The report ``out_file`` has the points, their intervals and the
            curve; the table beside it, ``.csv``, is what ``mmpolar alarms`` reads and plots.

    Raises:
        ValueError: If an option is out of its range, or ``pattern`` is not valid.
    """

    default_prefix = 'video'

    def __init__(
        self,
        score_thr: float = 0.3,
        recall: float | Sequence[float] = (0.8, 0.9),
        checks_per_day: float | Sequence[float] = (),
        hours_per_day: float = 24.0,
        max_gap: float = 10.0,
        frame_seconds: float = 1.0,
        pattern: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(score_thr, **kwargs)
        if not max_gap >= 0 or not frame_seconds > 0 or not hours_per_day > 0:
            raise ValueError(
                'VideoLevelMetric needs max_gap of at least 0, frame_seconds and hours_per_day above 0, '
                f'got {max_gap}, {frame_seconds} and {hours_per_day}'
            )
        self.recalls = wanted_shares(recall, 'recall')
        is_list = isinstance(checks_per_day, Sequence)
        self.checks_per_day = list(checks_per_day) if is_list else [checks_per_day]
        self.hours_per_day = hours_per_day
        self.max_gap = max_gap
        self.frame_seconds = frame_seconds
        self.pattern = _compiled(pattern)

    def describe(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Video, stream and time of a frame.

        Args:
            sample: Its data sample.

        Raises:
            ValueError: If its number is not known.
        """
        path = image_name(sample)
        found = self.pattern.search(path) if self.pattern else None
        named = found.groupdict() if found else {}
        video = named.get('video') or sample.get('video_id', PurePath(path).parent.as_posix())
        time = sample.get('time')
        if time is None:
            time = self.frame_seconds * _frame_number(named, sample, path)
        stream = named.get('stream') or sample.get('stream')
        return dict(
            video=str(video), stream=None if stream is None else str(stream), time=float(time)
        )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute and log the metrics and write the report.

        Args:
            results: One plain dict for each image that a process saw.

        Returns:
            Metric name to value, without the metrics that the videos do not allow.

        Raises:
            ValueError: If two frames of a video have one time, or a video is of two streams.
        """
        frames, left_out = self.split_counted(results)
        if not frames:
            return {}
        report = VideoLevelReport.of(
            videos_of_frames(frames, self.frame_seconds),
            self.max_gap,
            thresholds=[self.score_thr],
            recalls=self.recalls,
            checks_per_day=self.checks_per_day,
            hours_per_day=self.hours_per_day,
        )
        text = report.text()
        if left_out:
            text += f'\n{left_out} frames left out: their only targets are ignored ones'
        print_log(text, logger='current')
        for warning in report.warnings():
            print_log(warning, logger='current', level=logging.WARNING)
        if self.out_file is not None:
            report.write(self.out_file, frames)
        return report.metrics()


def _compiled(pattern: str | None) -> re.Pattern | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'pattern {pattern!r} is no regular expression: {error}') from error
    unknown = set(compiled.groupindex) - set(_GROUPS)
    if unknown or not compiled.groupindex:
        raise ValueError(
            f'pattern {pattern!r} must name some of the groups {", ".join(_GROUPS)} and no other, such as '
            "r'(?P<video>[^/]+)/[^/]+$'"
        )
    return compiled


def _frame_number(named: Mapping[str, str], sample: Mapping[str, Any], path: str) -> int:
    number = named.get('frame') or sample.get('frame_id')
    if number is None:
        numbers = re.findall(r'\d+', PurePath(path).stem)
        number = numbers[-1] if numbers else None
    if number is None:
        raise ValueError(
            f'the position of frame {path} in its video is not known: no number in its name and no '
            'metainfo time or frame_id; give VideoLevelMetric a pattern with the group frame'
        )
    return int(number)
