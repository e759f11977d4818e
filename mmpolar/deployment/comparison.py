"""Mean scores of a tracker of any kind on a dataset."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.functional import box_iou, region_similarity
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.image import read_image


@dataclass(frozen=True)
class MeanScores:
    """Means over the sequences of a dataset, first frames left out.

    Attributes:
        iou: Overlap of the boxes, in [0, 1].
        region: Region similarity J of the masks, in [0, 1]; None if the tracker draws none.
        sequences: Number of sequences.
    """

    iou: float
    region: float | None
    sequences: int


def evaluate(tracker: SingleTargetTracker, dataset: BaseTrackDataset) -> MeanScores:
    """Track every sequence from its first box and compare with the ground truth.

    Frames without the target do not count.

    Args:
        tracker: The tracker.
        dataset: Sequences with masks.
    """
    overlaps, regions = [], []
    for track_id in range(dataset.num_videos):
        pairs = list(_tracked_pairs(tracker, dataset, track_id))
        boxes = np.stack([result.box for result, _ in pairs])
        gt_boxes = np.stack([target.box for _, target in pairs])
        overlaps.append(box_iou(boxes, gt_boxes).mean())
        if pairs[0][0].mask is not None:
            values = [region_similarity(result.mask, target.mask) for result, target in pairs]
            regions.append(np.mean(values))
    region = float(np.mean(regions)) if regions else None
    return MeanScores(float(np.mean(overlaps)), region, len(overlaps))


def _tracked_pairs(
    tracker: SingleTargetTracker, dataset: BaseTrackDataset, track_id: int
) -> Iterator[tuple]:
    """Result and ground truth of each frame but the first that shows the target."""
    track = dataset.get_track(track_id)
    for number, path in enumerate(track.frames):
        frame = read_image(path)
        target = dataset.read_target(track, number)
        if number == 0:
            tracker.init(frame, target.box)
            continue
        result = tracker.step(frame)
        if target is not None:
            yield result, target
