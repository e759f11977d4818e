"""Data samples of the frames of a data set as a tracker would answer them."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmpolar.utils.image import read_image_size

#: Box (4,) xyxy or None, score, and mask (H, W) or None.
Answer = tuple[np.ndarray | None, float, np.ndarray | None]


def answered_videos(
    dataset, answer: Callable[[dict], Answer], seconds: Callable[[dict], float] | None = None
) -> Iterator[DetDataSample]:
    """Every frame of a data set with a tracker's answer.

    ``answer`` and ``seconds`` get what the data set's ``get_frame`` gives.
    """
    for track in range(dataset.num_videos):
        for number in range(dataset.get_len_per_video(track)):
            frame = dataset.get_frame(track, number)
            sample = DetDataSample(
                metainfo=frame | dict(ori_shape=read_image_size(frame['img_path']))
            )
            if frame['annotated'] and frame['instances'][0]['visible']:
                box = torch.from_numpy(frame['instances'][0]['bbox'])[None]
                sample.gt_instances = InstanceData(bboxes=box)
            sample.pred_track_instances = _instances(*answer(frame))
            if seconds is not None:
                sample.set_metainfo(dict(track_seconds=seconds(frame)))
            yield sample


def _instances(box, score, mask) -> InstanceData:
    if box is None:
        return InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    fields = dict(
        bboxes=torch.tensor(np.asarray(box, np.float32))[None], scores=torch.tensor([score])
    )
    if mask is not None:
        fields['masks'] = torch.from_numpy(np.asarray(mask, bool))[None]
    return InstanceData(**fields)
