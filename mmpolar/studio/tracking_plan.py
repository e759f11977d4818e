"""Which frames are tracked from which anchor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmpolar.studio.project import anchors
from mmpolar.studio.store import Label

FORWARD, BACKWARD = 'forward', 'backward'
DIRECTIONS = (FORWARD, BACKWARD)


@dataclass(frozen=True)
class TrackRun:
    """Frames that are tracked from an anchor.

    Attributes:
        anchor: A person's label with a mask.
        frames: The frames, in the order in which they are tracked.
    """

    anchor: Label
    frames: range


def plan_runs(
    labels: Sequence[Label],
    n_frames: int,
    directions: Sequence[str] = DIRECTIONS,
    frame: int | None = None,
) -> list[TrackRun]:
    """The runs that bring a target up to date: each frame is tracked from the nearest anchor.

    A run whose frames all come from its anchor, as it is now, is left out, and so is one in which a
    person has labelled every frame.

    Args:
        labels: Current labels of the target.
        n_frames: Frames of the clip.
        directions: In which to track.
        frame: Track from the anchor nearest to this frame alone, whether it is needed or not.

    Returns:
        The runs, by the frames of their anchors.
    """
    known = {label.frame: label for label in labels}
    sources = anchors(labels)
    nearest = None
    if frame is not None and sources:
        nearest = min(sources, key=lambda label: (abs(label.frame - frame), label.frame))
    runs = []
    for run in _all_runs(sources, n_frames):
        direction = FORWARD if run.frames.step > 0 else BACKWARD
        stale = any(_is_stale(known.get(number), run.anchor) for number in run.frames)
        is_wanted = stale if nearest is None else run.anchor == nearest
        if run.frames and direction in directions and is_wanted:
            runs.append(run)
    return runs


def _all_runs(sources: Sequence[Label], n_frames: int) -> Iterator[TrackRun]:
    frames = [label.frame for label in sources]
    for index, anchor in enumerate(sources):
        # Of two anchors as near as each other the earlier one is taken.
        first = (frames[index - 1] + anchor.frame) // 2 + 1 if index else 0
        is_last = index + 1 == len(frames)
        last = n_frames - 1 if is_last else (anchor.frame + frames[index + 1]) // 2
        yield TrackRun(anchor, range(anchor.frame + 1, last + 1))
        yield TrackRun(anchor, range(anchor.frame - 1, first - 1, -1))


def _is_stale(label: Label | None, anchor: Label) -> bool:
    return label is None or (not label.hand and label.mark != anchor.mark)
