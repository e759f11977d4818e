"""Results of trackers that were never run, as ``tools/test.py --out`` would have written them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.metrics import DumpTrackResults
from mmpolar.structures.target import Target

#: Box, mask and score that a tracker answers to a target in a frame; None for nothing found.
Answer = Callable[[int, Target | None], tuple | None]


def store_results(
    dataset: BaseTrackDataset, folder: Path, answer: Answer, tracks: list[int] | None = None
) -> Path:
    """Write a folder of results; ``answer`` gets the number of a frame and its target."""
    dump = DumpTrackResults(str(folder))
    for track in range(dataset.num_videos) if tracks is None else tracks:
        for index in range(dataset.get_len_per_video(track)):
            frame = dataset.get_frame(track, index)
            target = dataset.load_target(track, index)
            sample = {key: frame[key] for key in ('frame_id', 'video_id', 'video_length')}
            sample |= dict(video_name=frame['video_name'], img_path=frame['img_path'])
            if target is not None and target.mask is not None:
                sample['ori_shape'] = target.mask.shape
            sample['pred_track_instances'] = _instances(answer(index, target))
            dump.process(None, [sample])
    dump.evaluate(0)
    return folder


def shifted(pixels: float, masks: bool = True, lost_after: int | None = None) -> Answer:
    """Truth that is shifted to the right, with an upright outline; lost from some frame on."""

    def answer(index: int, target: Target | None) -> tuple | None:
        if target is None or (lost_after is not None and index > lost_after):
            return None
        box = target.box + np.float32([pixels, 0, pixels, 0])
        if not masks or target.mask is None:
            return box, None, 0.5
        return box, np.roll(target.mask, int(pixels), axis=1), 0.5

    return answer


def _instances(answer: tuple | None) -> dict:
    if answer is None:
        return dict(bboxes=torch.zeros(0, 4))
    box, mask, score = answer
    found = dict(bboxes=torch.tensor(box)[None], scores=torch.tensor([score]))
    if mask is not None:
        x1, y1, x2, y2 = box
        found['masks'] = torch.from_numpy(mask.astype(bool))[None]
        found['polygons'] = torch.tensor([[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]])
    return found
