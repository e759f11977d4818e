"""Scoring stored results against the ground truth of a dataset, without the tracker that made them."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np

from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.metrics import SequenceMetric
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.utils.image import read_image_size, read_mask
from mmpolar.utils.processes import begin_worker
from mmpolar.utils.progress import progress_bar

Summary = dict[str, Any]


@dataclass(frozen=True)
class _Job:
    """What is the same for all tracks."""

    dataset: BaseTrackDataset
    results: ResultFolder
    metrics: tuple[SequenceMetric, ...]
    masks: bool


class TrackReplay(Sequence[TrackFrame]):
    """The frames of a track, each with its ground truth and with what a tracker once answered.

    Files are read when a frame is asked for.

    Args:
        dataset: Dataset that was tested.
        track_id: Number of the track in it.
        results: The tracker's answers.
        masks: Whether to decode the tracker's masks.

    Attributes:
        name: Name of the track.

    Raises:
        FileNotFoundError: If the results lack the track.
        ValueError: If the results have another number of frames.
    """

    def __init__(
        self, dataset: BaseTrackDataset, track_id: int, results: ResultFolder, masks: bool = True
    ) -> None:
        self._dataset = dataset
        self._track = dataset.get_track(track_id)
        self._masks = masks
        self.name: str = self._track.video_name
        frames = self._track.frames
        self._stored = results.read(self.name, frames)
        self._size = read_image_size(frames[0]) if os.path.isfile(frames[0]) else None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._track.frames)

    def __getitem__(self, index: int) -> TrackFrame:
        """One frame.

        Raises:
            FileNotFoundError: If a mask does not exist.
            IndexError: If there is no such frame.
        """
        if not 0 <= index < len(self):
            raise IndexError(f'track {self.name!r} has {len(self)} frames, not {index}')
        track, stored = self._track, self._stored
        target = self._dataset.read_target(track, index)
        mask_path = stored.mask_paths[index] if self._masks and stored.mask_paths else None
        box = stored.boxes[index]
        return TrackFrame.from_track(
            track,
            index,
            target,
            box=None if np.isnan(box).any() else box,
            score=float(stored.scores[index]),
            mask=None if mask_path is None else read_mask(mask_path),
            polygon=stored.polygons[index] if stored.polygons else None,
            image_size=self._size,
        )


def score_results(
    dataset: BaseTrackDataset,
    results: ResultFolder,
    metrics: Sequence[SequenceMetric],
    masks: bool = True,
    tracks: Sequence[int] | None = None,
    workers: int = 0,
    progress: bool = True,
) -> list[list[Summary]]:
    """Score stored results by metrics, all in one pass over the files.

    Args:
        dataset: Dataset that was tested.
        results: The tracker's answers.
        metrics: What to compute of each sequence.
        masks: Whether to decode the tracker's masks.
        tracks: Numbers of the tracks to score; None for all.
        workers: Processes to use; 0 works in this one. With workers, a script must call this under
            ``if __name__ == '__main__':``.
        progress: Whether to show a progress bar.

    Returns:
        For each metric a list of what its ``summarize`` gave, one a track in order, with
        ``video_name``, ``video_id`` and ``n_frames``.

    Raises:
        FileNotFoundError: If the results lack a track, or an annotation does not exist.
        ValueError: If the results have another number of frames, or do not suit a metric.
    """
    tracks = range(dataset.num_videos) if tracks is None else tracks
    job = _Job(dataset, results, tuple(metrics), masks)
    bar = dict(desc=results.name, total=len(tracks), unit='video', shown=progress)
    if not workers or len(tracks) < 2:
        scored = [_score_track(job, track) for track in progress_bar(tracks, **bar)]
    else:
        context = get_context('spawn')
        with ProcessPoolExecutor(min(workers, len(tracks)), context, _start_worker, (job,)) as pool:
            scored = list(progress_bar(pool.map(_score_in_worker, tracks), **bar))
    return [list(of_metric) for of_metric in zip(*scored, strict=True)]


def missing_videos(dataset: BaseTrackDataset, results: ResultFolder) -> list[str]:
    """Names of the tracks of a dataset that results lack."""
    names = (dataset.get_track(index).video_name for index in range(dataset.num_videos))
    return [name for name in names if not results.has(name)]


def has_masks(dataset: BaseTrackDataset) -> bool:
    """Whether the targets of a dataset have masks; its first track speaks for all."""
    target = dataset.load_target(0, 0)
    return target is not None and target.mask is not None


# What a worker process scores, so that it is sent to each of them only once.
_worker_job: _Job | None = None


def _start_worker(job: _Job) -> None:
    global _worker_job
    _worker_job = job
    begin_worker()
    cv2.setNumThreads(1)


def _score_in_worker(track_id: int) -> list[Summary]:
    return _score_track(_worker_job, track_id)


def _score_track(job: _Job, track_id: int) -> list[Summary]:
    frames = TrackReplay(job.dataset, track_id, job.results, job.masks)
    states = [metric.start(frames[0]) for metric in job.metrics]
    for frame in frames:
        for metric, state in zip(job.metrics, states, strict=True):
            metric.add(state, frame)
    common = dict(video_id=track_id, video_name=frames.name, n_frames=len(frames))
    return [
        common | metric.summarize(state) for metric, state in zip(job.metrics, states, strict=True)
    ]
