"""A benchmark as jobs, one a video: the same functions whether this process runs them or a cluster does."""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import read_options
from mmpolar.evaluation.functional import VOT_BENCHMARKS
from mmpolar.evaluation.one_pass import (
    GIVEN,
    VideoReport,
    davis2016,
    evaluate_video,
    mean_values,
)
from mmpolar.runtime.model_folder import MANIFEST_NAME, file_sha256
from mmpolar.tracking import SingleTargetTracker
from mmpolar.version import __version__

#: What is printed of DAVIS 2016.
DAVIS2016_COLUMNS = ('J_and_F', 'J', 'F', 'iou')


@dataclass(frozen=True)
class EvalSettings:
    """What the values of a benchmark depend on.

    Attributes:
        benchmark: Its name.
        data: Its folder.
        model: The tracker; None for the default one.
        threads: Threads of the network; None for the usual number.
        given: DAVIS 2016: what the target is given by.
        region: VOT: what is answered.
        seen: YouTube-VOS: file of the categories that were seen.
        options: Of the dataset, ``KEY=VALUE``.
    """

    benchmark: str
    data: str
    model: str | None = None
    threads: int | None = None
    given: str = GIVEN[0]
    region: str | None = None
    seen: str | None = None
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace) -> 'EvalSettings':
        """Those of the command's arguments; videos at the same time get a thread each."""
        is_alone = args.workers == 1 and not args.ray
        return cls(
            args.benchmark,
            os.path.abspath(args.data),
            args.model,
            args.threads or (None if is_alone else 1),
            args.given or GIVEN[0],
            args.region,
            args.seen,
            tuple(args.options),
        )

    def description(self) -> dict[str, Any]:
        """Plain values for :class:`mmpolar.utils.job_journal.JobJournal`; threads change nothing."""
        described = asdict(self)
        del described['threads']
        engine = build_tracker(self).engine
        # It has the hashes of the graphs.
        digest = file_sha256(engine.folder / MANIFEST_NAME)
        return described | dict(model=digest, options=list(self.options), mmpolar=__version__)


class Benchmark(Protocol):
    """A benchmark whose videos can be evaluated in any order.

    Attributes:
        names: Of the videos.
        columns: Names of the values of a video.
    """

    names: Sequence[str]
    columns: Sequence[str]

    def evaluate(
        self, tracker: SingleTargetTracker, number: int
    ) -> tuple[list[VideoReport], list[dict[str, Any]]]:
        """Reports of a video, one or one for each of its objects, and what the mean is made of."""

    def mean(self, reports: list[VideoReport], scored: list[list[dict[str, Any]]]) -> dict:
        """Values of all videos together, whose results come in their order."""


@dataclass(frozen=True)
class VideoResult:
    """What a tracker reached in a video.

    Attributes:
        reports: One, or one for each object.
        scored: What the mean is made of, see :class:`Benchmark`.
    """

    reports: list[VideoReport]
    scored: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain values, of which :meth:`from_json` makes the same result."""
        return dict(reports=[asdict(report) for report in self.reports], scored=self.scored)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> 'VideoResult':
        """A result that was written."""
        return cls([VideoReport(**report) for report in content['reports']], content['scored'])


def evaluate_job(job: tuple[EvalSettings, int]) -> VideoResult:
    """Evaluate a video.

    Args:
        job: The settings, and the index of the video.

    Raises:
        OSError, ValueError: If a file of the video cannot be read, or the tracker does not fit.
    """
    settings, number = job
    return VideoResult(*open_benchmark(settings).evaluate(build_tracker(settings), number))


@lru_cache(maxsize=1)
def open_benchmark(settings: EvalSettings) -> Benchmark:
    """The benchmark of the settings, read once in a process.

    Raises:
        OSError, ValueError: If the data cannot be read, or do not know an option.
    """
    if settings.benchmark == 'davis2016':
        return _Davis2016(settings)
    kind = _Vot if settings.benchmark in VOT_BENCHMARKS else _Tracks
    return kind(settings)


@lru_cache(maxsize=1)
def build_tracker(settings: EvalSettings) -> SingleTargetTracker:
    """The tracker of the settings, loaded once in a process."""
    return init_tracker(settings.model, engine='onnx', threads=settings.threads)


class _Davis2016:
    """DAVIS 2016, without PyTorch."""

    columns = DAVIS2016_COLUMNS

    def __init__(self, settings: EvalSettings) -> None:
        self._videos, self._given = davis2016(settings.data), settings.given
        self.names = [video.name for video in self._videos]

    def evaluate(self, tracker: SingleTargetTracker, number: int) -> tuple[list, list]:
        return [evaluate_video(tracker, self._videos[number], self._given)], []

    def mean(self, reports: list[VideoReport], scored: list) -> dict[str, float]:
        return mean_values(reports)


class _Tracks:
    """A benchmark of :data:`mmpolar.evaluation.track_benchmarks.TRACK_BENCHMARKS`."""

    def __init__(self, settings: EvalSettings) -> None:
        from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, track_groups

        benchmark = TRACK_BENCHMARKS[settings.benchmark]
        self._dataset = _read_dataset(settings, benchmark.read)
        options = dict(seen_categories=settings.seen) if settings.seen else {}
        self._metric = benchmark.metric(**options)
        self._groups = track_groups(self._dataset, self._metric)
        self.names = [together[0].video_name for together in self._groups]
        self.columns = self._metric.columns

    def evaluate(self, tracker: SingleTargetTracker, number: int) -> tuple[list, list]:
        from mmpolar.evaluation.track_benchmarks import evaluate_group

        return evaluate_group(tracker, self._dataset, self._groups[number], self._metric)

    def mean(self, reports: list[VideoReport], scored: list) -> dict[str, float]:
        return self._metric.average([summary for group in scored for summary in group])


class _Vot:
    """A challenge of VOT, short-term."""

    def __init__(self, settings: EvalSettings) -> None:
        from mmpolar.datasets import VOTDataset
        from mmpolar.evaluation.vot_benchmark import columns

        self._year, self._region = VOT_BENCHMARKS[settings.benchmark], settings.region
        self._dataset = _read_dataset(settings, VOTDataset)
        tracks = map(self._dataset.get_track, range(self._dataset.num_videos))
        self.names = [track.video_name for track in tracks]
        self.columns = columns(self._year)

    def evaluate(self, tracker: SingleTargetTracker, number: int) -> tuple[list, list]:
        from mmpolar.evaluation.vot_benchmark import evaluate_sequence

        report, runs = evaluate_sequence(tracker, self._dataset, number, self._year, self._region)
        return [report], runs

    def mean(self, reports: list[VideoReport], scored: list) -> dict[str, float]:
        from mmpolar.evaluation.vot_benchmark import mean_values as vot_mean

        return vot_mean(scored, self._year)


Dataset = TypeVar('Dataset')


def _read_dataset(settings: EvalSettings, read: Callable[..., Dataset]) -> Dataset:
    """The data that the settings name.

    Raises:
        ValueError: If the dataset does not know an option.
    """
    try:
        return read(settings.data, **read_options(settings.options))
    except TypeError as error:
        raise ValueError(f'--options: {error}') from error
