"""Frames as MMTracking's ``inference_sot`` hands them over: of floating point."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmpolar.registry import MODELS


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='Ocean',
            data_preprocessor=dict(type='TrackDataPreprocessor', mean=[127] * 3, std=[128] * 3),
            backbone=dict(type='EfficientNetLite0', out_indices=(2,)),
            neck=dict(type='AdjustNeck', in_channels=[40], out_channels=8, template_cells=8),
            head=dict(type='OceanHead', in_channels=8, feat_channels=8, num_convs=1),
            mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1),
        )
    ).eval()


def track(model, frames):
    """Predicted boxes (N, 4) and masks (N, H, W) of a video."""
    predictions = []
    for number, frame in enumerate(frames):
        sample = DetDataSample(metainfo=dict(frame_id=number))
        sample.gt_instances = InstanceData(bboxes=torch.tensor([[30.0, 20, 70, 60]]))
        batch = dict(inputs=dict(img=frame[None, None]), data_samples=[sample])
        predictions.append(model.test_step(batch)[0].pred_track_instances)
    return tuple(torch.cat([p[name] for p in predictions]) for name in ('bboxes', 'masks'))


def test_float_frames_are_tracked_as_the_same_frames_in_uint8(model):
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(256, (3, 3, 80, 100), generator=generator, dtype=torch.uint8)
    expected = track(model, frames)
    for got, reference in zip(track(model, frames.float()), expected, strict=True):
        assert torch.equal(got, reference)


@pytest.mark.parametrize(('low', 'high'), [(-1.5, 2.0), (0.0, 300.0), (0.0, float('nan'))])
def test_frames_of_another_range_are_refused(model, low, high):
    frame = torch.zeros(3, 80, 100)
    frame[0, 0, :2] = torch.tensor([low, high])
    with pytest.raises(ValueError, match=r'hand it over in 0\.\.255'):
        track(model, frame[None])
