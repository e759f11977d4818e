"""Accuracy, robustness and expected average overlap of the VOT challenge.

Two protocols, computed as VOT's toolkit (0.9) does:

- *reset-based*, 2013 to 2019 (Kristan et al., "The Visual Object Tracking VOT2015 Challenge
  Results", ICCVW 2015): a tracker that has lost its target starts again a few frames later;
- *anchor-based*, 2020 to 2022 (Kristan et al., "The Eighth Visual Object Tracking VOT2020 Challenge
  Results", ECCVW 2020): it starts once at each anchor and is never helped.

A run is given by its overlaps, (T,), one a frame in the order in which the tracker saw them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

#: First and last length over which the curve is averaged, from the stacks of VOT's toolkit.
EAO_INTERVALS = {
    2015: (108, 371),
    2016: (108, 371),
    2017: (100, 356),
    2018: (100, 356),
    2019: (46, 291),
    2020: (115, 755),
    2021: (115, 755),
    2022: (115, 755),
}
#: Benchmarks by name, each with its year.
VOT_BENCHMARKS = {f'vot{year}': year for year in EAO_INTERVALS}
#: Frames after a start whose overlap does not count for the accuracy (Kristan et al., TPAMI 2016).
BURN_IN = 10
#: Frames in the exponent of the reliability, from the stacks of VOT's toolkit.
SENSITIVITY = 30
#: VOT2020: a tracker has failed once its overlap is at most this ...
FAILURE_OVERLAP = 0.1
#: ... for this many consecutive frames.
GRACE = 10


class FrameState(IntEnum):
    """What happened in a frame of a reset-based run; the first three are the toolkit's codes."""

    SKIPPED = 0
    START = 1
    FAILURE = 2
    TRACKED = 3


@dataclass(frozen=True)
class ResetRun:
    """One reset-based run over a whole sequence.

    Attributes:
        overlaps: (T,) overlap with the ground truth; ignored where the frame was not tracked.
        states: (T,) a :class:`FrameState` each.
    """

    overlaps: np.ndarray
    states: np.ndarray

    def __post_init__(self) -> None:
        _check_lengths(overlaps=self.overlaps, states=self.states)
        if len(self.states) == 0 or self.states[0] != FrameState.START:
            raise ValueError('a reset-based run must begin with a START in its first frame')


@dataclass(frozen=True)
class AnchorRun:
    """One run from an anchor to the end or, backwards, to the beginning of a sequence.

    Attributes:
        overlaps: (T,) overlap with the ground truth; that of the first frame, where the tracker starts,
            is ignored.
        present: (T,) whether the target is in the frame; its absence is no failure.
    """

    overlaps: np.ndarray
    present: np.ndarray

    def __post_init__(self) -> None:
        _check_lengths(overlaps=self.overlaps, present=self.present)


@dataclass(frozen=True)
class ResetScores:
    """Metrics of the reset-based protocol.

    Attributes:
        accuracy: Mean overlap while tracking, burn-in left out; sequences weigh by length.
        robustness: Failures of a sequence, sequences weighing by length: the toolkit's metric.
        failures: Failures of all sequences together; several runs of a sequence are averaged.
        failures_per_100: Failures per 100 frames: the robustness that PySOT reports.
        reliability: exp(-30 * robustness / mean length), the axis of the toolkit's AR plot.
    """

    accuracy: float
    robustness: float
    failures: float
    failures_per_100: float
    reliability: float


@dataclass(frozen=True)
class AnchorScores:
    """Metrics of the anchor-based protocol.

    Attributes:
        accuracy: Mean overlap before the failure; sequences weigh by these frames.
        robustness: Share of the frames before the failure; sequences weigh by length.
    """

    accuracy: float
    robustness: float


