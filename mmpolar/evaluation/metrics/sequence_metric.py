"""What all metrics of whole sequences share."""

import logging
import math
from abc import ABCMeta, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.logging import print_log

from mmpolar.evaluation.functional import mean_of_known
from mmpolar.evaluation.metrics.gathered_metric import GatheredMetric
from mmpolar.evaluation.sequence_report import check_out_file, format_table, write_report
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.utils.deprecation import renamed_keywords


@dataclass
class _Track:
    """A sequence while its frames arrive; ``state`` is what the metric keeps of it."""

    video_id: Hashable
    name: str
    length: int
    state: Any
    n_frames: int = 0
    in_order: bool = True

    @property
    def complete(self) -> bool:
        return self.in_order and self.n_frames == self.length


class SequenceMetric(GatheredMetric, metaclass=ABCMeta):
    """A metric whose unit is a sequence: metrics of each, then of all together.

    A sequence is complete once frames 0 to ``video_length - 1`` came in order from one process; the
    others are named in a warning and left out. A sequence evaluated twice, as padding of
    distributed samplers does, counts once. A metric that no sequence has is left out.

    Args:
        out_file: Report to write, ``*.json``: metrics of all sequences, of each and of their
            frames. The table goes into the ``.csv`` beside it, the means in its last row. None
            writes nothing.
        **kwargs: See :class:`GatheredMetric`.

    Raises:
        ValueError: If ``out_file`` does not end in .json.
    """

    #: Metrics of a sequence, in the order of the table.
    columns: tuple[str, ...] = ()
    #: Whether every frame must carry ground truth.
    needs_annotation = True

    @renamed_keywords(outfile='out_file')
    def __init__(self, out_file: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_file = check_out_file(out_file)
        self._tracks: dict[Hashable, _Track] = {}

    @abstractmethod
    def start(self, frame: TrackFrame) -> Any:
        """State of a sequence before its first frame is added."""

    @abstractmethod
    def add(self, state: Any, frame: TrackFrame) -> None:
        """Take in a frame; they come in order, the first one too."""

    @abstractmethod
    def summarize(self, state: Any) -> dict[str, Any]:
        """Results of a complete sequence in plain, small values.

        Args:
            state: Of the sequence.

        Returns:
            ``values``, a dictionary with a number for each of :attr:`columns`; whatever else the
            report or :meth:`average` needs.
        """

    def average(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Metrics of all sequences together: by default the means of those that have one.

        Args:
            sequences: What :meth:`summarize` gave, with ``video_name``, ``n_frames`` and so on.

        Returns:
            Metric by name; those that are NaN are left out later.
        """
        return {
            name: mean_of_known([sequence['values'][name] for sequence in sequences])
            for name in self.columns
        }

    def report_details(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Further entries of the report; none by default."""
        return {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score the frames of one batch; see :class:`BaseMetric`.

        Args:
            data_batch: Not used.
            data_samples: Data samples as dicts, with ``pred_track_instances`` and
                ``gt_instances``.

        Raises:
            KeyError: If a sample lacks predictions, metainfo or ground truth.
        """
        for sample in data_samples:
            frame = TrackFrame.from_sample(sample)
            if self.needs_annotation and not frame.annotated:
                raise KeyError(
                    f'frame {frame.frame_id} of video {frame.video_name!r} has no gt_instances; '
                    f'{type(self).__name__} needs annotated videos'
                )
            self._take(frame)

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the sequences of all processes and compute the metrics.

        Args:
            size: Number of frames of the dataset. It says nothing about the number of results,
                which are sequences here, and is not used.

        Returns:
            Metric name, with the prefix, to value.
        """
        self.results.extend(self._summary(track) for track in self._tracks.values())
        self._tracks.clear()
        return super().evaluate(size)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the sequences, log the table and write the report.

        Args:
            results: One plain dict for each sequence that a process saw.

        Returns:
            Metric name to value, without the metrics that no sequence has.
        """
        complete, incomplete = _sort_out(results)
        for track in incomplete:
            print_log(
                f'video {track["video_name"]!r} is left out of the evaluation: '
                f'{track["n_frames"]} of {track["video_length"]} frames came in order from one '
                'process; test whole videos with the sampler VideoSampler',
                logger='current',
                level=logging.WARNING,
            )
        means = self.average(complete) if complete else {}
        means = {name: value for name, value in means.items() if not math.isnan(value)}
        if complete:
            print_log('\n' + format_table(complete, means), logger='current')
        if self.out_file is not None:
            write_report(
                self.out_file,
                complete,
                means,
                list(dict.fromkeys([*self.columns, *means])),
                incomplete=[track['video_name'] for track in incomplete],
                **(self.report_details(complete) if complete else {}),
            )
        return means

    def _take(self, frame: TrackFrame) -> None:
        if frame.frame_id == 0 or frame.video_key not in self._tracks:
            self._tracks[frame.video_key] = _Track(
                frame.video_id, frame.video_name, frame.video_length, self.start(frame)
            )
        track = self._tracks[frame.video_key]
        track.in_order &= frame.frame_id == track.n_frames
        track.n_frames += 1
        if track.in_order:
            self.add(track.state, frame)
        if frame.is_last:
            self.results.append(self._summary(self._tracks.pop(frame.video_key)))

    def _summary(self, track: _Track) -> dict[str, Any]:
        """The metrics of a sequence, ready to be sent between processes."""
        summary = dict(
            video_id=track.video_id,
            video_name=track.name,
            video_length=track.length,
            n_frames=track.n_frames,
            complete=track.complete,
        )
        return summary | (self.summarize(track.state) if track.complete else {})


def require_first_target(frame: TrackFrame) -> None:
    """Refuse a sequence that does not begin with its target."""
    if frame.frame_id == 0 and frame.gt_box is None:
        raise ValueError(
            f'frame 0 of video {frame.video_name!r} has no target; a track must start with one'
        )


def _sort_out(results: list[dict]) -> tuple[list[dict], list[dict]]:
    """Complete sequences and those of which no complete copy exists, each once, sorted by name."""
    complete, incomplete = {}, {}
    for track in results:
        key = track['video_id'], track['video_name']
        (complete if track['complete'] else incomplete).setdefault(key, track)
    for key in complete:
        incomplete.pop(key, None)
    return _by_name(complete), _by_name(incomplete)


def _by_name(tracks: Mapping[Hashable, dict]) -> list[dict]:
    return sorted(tracks.values(), key=lambda track: track['video_name'])
