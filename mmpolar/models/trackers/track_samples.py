"""Tracking as MMEngine's test loop asks for it: one frame a call, its targets as data samples."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from numpy.typing import NDArray

from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.state import TargetState
from mmpolar.tracking.tracker import Tracker

States = Mapping[Hashable, TargetState]


def track_samples(
    tracker: Tracker,
    frame: NDArray[np.uint8],
    samples: Sequence[DetDataSample],
    states: States,
) -> tuple[list[TrackResult], States]:
    """Find the targets of a frame's samples; start to track those whose first frame it is.

    Args:
        tracker: Finds them; the targets that it keeps itself are left alone.
        frame: Image, (H, W, 3) uint8 BGR.
        samples: A sample for each target, with ``video_id`` and ``frame_id``; where that is 0,
            ``gt_instances`` has its box.
        states: The targets of the frame before by ``video_id``.

    Returns:
        The results in the order of the samples, and the targets' states for the next frame. Targets
        without a sample are forgotten.

    Raises:
        RuntimeError: If the first frame of a target never came.
        ValueError: If the first frame has no target.
    """
    ids = [sample.get('video_id') for sample in samples]
    new = [index for index, sample in enumerate(samples) if sample.frame_id == 0]
    old = [index for index in range(len(samples)) if index not in new]
    missed = [samples[index].frame_id for index in old if ids[index] not in states]
    if missed:
        raise RuntimeError(
            f'frame {missed[0]} came, but not the first one of its track: test whole videos, '
            'frame by frame, with the sampler VideoSampler'
        )
    kept = [states[ids[index]] for index in old]
    results = dict(zip(old, tracker.find(frame, kept), strict=True)) if old else {}
    if new:
        begun, first = tracker.start(frame, [_given_box(samples[index]) for index in new])
        kept += begun
        results.update(zip(new, first, strict=True))
    after = dict(zip([ids[index] for index in old + new], kept, strict=True))
    return [results[index] for index in range(len(samples))], after


def to_instances(result: TrackResult) -> InstanceData:
    """A result as ``pred_track_instances`` has it: ``bboxes`` (1, 4), ``scores`` (1,), ...

    ``visible`` (1,) tells whether the target was found; if not, the box is its last one.
    """
    instances = InstanceData(
        bboxes=torch.from_numpy(result.box)[None],
        scores=torch.tensor([result.score]),
        labels=torch.zeros(1, dtype=torch.long),
        visible=torch.tensor([result.visible]),
    )
    if result.polygon is not None:
        instances.polygons = torch.from_numpy(result.polygon)[None]
    if result.mask is not None:
        instances.masks = torch.from_numpy(result.mask).bool()[None]
    return instances


def _given_box(sample: DetDataSample) -> NDArray[np.float32]:
    """Box (4,) of the target in its first frame."""
    boxes = sample.gt_instances.bboxes
    if len(boxes) == 0:
        raise ValueError(
            f'the target is not in the first frame {sample.get("img_path", "")}: check its '
            'annotation (an empty mask?)'
        )
    return boxes[0].cpu().numpy()