def reset_scores(sequences: Sequence[Sequence[ResetRun]], burn_in: int = BURN_IN) -> ResetScores:
    """Accuracy and robustness of the reset-based protocol.

    Args:
        sequences: The runs of each sequence, one or more (the challenge repeats trackers that are
            not deterministic).
        burn_in: Frames after each start, itself included, that do not count for the accuracy.

    Returns:
        The metrics. A sequence without a frame that counts has accuracy 0, as in the toolkit.

    Raises:
        ValueError: If there is no sequence, or one has no run.
    """
    _check_sequences(sequences)
    lengths = np.array([len(runs[0].states) for runs in sequences], dtype=np.float64)
    accuracies = [np.mean([reset_accuracy(run, burn_in) for run in runs]) for runs in sequences]
    failures = [np.mean([count_failures(run) for run in runs]) for runs in sequences]
    total, frames = float(np.sum(failures)), float(lengths.sum())
    robustness = float(np.average(failures, weights=lengths))
    return ResetScores(
        accuracy=float(np.average(accuracies, weights=lengths)),
        robustness=robustness,
        failures=total,
        failures_per_100=100 * total / frames,
        reliability=float(np.exp(-SENSITIVITY * robustness / lengths.mean())),
    )


def reset_accuracy(run: ResetRun, burn_in: int = BURN_IN) -> float:
    """Mean overlap of the tracked frames of a run that are not within a burn-in; 0 without any."""
    counted = run.states == FrameState.TRACKED
    for start in np.flatnonzero(run.states == FrameState.START):
        counted[start : start + burn_in] = False
    return float(run.overlaps[counted].mean()) if counted.any() else 0.0


def count_failures(run: ResetRun) -> int:
    """Failures of a run."""
    return int(np.count_nonzero(run.states == FrameState.FAILURE))


def reset_eao_curve(sequences: Sequence[Sequence[ResetRun]]) -> np.ndarray:
    """Expected average overlap against the number of tracked frames, reset-based protocol.

    Each run falls into fragments, from a start to the failure or the end of the sequence. A
    fragment that ends in a failure goes on with overlap 0 for ever; one that ends with its sequence
    says nothing about longer ones. All fragments weigh the same.

    Args:
        sequences: The runs of each sequence.

    Returns:
        (L,) float64; entry j is the mean over the fragments of their mean overlap in the j frames
        after the start, entry 0 is 0. L is the length of the longest fragment.

    Raises:
        ValueError: If there is no sequence, or one has no run.
    """
    _check_sequences(sequences)
    parts = [part for runs in sequences for run in runs for part in _fragments(run)]
    length = max(len(overlaps) for overlaps, _ in parts)
    sums, known = np.zeros(length), np.zeros(length)
    steps = np.maximum(np.arange(length), 1)
    for overlaps, failed in parts:
        padded = np.zeros(length)
        padded[1 : len(overlaps)] = overlaps[1:]
        reach = length if failed else len(overlaps)
        sums[:reach] += (np.cumsum(padded) / steps)[:reach]
        known[:reach] += 1
    return sums / known


def anchor_scores(
    sequences: Sequence[Sequence[AnchorRun]],
    lengths: Sequence[int],
    threshold: float = FAILURE_OVERLAP,
    grace: int = GRACE,
) -> AnchorScores:
    """Accuracy and robustness of the anchor-based protocol.

    Args:
        sequences: The runs of each sequence, one an anchor.
        lengths: Number of frames of each sequence.
        threshold: See :func:`anchor_progress`.
        grace: See :func:`anchor_progress`.

    Returns:
        The metrics. Where no frame is tracked the accuracy is 0.

    Raises:
        ValueError: If there is no sequence, one has no run, or a length lacks.
    """
    _check_sequences(sequences)
    if len(lengths) != len(sequences):
        raise ValueError(f'{len(sequences)} sequences but {len(lengths)} lengths; give one each')
    overlap, tracked, shares = 0.0, 0, []
    for runs in sequences:
        progress = [anchor_progress(run, threshold, grace) for run in runs]
        for run, frames in zip(runs, progress, strict=True):
            overlap += float(_without_start(run)[:frames].sum())
        tracked += sum(progress)
        shares.append(sum(progress) / sum(len(run.overlaps) for run in runs))
    accuracy = overlap / tracked if tracked else 0.0
    return AnchorScores(accuracy, float(np.average(shares, weights=lengths)))


