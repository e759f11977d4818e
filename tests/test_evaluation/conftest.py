"""Data samples as a tracker returns them."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData


def instances(box, mask, size, with_masks):
    """One instance, or none where the box is None; masks only where asked for."""
    count = 0 if box is None else 1
    fields = dict(
        bboxes=torch.zeros(0, 4) if box is None else torch.tensor([box], dtype=torch.float32),
        labels=torch.zeros(count, dtype=torch.long),
    )
    if with_masks:
        empty = np.zeros((0, *size), np.uint8)
        fields['masks'] = empty if box is None else np.asarray(mask, np.uint8)[None]
    return fields


@pytest.fixture
def make_sample():
    """Factory of one answered frame; a box of None means absent or not found.

    Further arguments become meta information.
    """

    def make(
        video,
        frame,
        length,
        gt_box,
        box,
        gt_mask=None,
        mask=None,
        score=0.5,
        size=(60, 80),
        polygon=None,
        img_path=None,
        video_id=0,
        **meta,
    ):
        sample = DetDataSample()
        sample.set_metainfo(
            dict(
                video_name=video,
                video_id=video_id,
                frame_id=frame,
                video_length=length,
                ori_shape=size,
                img_path=img_path or f'{video}/{frame:05d}.jpg',
                **meta,
            )
        )
        gt = instances(gt_box, gt_mask, size, gt_mask is not None)
        if 'masks' in gt:
            gt['masks'] = BitmapMasks(gt['masks'], *size)
        sample.gt_instances = InstanceData(**gt)
        pred = instances(box, mask, size, mask is not None)
        if 'masks' in pred:
            pred['masks'] = torch.from_numpy(pred['masks']).bool()
        if box is not None:
            pred['scores'] = torch.tensor([score])
        if polygon is not None:
            pred['polygons'] = torch.tensor([polygon], dtype=torch.float32)
        sample.pred_track_instances = InstanceData(**pred)
        return sample

    return make
