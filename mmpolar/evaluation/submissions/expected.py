"""What a benchmark expects, read from its dataset."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.track import Track


@dataclass(frozen=True)
class ExpectedObject:
    """One target of a sequence.

    Attributes:
        object_id: Value of the target in the sequence's masks; None where it is the only target.
        video_name: Name of its track.
        start: Number of the sequence's frame in which it is given.
        first_box: Its box there, (4,) float64 xyxy; None where only a mask tells.
    """

    object_id: int | None
    video_name: str
    start: int
    first_box: np.ndarray | None


@dataclass(frozen=True)
class ExpectedSequence:
    """One video, of which a benchmark wants results.

    Attributes:
        name: Name of the video.
        frames: Paths of its T images, from the first frame on in which an object is given.
        objects: Its targets.
        flags: What else the benchmark says about the frames, by name, arrays of shape (T,).
    """

    name: str
    frames: list[str]
    objects: list[ExpectedObject]
    flags: Mapping[str, np.ndarray]

    @cached_property
    def stems(self) -> list[str]:
        """Names of the images without folder and ending."""
        return [Path(path).stem for path in self.frames]


def expected_sequences(dataset: BaseTrackDataset) -> list[ExpectedSequence]:
    """The videos of a dataset with their targets.

    Args:
        dataset: The dataset; tracks of one sequence end in the same frame.

    Returns:
        The sequences, in the order of their first tracks.
    """
    return group_tracks(dataset.get_track(number) for number in range(dataset.num_videos))


def group_tracks(tracks: Iterable[Track]) -> list[ExpectedSequence]:
    """The videos that tracks belong to.

    Args:
        tracks: The tracks; of ``boxes`` the first is enough. Tracks of one sequence end in the same
            frame.

    Returns:
        The sequences, in the order of their first tracks.
    """
    tracks_of: dict[str, list[Track]] = {}
    for track in tracks:
        tracks_of.setdefault(track.sequence, []).append(track)
    return [_sequence(name, found) for name, found in tracks_of.items()]


def _sequence(name: str, tracks: list[Track]) -> ExpectedSequence:
    longest = max(tracks, key=lambda track: len(track.frames))
    objects = [
        ExpectedObject(
            object_id=track.object_id,
            video_name=track.video_name,
            start=len(longest.frames) - len(track.frames),
            first_box=None if track.boxes is None else track.boxes[0].astype(np.float64),
        )
        for track in tracks
    ]
    return ExpectedSequence(name, list(longest.frames), objects, longest.flags)
