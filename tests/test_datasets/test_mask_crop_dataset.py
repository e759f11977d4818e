import numpy as np
import pytest
import torch

from mmpolar.datasets import BoxTrackDataset, CocoTrackDataset, DavisDataset, MaskCropDataset
from mmpolar.models.segmentors import MaskStage

SIZE = 64
PIPELINE = [
    dict(type='mmpolar.LoadViews'),
    dict(type='mmpolar.CropViews', size=SIZE),
    dict(type='mmpolar.CompositeViews'),
    dict(type='mmpolar.RecolorViews'),
    dict(type='mmpolar.SimulatePriors'),
    dict(type='mmpolar.PackViews'),
]


@pytest.fixture(scope='module')
def davis(shared_data, rectangle):
    one = [rectangle(30 - i, 20, 39, 25, 2, rectangle(3 + i, 4, 12, 9)) for i in range(6)]
    two = [rectangle(5 + i, 8, 30, 28) for i in range(5)]
    return DavisDataset(
        shared_data.davis({'one': one, 'two': two}), multi_object=True, serialize_data=False
    )


@pytest.fixture(scope='module')
def coco(shared_data):
    polygon = [10, 5, 30, 5, 30, 25, 10, 25]
    boxes = [dict(image_id=1 + i // 3, bbox=[10, 5, 20, 20]) for i in range(9)]
    return CocoTrackDataset(
        shared_data.coco([b | dict(segmentation=[polygon]) for b in boxes], 3), serialize_data=False
    )


@pytest.fixture
def groups(davis, coco):
    def make(**options):
        defaults = dict(samples_per_epoch=12, quotas=[0.5, 0.5], pipeline=PIPELINE)
        return MaskCropDataset([davis, coco], **(defaults | options))

    return make


def test_a_group_has_crops_and_maps_that_fit_the_mask_stage(groups):
    inputs = groups()[0]['inputs']
    shapes = {name: tuple(value.shape) for name, value in inputs.items()}
    assert shapes == dict(
        img=(3, 3, SIZE, SIZE),
        priors=(3, 2, SIZE // 2, SIZE // 2),
        reference_masks=(3, SIZE // 2, SIZE // 2),
        gt_masks=(3, SIZE // 2, SIZE // 2),
    )
    assert {value.dtype for value in inputs.values()} == {torch.uint8}


def test_a_group_depends_on_its_index_alone(groups):
    first, again = groups(), groups()
    again[5]
    for index in (0, 7, 12 + 3):
        for name, value in first[index]['inputs'].items():
            assert torch.equal(value, again[index]['inputs'][name])
    assert not torch.equal(first[0]['inputs']['img'], first[12]['inputs']['img'])


def test_epochs_walk_through_all_tracks(groups, davis, coco):
    seen = set()
    dataset = groups(pipeline=[])
    for index in range(2 * len(dataset)):
        group = dataset[index]
        assert len(group['views']) == 3
        seen.add(
            group['views'][0].img_path
            if hasattr(group['views'][0], 'img_path')
            else group['views'][0]['img_path']
        )
    assert len(seen) > 5


def test_masks_show_the_target_in_most_views(groups):
    dataset = groups(distractor_prob=0, cut_out_prob=0)
    masks = np.stack([dataset[index]['inputs']['gt_masks'].numpy() for index in range(24)])
    share = (masks > 127).mean((2, 3))
    # A target is 1 / 1.75 of the crop long, and its box is off by up to a third.
    assert ((share > 0.02) & (share < 0.8)).mean() > 0.85


def test_a_mask_stage_trains_on_a_batch(groups):
    dataset = groups()
    batch = torch.utils.data.default_collate([dataset[0], dataset[1]])
    backbone = dict(type='mmpolar.EfficientNetLite0', out_indices=(0, 1, 2, 4, 6), norm_eval=True)
    stage = MaskStage(backbone, params=dict(crop_size=SIZE))
    losses = stage(**stage.data_preprocessor(batch, True), mode='loss')
    assert set(losses) == {'loss_pixel', 'loss_dice', 'loss_boundary', 'loss_quality', 'iou'}
    assert all(value.isfinite() for value in losses.values())


def test_datasets_without_masks_are_refused(shared_data):
    boxes = BoxTrackDataset(shared_data.boxes({'u': ['3,4,10,12'] * 4, 'v': ['5,4,10,12'] * 4}))
    dataset = MaskCropDataset([boxes], samples_per_epoch=2, pipeline=PIPELINE)
    with pytest.raises(RuntimeError, match='trains on masks only'):
        dataset[0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(samples_per_epoch=0), 'samples_per_epoch must be at least 1'),
        (dict(num_views=2), 'num_views must be at least 3'),
        (dict(quotas=[1.0]), 'quotas must be 2 positive numbers'),
    ],
)
def test_bad_options_are_refused(groups, options, message):
    with pytest.raises(ValueError, match=message):
        groups(**options)
