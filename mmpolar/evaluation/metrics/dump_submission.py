"""The results of a test as files that a benchmark's server takes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpolar.datasets.track import Track
from mmpolar.evaluation.metrics.dump_track_results import DumpedVideo, DumpTrackResults
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.submissions import (
    TRACK_BENCHMARKS,
    check_submission,
    group_tracks,
    make_submission,
)
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.utils.issues import format_summary, has_errors


@dataclass
class _SubmittedVideo(DumpedVideo):
    """Results of a video, and what the dataset says about it."""

    sequence: str = ''
    object_id: int | None = None
    first_box: np.ndarray | None = None
    images: list[str] = field(default_factory=list)
    flags: list[Mapping[str, Any]] = field(default_factory=list)

    def append(self, frame: TrackFrame) -> None:
        """Take in a frame.

        Raises:
            KeyError: If it is not known which image it is.
        """
        if frame.img_path is None:
            raise KeyError(
                f'frame {frame.frame_id} of video {frame.video_name!r} has no img_path, after which '
                'the files of a submission are named; pack it as metainfo'
            )
        if not self.images:
            self.sequence = frame.sequence or frame.video_name
            self.object_id = frame.object_id
            self.first_box = frame.gt_box
        self.images.append(frame.img_path)
        self.flags.append(frame.flags)
        super().append(frame)

    def describe(self) -> dict[str, Any]:
        """The video as a track of a dataset, beside its name."""
        flags = {name: np.array([f[name] for f in self.flags]) for name in self.flags[0]}
        track = Track(
            video_name=self.name,
            sequence=self.sequence,
            object_id=self.object_id,
            boxes=None if self.first_box is None else self.first_box[None],
            frames=self.images,
            flags=flags,
        )
        return dict(super().describe(), track=track)


@METRICS.register_module()
class DumpSubmission(DumpTrackResults):
    """Writes the answers of a tracker, and in the end a submission to a benchmark.

    The submission is checked as ``mmpolar check submission`` does, but against what was
    tested: whether that is all of the benchmark, only that tool can tell.

    Args:
        benchmark: Name of the benchmark: ``got10k``, ``trackingnet``, ``lasot``, ``davis2016``,
            ``davis2017`` or ``youtube_vos``.
        out_dir: Folder for the results, see :class:`DumpTrackResults`. Several processes must write
            to one disk.
        submission: Where the submission goes: a zip archive if it ends in ``.zip``, else a folder.
            By default ``<out_dir>/<benchmark>.zip``.
        options: Options of the submission, such as ``dict(foreground=255)`` of ``davis2016``.
        **kwargs: See :class:`DumpTrackResults`.

    Raises:
        ValueError: If there is no such benchmark.
    """

    default_prefix = 'submission'
    video_type = _SubmittedVideo

    def __init__(
        self,
        benchmark: str,
        out_dir: str,
        submission: str | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(out_dir, **kwargs)
        if benchmark not in TRACK_BENCHMARKS:
            raise ValueError(
                f'benchmark must be one of {", ".join(TRACK_BENCHMARKS)}, got {benchmark!r}'
            )
        self.format = TRACK_BENCHMARKS[benchmark](**(options or {}))
        self.path = Path(submission or self.out_dir / f'{benchmark}.zip')

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Make the submission of all videos, and log what is wrong with it.

        Raises:
            RuntimeError: If not a single video came to its end, or some did not.
            FileNotFoundError: If another process wrote results to a disk that this one has not.
            ValueError: If the results lack what the benchmark wants.
        """
        super().compute_metrics(results)
        tracks = {video['name']: video['track'] for video in results if video['complete']}
        if not tracks or {video['name'] for video in results} - set(tracks):
            raise RuntimeError(
                f'no submission is made: {len(tracks)} videos came to their end, others did not; '
                'test whole videos with the sampler VideoSampler'
            )
        sequences = group_tracks(tracks.values())
        make_submission(self.format, sequences, ResultFolder(self.out_dir), self.path)
        issues = list(check_submission(self.format, sequences, self.path))
        level = logging.ERROR if has_errors(issues) else logging.INFO
        report = '\n'.join([*map(str, issues), format_summary(issues)])
        print_log(f'submission {self.path}: {report}', logger='current', level=level)
        return {}
