"""Masks of several targets in one frame that do not overlap."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mmpolar.structures.combine_objects import combine_objects


def resolve_overlaps(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give each pixel to one target: of those that claim it, the one with the highest score.

    Args:
        samples: Data samples as dicts, one for each target of one frame, with
            ``pred_track_instances`` that have ``scores`` (1,) and ``masks`` (1, H, W).

    Returns:
        Samples with such masks; the given ones stay as they are. Without masks they are returned.
    """
    samples = [dict(sample) for sample in samples]
    found = [sample['pred_track_instances'] for sample in samples]
    if len(samples) < 2 or any('masks' not in instances for instances in found):
        return samples
    masks = torch.cat([torch.as_tensor(instances['masks']) for instances in found])
    scores = [float(instances['scores'][0]) for instances in found]
    combined = torch.from_numpy(combine_objects(masks.cpu().numpy(), scores))
    for number, (sample, instances) in enumerate(zip(samples, found, strict=True), start=1):
        sample['pred_track_instances'] = dict(instances, masks=(combined == number)[None])
    return samples
