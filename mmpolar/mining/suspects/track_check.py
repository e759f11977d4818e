"""Whether the tracker follows an alarm through its video: what persists is probably real."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.mining.suspects.video_window import VideoWindow, read_window
from mmpolar.structures.boxes import box_overlap
from mmpolar.tracking.tracker import Tracker
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.video import VideoReadError


@dataclass(frozen=True)
class TrackEvidence:
    """What tracking an alarm showed.

    Attributes:
        num_frames: Frames that were tracked, both ways together; 0 if there were too few.
        score: Mean score of the tracker in them.
        overlap: Of the alarm and where tracking there and back again ends, the smaller one of the
            two ways; 0 if the target was lost.
    """

    num_frames: int
    score: float
    overlap: float


@dataclass(frozen=True)
class TrackCheck:
    """Follows an alarm through its video with the tracker, forwards and backwards.

    An alarm is steady if the tracker finds it in all frames on both sides, and gets back to it from
    the last ones. Most of the background cannot be followed in this way. Objects can, those of
    other classes too: a steady alarm is an object, and a person says of which class.

    Attributes:
        model: Model folder of the tracker, or name of a packaged one.
        num_frames: Frames to each side, at least 2.
        stride: From one frame to the next, at least 1.
        min_score: Least mean score of the tracker.
        min_overlap: Least intersection over union of the alarm and where tracking there and back
            again ends.

    Raises:
        ValueError: If an option is out of its range.
    """

    model: str = 'ocean-polar_effnet-lite0-tiny_natural'
    num_frames: int = 6
    stride: int = 3
    min_score: float = 0.5
    min_overlap: float = 0.5

    def __post_init__(self) -> None:
        check_at_least(2, num_frames=self.num_frames)
        check_at_least(1, stride=self.stride)

    def is_steady(self, video: str, frame: int, box: ArrayLike, image: NDArray[np.uint8]) -> bool:
        """Whether an alarm is steady.

        Args:
            video: Path of the video.
            frame: Number of the frame with the alarm, from 0.
            box: The alarm, x1, y1, x2, y2 in pixels of ``image``.
            image: That frame, which may be smaller than the video's.

        Returns:
            False too where the video cannot be read or has too few frames on both sides.
        """
        try:
            window = read_window(video, frame, self.num_frames, self.stride, image)
        except (OSError, VideoReadError):
            return False
        return self.accepts(self.evidence(window, box))

    def accepts(self, evidence: TrackEvidence) -> bool:
        """Whether evidence is that of a steady alarm."""
        return (
            evidence.num_frames >= self.num_frames
            and evidence.score >= self.min_score
            and evidence.overlap >= self.min_overlap
        )

    def evidence(self, window: VideoWindow, box: ArrayLike) -> TrackEvidence:
        """Track an alarm both ways through the frames around it.

        Args:
            window: The frames, each of the size that the box refers to.
            box: The alarm in the middle one, x1, y1, x2, y2 in pixels.
        """
        box = np.asarray(box, np.float64)
        ways = [frames for frames in (window.after, window.before) if len(frames) >= 2]
        if not ways:
            return TrackEvidence(0, 0.0, 0.0)
        found = [self._one_way(window.frame, frames, box) for frames in ways]
        return TrackEvidence(
            num_frames=sum(map(len, ways)),
            score=float(np.mean([one.score for one in found])),
            overlap=min(one.overlap for one in found),
        )

    @cached_property
    def _tracker(self) -> Tracker:
        from mmpolar.runtime import OnnxEngine  # not needed to check options

        return Tracker(OnnxEngine(self.model))

    def _one_way(
        self, start: NDArray[np.uint8], frames: Sequence[NDArray[np.uint8]], box: NDArray
    ) -> TrackEvidence:
        """Track to the last of the frames, and back to the first."""
        tracker = self._tracker
        tracker.init(start, [box])
        scores = []
        for frame in frames:
            [result] = tracker.step(frame)
            scores.append(result.score)
            if result.lost:
                return TrackEvidence(len(frames), float(np.mean(scores)), 0.0)
        end = np.asarray(result.box, np.float64)
        back = tracker.init(frames[-1], [end])
        for frame in [*frames[-2::-1], start]:
            back = tracker.step(frame)
        overlap = 0.0 if back[0].lost else box_overlap(box, np.asarray(back[0].box, np.float64))
        return TrackEvidence(len(frames), float(np.mean(scores)), overlap)
