"""Where a tracker fails: the worst frames of the worst sequences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.functional import mean_of_known
from mmpolar.evaluation.metrics import DavisMetric, OPEMetric
from mmpolar.evaluation.replay import Summary, score_results
from mmpolar.evaluation.result_folder import ResultFolder

MEASURES = ('iou', 'J', 'F')


@dataclass(frozen=True)
class Failure:
    """A sequence and its worst frames.

    Attributes:
        track_id: Number of the track in its dataset.
        name: Name of the track.
        mean: Mean of the ranking metric over the frames that have it.
        values: (T,) of each metric by name, NaN where a frame has none.
        frames: The worst frames, in order of time.
    """

    track_id: int
    name: str
    mean: float
    values: dict[str, NDArray[np.float64]]
    frames: list[int]


def score_frames(
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    tracks: Sequence[int],
    masks: bool,
    workers: int,
) -> list[tuple[Summary, dict[str, NDArray[np.float64]]]]:
    """Each track with the metrics of its frames; the frame in which the target is given has none."""
    metrics = [OPEMetric(), DavisMetric(skip_last=False)] if masks else [OPEMetric()]
    scored = score_results(dataset, folder, metrics, masks, tracks, workers)
    found = []
    for of_track in zip(*scored, strict=True):
        frames = {
            name: values for summary in of_track for name, values in summary['frames'].items()
        }
        values = {name: np.array(frames[name], float) for name in MEASURES if name in frames}
        values['iou'][0] = math.nan
        found.append((of_track[0], values))
    return found


def worst_sequences(
    scores: Sequence[tuple[Summary, dict[str, NDArray[np.float64]]]],
    by: str,
    sequences: int,
    frames: int,
    gap: int,
) -> list[Failure]:
    """The sequences with the lowest means, the lowest first, each with its worst frames."""
    failures = []
    for summary, values in scores:
        mean = mean_of_known(values[by].tolist())
        if not math.isnan(mean):
            chosen = worst_frames(values[by], frames, gap)
            name = summary['video_name']
            failures.append(Failure(summary['video_id'], name, mean, values, chosen))
    return sorted(failures, key=lambda failure: failure.mean)[:sequences]


def worst_frames(values: NDArray[np.float64], count: int, gap: int) -> list[int]:
    """Frames with the lowest values, any two at least ``gap`` apart, in order of time.

    Args:
        values: (T,) value of each frame, NaN where it has none.
        count: How many frames at most.
        gap: Least distance of two frames.

    Returns:
        The frames.
    """
    chosen: list[int] = []
    order = np.argsort(values, kind='stable')
    for frame in order[: np.count_nonzero(~np.isnan(values))].tolist():
        if all(abs(frame - other) >= gap for other in chosen):
            chosen.append(frame)
        if len(chosen) == count:
            break
    return sorted(chosen)
