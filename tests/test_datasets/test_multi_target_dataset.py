"""Videos with all of their targets at once, on miniatures of the official folders."""

import benchmark_folders as folders
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmpolar.datasets import DavisDataset, MultiTargetDataset, YouTubeVOSDataset
from mmpolar.datasets.samplers import VideoSampler
from mmpolar.registry import DATASETS, MODELS

PIPELINE = [dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')]


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    """A video of two objects and one of a single object."""
    root = tmp_path_factory.mktemp('davis')
    both = [folders.filled(3, 4, 12, 11, 1, folders.filled(20, 8, 30, 20, 2)) for _ in range(3)]
    return folders.write_davis(root, dict(boxers=both, camel=[folders.filled(3, 4, 9, 9)] * 2))


@pytest.fixture(scope='module')
def youtube_vos(tmp_path_factory):
    """A video whose second object appears in the second of its three frames."""
    root = tmp_path_factory.mktemp('youtube_vos')
    first = folders.filled(3, 4, 12, 11)
    second = folders.filled(20, 8, 30, 20, 2)
    masks = {'00000': first, '00005': second}
    objects = {'1': ['00000', '00005', '00010'], '2': ['00005', '00010']}
    return folders.write_youtube_vos(root, 'valid', dict(dogs=masks), dict(dogs=objects))


def objects_of(data, **options):
    options = dict(test_mode=True, pipeline=PIPELINE) | options
    return DavisDataset(str(data), multi_object=True, **options)


def plain(sample):
    """Meta information that can be compared."""
    return {key: value for key, value in sample.metainfo.items() if key != 'instances'}


def test_a_frame_brings_all_targets(davis):
    dataset = MultiTargetDataset(objects_of(davis))
    assert (dataset.num_videos, len(dataset)) == (2, 5)
    frame = dataset[0, 1]
    assert frame['inputs']['img'].shape == (1, 3, folders.HEIGHT, folders.WIDTH)
    assert [sample.video_name for sample in frame['data_samples']] == ['boxers-1', 'boxers-2']
    assert [sample.frame_id for sample in frame['data_samples']] == [1, 1]
    assert len(dataset[1, 0]['data_samples']) == 1


def test_samples_are_those_of_the_dataset_within(davis):
    within = objects_of(davis)
    dataset = MultiTargetDataset(within)
    together = [
        sample for index in range(len(dataset)) for sample in dataset[index]['data_samples']
    ]
    alone = [within[index] for index in range(len(within))]
    assert len(together) == len(alone) == 8
    order = {(one['data_samples'].video_id, one['data_samples'].frame_id): one for one in alone}
    for sample in together:
        expected = order[sample.video_id, sample.frame_id]['data_samples']
        assert plain(sample) == plain(expected)
        truth, other = sample.gt_instances, expected.gt_instances
        np.testing.assert_array_equal(truth.bboxes, other.bboxes)
        np.testing.assert_array_equal(truth.masks.masks, other.masks.masks)
    image = dataset[0]['inputs']['img']
    np.testing.assert_array_equal(image, alone[0]['inputs']['img'])


def test_targets_that_appear_late_begin_there(youtube_vos):
    within = YouTubeVOSDataset(str(youtube_vos), split='valid', test_mode=True, pipeline=PIPELINE)
    dataset = MultiTargetDataset(within)
    seen = [
        [(sample.object_id, sample.frame_id) for sample in dataset[0, frame]['data_samples']]
        for frame in range(3)
    ]
    assert seen == [[(1, 0)], [(1, 1), (2, 0)], [(1, 2), (2, 1)]]


def test_it_builds_from_a_config_and_knows_the_sampler(davis):
    within = dict(
        type='DavisDataset',
        data_root=str(davis),
        multi_object=True,
        test_mode=True,
        pipeline=PIPELINE,
    )
    dataset = DATASETS.build(dict(type='MultiTargetDataset', dataset=within))
    assert list(VideoSampler(dataset)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert dataset.metainfo == dict(classes=('target',))


def test_the_data_preprocessor_takes_all_samples_of_a_frame(davis):
    dataset = MultiTargetDataset(objects_of(davis))
    batch = pseudo_collate([dataset[0, 0]])
    data = MODELS.build(dict(type='TrackDataPreprocessor'))(batch)
    assert data['inputs']['img'].shape == (1, 1, 3, folders.HEIGHT, folders.WIDTH)
    assert data['inputs']['img'].dtype == torch.uint8
    assert [sample.object_id for sample in data['data_samples']] == [1, 2]


@pytest.mark.parametrize('index', [5, -1, (0, 3), (2, 0), (0, -1)])
def test_frames_that_do_not_exist_are_refused(davis, index):
    with pytest.raises(IndexError, match='no frame'):
        MultiTargetDataset(objects_of(davis))[index]


def test_training_data_are_refused(davis):
    with pytest.raises(ValueError, match='test_mode=True'):
        MultiTargetDataset(objects_of(davis, test_mode=False))


def test_tracks_must_end_together(davis):
    dataset = objects_of(davis, serialize_data=False)
    dataset.full_init()
    track = dataset.data_list[1]
    track.frames = track.frames[:-1]
    with pytest.raises(ValueError, match='"boxers" end in different frames'):
        MultiTargetDataset(dataset)
