"""What trackers reach on the labelled frames of a project."""

from collections.abc import Sequence
from typing import Any

from mmpolar.evaluation.functional import (
    boundary_f,
    box_iou,
    mean_of_known,
    region_similarity,
)
from mmpolar.structures.polar import mask_to_box
from mmpolar.studio.assistant import Assistant, follow
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project, anchors
from mmpolar.studio.store import ABSENT, MASK, Clip, Label


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
    tracks = [(clip, found) for clip in known for found in _tracks(project, clip)]
    state.total = sum(len(labels) for _, labels in tracks) * len(models)
    rows = []
    for model in models:
        engine = assistant.load(model)
        for clip in known:
            scores = [
                score
                for of_clip, labels in tracks
                if of_clip is clip
                for score in _score(project, clip, labels, engine, state)
            ]
            hand = [j for j, _, _, by_hand in scores if by_hand]
            boxes = [iou for _, _, iou, _ in scores if iou is not None]
            rows.append(
                dict(
                    clip=clip.name,
                    model=model,
                    frames=len(scores),
                    J=_mean([j for j, *_ in scores]),
                    F=_mean([f for _, f, *_ in scores]),
                    box=_mean(boxes),
                    hand_frames=len(hand),
                    J_hand=_mean(hand),
                )
            )
    return rows


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


def _score(project, clip, labels, engine, state):
    """J, F, IoU of the box, and whether a person has marked it, of each labelled frame after the first."""
    source, numbers = project.frames(clip.id), range(min(labels), max(labels) + 1)
    target = project.mask(clip, labels[numbers[0]])
    results = follow(engine, (source.read(number) for number in numbers), target)
    for number, result in zip(numbers, results, strict=True):
        if number not in labels:
            continue
        if number > numbers[0]:
            mask = project.mask(clip, labels[number])
            j, f = region_similarity(result.mask, mask), boundary_f(result.mask, mask)
            iou = (
                float(box_iou(result.box[None], mask_to_box(mask)[None])[0]) if mask.any() else None
            )
            yield j, f, iou, labels[number].hand
        state.step(number)


def _mean(values: Sequence[float]) -> float | None:
    return round(mean_of_known(values), 4) if values else None