def anchor_progress(run: AnchorRun, threshold: float = FAILURE_OVERLAP, grace: int = GRACE) -> int:
    """Frames of a run before the tracker failed for good.

    As in the toolkit the first frame, which has no prediction, counts as one of the failed frames
    if those after it fail.

    Args:
        run: The run.
        threshold: A frame in which the target is present fails unless its overlap is above this.
        grace: Number of consecutive failed frames that are a failure.

    Returns:
        Number of the frame that starts the failure; the length of the run if there is none.
    """
    failed = (_without_start(run) <= threshold) & run.present
    ends = np.flatnonzero(
        np.convolve(failed, np.ones(grace, dtype=np.int64))[: len(failed)] == grace
    )
    return int(ends[0]) + 1 - grace if ends.size else len(failed)


def anchor_eao_curve(
    sequences: Sequence[Sequence[AnchorRun]],
    length: int = EAO_INTERVALS[2020][1],
    threshold: float = FAILURE_OVERLAP,
    grace: int = GRACE,
) -> np.ndarray:
    """Expected average overlap against the number of tracked frames, anchor-based protocol.

    From the failure on a run has overlap 0, also beyond its end; a run without a failure says
    nothing about what comes after its end.

    Args:
        sequences: The runs of each sequence. Every run weighs the same.
        length: Length of the curve.
        threshold: See :func:`anchor_progress`.
        grace: See :func:`anchor_progress`.

    Returns:
        (length,) float64; entry j is the mean over the runs of their mean overlap in the j frames
        after the start, 0 where no run is so long.

    Raises:
        ValueError: If there is no sequence, or one has no run.
    """
    _check_sequences(sequences)
    steps = np.arange(length)
    sums, known = np.zeros(length), np.zeros(length)
    for run in (run for runs in sequences for run in runs):
        frames, progress = len(run.overlaps), anchor_progress(run, threshold, grace)
        totals = np.cumsum(np.where(np.arange(frames) < progress, _without_start(run), 0))
        inside = (steps >= 1) & (steps < frames)
        sums[inside] += totals[steps[inside]] / steps[inside]
        known += inside
        if progress < frames:
            # The toolkit divides by one frame less beyond the end of the run.
            beyond = (steps >= 1) & (steps >= frames)
            sums[beyond] += totals[-1] / np.maximum(steps[beyond] - 1, 1)
            known += beyond
    return np.divide(sums, known, out=np.zeros(length), where=known > 0)


def eao_score(curve: np.ndarray, interval: tuple[int, int]) -> float:
    """Expected average overlap: the mean of the curve over an interval of lengths.

    Args:
        curve: Of :func:`reset_eao_curve` or :func:`anchor_eao_curve`.
        interval: First and last length; see :data:`EAO_INTERVALS`.

    Returns:
        The score in [0, 1]. What lies beyond the end of the curve is left out; NaN if that is all.
    """
    low, high = interval
    part = curve[low : high + 1]
    return float(part.mean()) if part.size else float('nan')


def eao_interval(protocol: Literal['reset', 'anchor'], year: int) -> tuple[int, int]:
    """Interval of a challenge.

    Raises:
        ValueError: If the protocol was not that of the year, or the year is not known.
    """
    years = [y for y in EAO_INTERVALS if (y >= 2020) == (protocol == 'anchor')]
    if year not in years:
        raise ValueError(
            f'year of the {protocol}-based protocol must be one of {years}, got {year}'
        )
    return EAO_INTERVALS[year]


def _fragments(run: ResetRun) -> list[tuple[np.ndarray, bool]]:
    """Overlaps from each start on, and whether they end in a failure."""
    starts = np.flatnonzero(run.states == FrameState.START)
    failures = np.flatnonzero(run.states == FrameState.FAILURE)
    ends = np.append(failures, len(run.states))
    return [
        (run.overlaps[start : ends[number]], number < len(failures))
        for number, start in enumerate(starts)
    ]


def _without_start(run: AnchorRun) -> np.ndarray:
    return np.where(np.arange(len(run.overlaps)) == 0, 0.0, run.overlaps)


def _check_lengths(**arrays: np.ndarray) -> None:
    shapes = {name: np.shape(values) for name, values in arrays.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1:
        raise ValueError(f'a run needs one value a frame of each, got the shapes {shapes}')


def _check_sequences(sequences: Sequence[Sequence]) -> None:
    if not sequences or not all(sequences):
        raise ValueError('there must be at least one sequence, and at least one run of each')
