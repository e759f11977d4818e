"""VOT's short-term challenges, for any tracker that has ``init`` and ``step``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmpolar.datasets import VOTDataset
from mmpolar.datasets.track import Track
from mmpolar.evaluation.functional import pixel_overlap
from mmpolar.evaluation.metrics import VOTMetric
from mmpolar.evaluation.metrics.vot_metric import COLUMNS
from mmpolar.evaluation.one_pass import OnePassTracker, VideoReport, timed_step
from mmpolar.evaluation.vot_runs import VOTRun, anchor_frames, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import MaskRegion, Region, region_box, region_mask, result_region
from mmpolar.utils.image import read_image, read_image_size

#: First year in which trackers start from anchors instead of after failures.
_FIRST_ANCHORED = 2020
#: VOT's speed has reading in it, and stands beside a report's.
_SPEED = 'fps'
_OF_ALL_ALONE = ('eao', _SPEED)
#: File of a sequence that has the anchors.
_ANCHORS = 'anchor'


def columns(year: int) -> tuple[str, ...]:
    """Names of the values of a sequence in the protocol of a year."""
    return tuple(name for name in COLUMNS[_protocol(year)] if name not in _OF_ALL_ALONE)


def evaluate_vot(
    tracker: OnePassTracker,
    dataset: VOTDataset,
    year: int,
    region: str | None = None,
    on_video: Callable[[VideoReport], None] | None = None,
) -> tuple[list[VideoReport], dict[str, float]]:
    """Accuracy, robustness and EAO in the protocol of a year.

    Up to 2019 a tracker starts again after a failure, from 2020 on it runs from every anchor to the end or
    back to the beginning. VOT's toolkit repeats runs of trackers that do not answer the same each time; here
    each is made once. The target is given by its mask where there is one, else by the upright box around it.

    Args:
        tracker: The tracker.
        dataset: The sequences.
        year: Year of the challenge.
        region: ``'box'`` or ``'mask'``, what the tracker answers with; None for masks where it gives some.
        on_video: Called with each report as it is made.

    Returns:
        The reports of the sequences, and the values of all together. EAO is a value of all alone.

    Raises:
        ValueError: If the year is unknown, a sequence has no anchor where the year wants some, or the tracker
            gives something else than results, boxes or masks.

    Example:
        >>> from mmpolar.apis import init_tracker
        >>> from mmpolar.datasets import VOTDataset
        >>> from mmpolar.evaluation.vot_benchmark import evaluate_vot
        >>> tracker = init_tracker(engine='onnx')
        >>> _, values = evaluate_vot(tracker, VOTDataset('data/vot2018'), 2018)  # doctest: +SKIP
    """
    reports, sequences = [], []
    for number in range(dataset.num_videos):
        report, samples = evaluate_sequence(tracker, dataset, number, year, region)
        reports.append(report)
        sequences.append(samples)
        if on_video is not None:
            on_video(report)
    return reports, mean_values(sequences, year)


def evaluate_sequence(
    tracker: OnePassTracker,
    dataset: VOTDataset,
    number: int,
    year: int,
    region: str | None = None,
) -> tuple[VideoReport, list[dict[str, Any]]]:
    """Run through one sequence; see :func:`evaluate_vot`.

    Args:
        tracker: The tracker.
        dataset: The sequences.
        number: Index of the sequence.
        year: Year of the challenge.
        region: What the tracker answers with.

    Returns:
        Its report, and its runs, which :func:`mean_values` takes.
    """
    metric = _metric(year)
    sequence = _Sequence(dataset, number, tracker, region)
    samples = sequence.samples(metric.protocol == 'anchor')
    found = metric.average([samples])
    values = {name: found[name] for name in columns(year)}
    name = sequence.track.video_name
    return VideoReport(name, values, sequence.steps, sequence.seconds), samples


def mean_values(sequences: Sequence[Sequence[Mapping[str, Any]]], year: int) -> dict[str, float]:
    """Values of all sequences together.

    Args:
        sequences: The runs of each, of :func:`evaluate_sequence`.
        year: Year of the challenge.
    """
    metric = _metric(year)
    mean = metric.average(sequences)
    return {name: mean[name] for name in COLUMNS[metric.protocol] if name != _SPEED}


def _metric(year: int) -> VOTMetric:
    return VOTMetric(_protocol(year), year=year)


def _protocol(year: int) -> str:
    return 'anchor' if year >= _FIRST_ANCHORED else 'reset'


class _Sequence:
    """A sequence and the tracker that runs through it.

    Attributes:
        track: The sequence.
        steps: Steps of the tracker, of all runs.
        seconds: Time that they took.
    """

    def __init__(
        self, dataset: VOTDataset, number: int, tracker: OnePassTracker, region: str | None
    ) -> None:
        self.track: Track = dataset.get_track(number)
        self.steps, self.seconds = 0, 0.0
        self._tracker, self._region = tracker, region
        self._size = read_image_size(self.track.frames[0])
        self._gt_regions = dataset.read_regions(self.track)

    def samples(self, anchored: bool) -> list[dict[str, Any]]:
        """The runs of the protocol, as ``VOTMetric`` takes them."""
        runs = list(self._runs(anchored))
        name, length = self.track.video_name, len(self.track)
        return [run.to_sample(name, length, number, len(runs)) for number, run in enumerate(runs)]

    def _runs(self, anchored: bool) -> Iterator[VOTRun]:
        rest = self._start, self._step, partial(pixel_overlap, size=self._size)
        if not anchored:
            yield run_with_resets(self._gt_regions, *rest)
            return
        try:
            orders = anchor_frames(self.track.flags.get(_ANCHORS, np.zeros(len(self.track))))
        except ValueError as error:
            raise ValueError(f'sequence "{self.track.video_name}": {error}') from error
        for frames in orders:
            yield run_from_anchor(self._gt_regions, frames, *rest)

    def _start(self, frame: int) -> None:
        gt_region = self._gt_regions[frame]
        has_mask = isinstance(gt_region, MaskRegion)
        target = region_mask(gt_region, self._size) if has_mask else region_box(gt_region)
        self._tracker.init(read_image(self.track.frames[frame]), target)

    def _step(self, frame: int) -> Region:
        result, seconds = timed_step(self._tracker, self.track.frames[frame])
        self.seconds += seconds
        self.steps += 1
        kind = self._region or ('box' if result.mask is None else 'mask')
        if kind == 'mask' and result.mask is None:
            raise ValueError('the tracker gives boxes only: say region box')
        return result_region(result, kind)
