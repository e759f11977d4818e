"""What trackers reach on the labelled frames of a project."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpolar.evaluation.video_score import VideoScore
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project, anchors
from mmpolar.studio.store import ABSENT, MASK, Clip, Label
from mmpolar.tracking import Tracker
from mmpolar.utils.tables import nan_to_none


def compare(
    project: Project,
    assistant: Assistant,
    models: Sequence[str],
    clips: Sequence[str],
    state: JobState,
) -> list[dict[str, Any]]:
    """Track the targets of clips with several trackers, each from its first mask by hand.

    Args:
        project: The project.
        assistant: Loads the trackers.
        models: Their names.
        clips: Names of labelled clips.
        state: Takes the progress.

    Returns:
        For each clip and tracker the means over the labelled frames after the first: ``J`` and ``F`` of all
        of them, ``box`` (IoU) of those with a mask, ``J_hand`` of those that a person has marked, and how
        many frames these are; None without.
    """
    known = [clip for clip in project.store.clips() if clip.name in clips]
    tracks = {clip: _tracks(project, clip) for clip in known}
    state.total = len(models) * sum(len(labels) for found in tracks.values() for labels in found)
    rows = []
    for model in models:
        tracker = Tracker(assistant.load(model))
        for clip, found in tracks.items():
            scored, by_hand = _score(project, clip, found, tracker, state)
            values = scored.values()
            rows.append(
                dict(
                    clip=clip.name,
                    model=model,
                    frames=len(scored),
                    J=values.get('J'),
                    F=values.get('F'),
                    box=values.get('iou'),
                    hand_frames=len(by_hand),
                    J_hand=by_hand.values().get('J'),
                )
            )
    return nan_to_none(rows)


def _tracks(project: Project, clip: Clip) -> list[dict[int, Label]]:
    """For each target its labels from the first mask by hand on, by frame."""
    tracks = []
    labels = project.store.labels(clip.id)
    for target in project.store.targets(clip.id):
        own = [one for one in labels if one.target == target.id and one.kind in (MASK, ABSENT)]
        first = anchors(own)[:1]
        known = {one.frame: one for one in own if first and one.frame >= first[0].frame}
        if len(known) > 1:
            tracks.append(known)
    return tracks


def _score(
    project: Project,
    clip: Clip,
    tracks: Sequence[dict[int, Label]],
    tracker: Tracker,
    state: JobState,
) -> tuple[VideoScore, VideoScore]:
    """Scores of the labelled frames after the first of each track, and of those labelled by hand."""
    source, whole = project.frames(clip.id), np.ones((clip.height, clip.width), np.uint8)
    scored, by_hand = VideoScore(whole), VideoScore(whole)  # no value of a first mask is used
    for labels in tracks:
        first, last = min(labels), max(labels)
        tracker.init(source.read(first), [project.mask(clip, labels[first])])
        state.step(first)
        for number in range(first + 1, last + 1):
            [result] = tracker.step(source.read(number))
            if number in labels:
                mask = project.mask(clip, labels[number])
                scored.add(result, mask)
                if labels[number].hand:
                    by_hand.add(result, mask)
                state.step(number)
    return scored, by_hand
