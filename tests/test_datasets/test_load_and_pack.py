from dataclasses import replace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.runner import Runner

from mmpolar.datasets import DavisDataset, TrackPairDataset
from mmpolar.datasets.transforms import (
    CropPair,
    LoadPairImages,
    LoadTrackFrame,
    PackPairInputs,
    PackTrackInputs,
)
from mmpolar.utils.image import ImageReadError, read_image


@pytest.fixture
def davis_root(data, rectangle):
    masks = [rectangle(i, 2, i + 9, 11) for i in range(3)] + [np.zeros((40, 60))]
    return data.davis({'a': masks, 'b': masks})


@pytest.fixture
def pair(davis_root):
    dataset = TrackPairDataset([DavisDataset(davis_root)], 10, negative_prob=0)
    return dataset.get_pair(0)


def test_load_pair_images_adds_uint8_images(pair):
    results = LoadPairImages()(pair)
    for key in ('template', 'search'):
        view = results[key]
        np.testing.assert_array_equal(view.img, read_image(view.img_path))
        assert (view.img.shape, view.img.dtype) == ((40, 60, 3), np.uint8)
    assert results['template'].img is not results['search'].img


def test_load_pair_images_decodes_a_shared_image_once(pair):
    pair['search'] = replace(pair['template'])
    results = LoadPairImages()(pair)
    assert results['template'].img is results['search'].img


@pytest.mark.parametrize('key', ['template', 'search'])
def test_load_pair_images_names_a_mask_of_another_size(pair, key):
    pair[key].mask = np.ones((20, 30), np.uint8)
    name = pair[key].img_path.rsplit('/', 1)[-1]
    with pytest.raises(ValueError, match=f'{name} is 60 x 40 px but its mask is 30 x 20 px'):
        LoadPairImages()(pair)


@pytest.mark.parametrize('key', ['template', 'search'])
def test_load_pair_images_names_an_unreadable_file(pair, key):
    with open(pair[key].img_path, 'wb') as file:
        file.write(b'\xff\xd8 no image')
    name = pair[key].img_path.rsplit('/', 1)[-1]
    with pytest.raises(ImageReadError, match=name):
        LoadPairImages()(pair)


def test_pack_pair_inputs(pair):
    polar = dict(
        radii=np.full((36, 25, 25), 2, np.float32),
        positive=np.eye(25, dtype=bool),
        centerness=np.zeros((25, 25), np.float32),
    )
    loaded = LoadPairImages()(pair)
    packed = PackPairInputs()(loaded | dict(polar=polar))
    assert set(packed) == {'inputs', 'data_samples'}
    for name, key in (('img', 'template'), ('search_img', 'search')):
        tensor, img = packed['inputs'][name], loaded[key].img
        assert (tensor.shape, tensor.dtype) == ((1, 3, 40, 60), torch.uint8)
        assert tensor.data_ptr() == img.ctypes.data
        np.testing.assert_array_equal(tensor[0].permute(1, 2, 0).numpy(), img)
    sample = packed['data_samples']
    assert isinstance(sample, DetDataSample)
    for name, key in (('gt_instances', 'template'), ('search_gt_instances', 'search')):
        instances = sample.get(name)
        np.testing.assert_array_equal(instances.bboxes.numpy(), loaded[key].box[None])
        assert instances.bboxes.dtype == torch.float32
        assert instances.labels.tolist() == [1]
        assert instances.labels.dtype == torch.int64
        assert isinstance(instances.masks, BitmapMasks)
        np.testing.assert_array_equal(instances.masks.masks[0], loaded[key].mask)
    for name, value in polar.items():
        np.testing.assert_array_equal(sample.polar_targets.get(name).numpy(), value)
    assert sample.polar_targets.positive.dtype == torch.bool
    assert sample.metainfo == dict(
        img_path=pair['template'].img_path,
        search_img_path=pair['search'].img_path,
        dataset_name='davis',
        sample_idx=0,
    )


def test_pack_pair_inputs_tells_where_the_search_crop_lies_in_its_frame(pair):
    cropped = CropPair()(LoadPairImages()(pair))
    sample = PackPairInputs()(cropped)['data_samples']
    np.testing.assert_array_equal(sample.search_matrix, cropped['search'].matrix)


