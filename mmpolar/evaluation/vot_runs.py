"""Running a tracker as the protocols of the VOT challenge want it, whatever the tracker is.

A tracker is two functions of the number of a frame: ``start(frame)`` takes on the target whose ground truth
is that frame's, ``step(frame)`` returns the target's region in the frame.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmpolar.evaluation.functional.vot_overlap import pixel_overlap
from mmpolar.evaluation.functional.vot_scores import FrameState
from mmpolar.structures.vot_region import MaskRegion, Rectangle, Region, Special
from mmpolar.utils.deprecation import renamed_keywords

Start = Callable[[int], Any]
Step = Callable[[int], Region]
Overlap = Callable[[Region, Region], float]

#: A tracker that has failed starts again so many frames after the failure (VOT2013 to VOT2019).
SKIPPED_AFTER_FAILURE = 5


@dataclass
class VOTRun:
    """What a tracker did in one run.

    Attributes:
        frames: (T,) numbers of the frames, in the order in which the tracker saw them.
        states: (T,) a :class:`FrameState` each.
        regions: T answers; None where the tracker was started or did not run.
        overlaps: (T,) overlap with the ground truth, 0 where there is no answer.
        present: (T,) whether the target is in the frame.
        seconds: (T,) measured time of the tracker in each frame, NaN where it did not run.
    """

    frames: np.ndarray
    states: np.ndarray = field(init=False)
    regions: list[Region | None] = field(init=False)
    overlaps: np.ndarray = field(init=False)
    present: np.ndarray = field(init=False)
    seconds: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.frames)
        self.states = np.full(count, FrameState.SKIPPED, dtype=np.int8)
        self.regions = [None] * count
        self.overlaps = np.zeros(count)
        self.present = np.zeros(count, dtype=bool)
        self.seconds = np.full(count, np.nan)

    def to_sample(self, video_name: str, video_length: int, run: int, num_runs: int) -> dict:
        """What ``VOTMetric`` takes in: plain values without the regions.

        Args:
            video_name: Name of the sequence, unique in its dataset.
            video_length: Frames of the sequence.
            run: Number of this run among those of the sequence, from 0.
            num_runs: How many runs the sequence has.

        Returns:
            The sample.
        """
        return dict(
            video_name=video_name,
            video_length=video_length,
            run=run,
            num_runs=num_runs,
            states=self.states.tolist(),
            overlaps=self.overlaps.tolist(),
            present=self.present.tolist(),
            seconds=self.seconds.tolist(),
        )


@renamed_keywords(truth='gt_regions')
def run_with_resets(
    gt_regions: Sequence[Region],
    start: Start,
    step: Step,
    overlap: Overlap = pixel_overlap,
    skip: int = SKIPPED_AFTER_FAILURE,
) -> VOTRun:
    """Run through a sequence; start again after each failure.

    A tracker has failed in a frame in which its region does not overlap the ground truth. It is started
    again ``skip`` frames later.

    Args:
        gt_regions: True region of each frame.
        start: Starts the tracker in a frame.
        step: Answers a frame.
        overlap: Overlap of an answer with the ground truth; bind the size of the frames, as with
            ``functools.partial(pixel_overlap, size=(height, width))``.
        skip: From a failure to the next start, at least 1.

    Returns:
        The run, over all frames.

    Raises:
        ValueError: If ``skip`` is below 1.
    """
    if skip < 1:
        raise ValueError(f'a tracker can start again 1 frame after a failure at least, got {skip}')
    run = VOTRun(np.arange(len(gt_regions)))
    frame, tracking = 0, False
    while frame < len(gt_regions):
        if tracking:
            _answer(run, frame, gt_regions[frame], step, overlap)
            tracking = run.overlaps[frame] > 0
            run.states[frame] = FrameState.TRACKED if tracking else FrameState.FAILURE
            frame += 1 if tracking else skip
        else:
            _begin(run, frame, start)
            frame, tracking = frame + 1, True
    run.present[:] = [not is_empty(region) for region in gt_regions]
    return run


@renamed_keywords(truth='gt_regions')
def run_from_anchor(
    gt_regions: Sequence[Region],
    frames: Sequence[int] | np.ndarray,
    start: Start,
    step: Step,
    overlap: Overlap = pixel_overlap,
) -> VOTRun:
    """Run from an anchor without help.

    Args:
        gt_regions: True region of each frame of the sequence.
        frames: The frames to go through, of :func:`anchor_frames`.
        start: Starts the tracker in a frame.
        step: Answers a frame.
        overlap: See :func:`run_with_resets`.

    Returns:
        The run, over ``frames``.
    """
    run = VOTRun(np.asarray(frames))
    for index, frame in enumerate(run.frames.tolist()):
        if index == 0:
            _begin(run, index, start)
            continue
        _answer(run, index, gt_regions[frame], step, overlap)
        run.states[index] = FrameState.TRACKED
    run.present[:] = [not is_empty(gt_regions[frame]) for frame in run.frames]
    return run


def anchor_frames(anchors: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """The runs of a sequence in the anchor-based protocol.

    Args:
        anchors: Value of each frame, as in ``anchor.value`` of VOT2020 to VOT2022: above 0 for an
            anchor from which the tracker runs to the last frame, below 0 for one from which it runs
            back to the first, 0 for no anchor.

    Returns:
        Frame numbers of each run, forward runs first, as the toolkit orders them.

    Raises:
        ValueError: If there is no anchor.
    """
    anchors = np.asarray(anchors)
    forward, backward = np.flatnonzero(anchors > 0), np.flatnonzero(anchors < 0)
    if len(forward) + len(backward) == 0:
        raise ValueError(
            f'none of {len(anchors)} frames is an anchor; the anchor-based protocol needs the file '
            'anchor.value of VOT2020 to VOT2022'
        )
    runs = [np.arange(anchor, len(anchors)) for anchor in forward]
    return runs + [np.arange(anchor, -1, -1) for anchor in backward]


def is_empty(region: Region) -> bool:
    """Whether a true region holds no target."""
    if isinstance(region, Special):
        return True
    if isinstance(region, MaskRegion):
        return not region.mask.any()
    if isinstance(region, Rectangle):
        return not (region.width > 0 and region.height > 0)
    return not (np.ptp(region.points, axis=0) > 0).all()


def _begin(run: VOTRun, index: int, start: Start) -> None:
    begin = time.perf_counter()
    start(int(run.frames[index]))
    run.seconds[index] = time.perf_counter() - begin
    run.states[index] = FrameState.START


def _answer(run: VOTRun, index: int, gt_region: Region, step: Step, overlap: Overlap) -> None:
    begin = time.perf_counter()
    region = step(int(run.frames[index]))
    run.seconds[index] = time.perf_counter() - begin
    run.regions[index] = region
    run.overlaps[index] = overlap(region, gt_region)