def test_pack_pair_inputs_of_a_negative_without_masks(pair):
    pair['label'] = 0
    pair['template'].mask = pair['search'].mask = None
    sample = PackPairInputs()(LoadPairImages()(pair))['data_samples']
    assert sample.gt_instances.labels.tolist() == [1]
    assert sample.search_gt_instances.labels.tolist() == [0]
    assert 'masks' not in sample.gt_instances
    assert 'masks' not in sample.search_gt_instances
    assert 'polar_targets' not in sample


@pytest.fixture
def frames(davis_root):
    return DavisDataset(davis_root, test_mode=True)


def test_track_frame_is_a_view_of_the_image(frames):
    loaded = LoadTrackFrame()(frames[0])
    tensor = PackTrackInputs()(loaded)['inputs']['img']
    assert (tensor.shape, tensor.dtype) == ((1, 3, 40, 60), torch.uint8)
    assert tensor.data_ptr() == loaded['img'].ctypes.data
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    loaded['img'][3, 4] = (1, 2, 3)
    assert tensor[0, :, 3, 4].tolist() == [1, 2, 3]


def test_track_frame_sample(frames):
    loaded = LoadTrackFrame()(frames[(1, 2)])
    sample = PackTrackInputs()(loaded)['data_samples']
    np.testing.assert_array_equal(sample.gt_instances.bboxes.numpy(), [[1.5, 1.5, 11.5, 11.5]])
    assert sample.gt_instances.labels.tolist() == [0]
    assert sample.gt_instances.masks.masks.sum() == 100
    assert sample.img_path.endswith('b/00002.jpg')
    assert sample.ori_shape == sample.img_shape == (40, 60)
    meta = (sample.frame_id, sample.video_id, sample.video_length, sample.video_name)
    assert meta == (2, 1, 4, 'b')
    assert sample.instances[0]['visible'] is True
    assert 'gt_instances' in sample.to_dict()


def test_track_frame_without_the_target_has_no_instance(frames):
    sample = PackTrackInputs()(LoadTrackFrame()(frames[(0, 3)]))['data_samples']
    assert len(sample.gt_instances) == 0
    assert sample.gt_instances.bboxes.shape == (0, 4)
    assert sample.instances[0]['visible'] is False


def test_load_track_frame_names_mask_of_another_size(frames, data):
    results = frames[0]
    data.image('davis/JPEGImages/480p/a/00000.jpg', (20, 30))
    with pytest.raises(ValueError, match=r'00000\.jpg is 30 x 20 px but its mask is 60 x 40 px'):
        LoadTrackFrame()(results)


def test_runner_loader_gives_the_same_batches_with_and_without_workers(davis_root):
    def load(num_workers):
        pipeline = [
            dict(type='LoadPairImages'),
            dict(type='CropPair', flip_prob=0.5),
            dict(type='PairPhotometric'),
            dict(type='GeneratePolarTarget'),
            dict(type='PackPairInputs'),
        ]
        dataset = dict(
            type='mmpolar.TrackPairDataset',
            datasets=[dict(type='DavisDataset', data_root=str(davis_root))],
            samples_per_epoch=8,
            pipeline=pipeline,
        )
        cfg = dict(
            dataset=dataset,
            sampler=dict(type='mmpolar.EpochPairSampler'),
            batch_size=4,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
        )
        loader = Runner.build_dataloader(cfg, seed=0)
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            yield from loader

    alone, in_workers = list(load(0)), list(load(2))
    assert len(alone) == len(in_workers) == 4
    for one, other in zip(alone, in_workers, strict=True):
        for name, size in (('img', 127), ('search_img', 255)):
            assert one['inputs'][name][0].shape == (1, 3, size, size)
            assert torch.equal(torch.stack(one['inputs'][name]), torch.stack(other['inputs'][name]))
        for a, b in zip(one['data_samples'], other['data_samples'], strict=True):
            assert a.metainfo == b.metainfo
            assert (
                ('polar_targets' in a)
                == ('polar_targets' in b)
                == bool(a.search_gt_instances.labels.item())
            )
            if 'polar_targets' in a:
                assert torch.equal(a.polar_targets.radii, b.polar_targets.radii)
    indices = [sample.sample_idx for batch in alone for sample in batch['data_samples']]
    assert sorted(indices) == list(range(16))
