"""What holds for the dataset of every benchmark."""

import numpy as np
import pytest
import torch
from benchmark_folders import (
    as_rows,
    filled,
    moving_boxes,
    write_davis,
    write_got10k,
    write_lasot,
    write_otb,
    write_segtrack_v2,
    write_trackingnet,
    write_uav123,
    write_vid,
    write_vot,
    write_youtube_vos,
)

from mmpolar.datasets import TrackPairDataset
from mmpolar.registry import DATASETS
from mmpolar.structures.vot_region import format_region, mask_to_region

MASKS = [filled(i, 2, i + 9, 11) for i in range(5)]
TWO = [filled(20, 12 + i, 29, 21 + i, value=2, base=mask) for i, mask in enumerate(MASKS)]
ROWS = as_rows(moving_boxes(5))
VID = [{0: (i, 3, i + 9, 12), 1: (20, i, 30, i + 9)} for i in range(5)]
FRAMES = [f'{5 * i:05d}' for i in range(5)]
NAMES = ('a', 'b')


def vot_masks(root):
    rows = [format_region(mask_to_region(mask)) for mask in MASKS]
    return write_vot(root, dict.fromkeys(NAMES, rows))


def vos(root):
    objects = dict.fromkeys(NAMES, {'1': FRAMES, '2': FRAMES[1:]})
    videos = {name: dict(zip(FRAMES, [MASKS[0], *TWO[1:]], strict=True)) for name in NAMES}
    return write_youtube_vos(root, 'train', videos, objects)


def otb(root):
    write_otb(root, 'Boy', range(1, 6), {'groundtruth_rect.txt': ROWS})
    targets = {f'groundtruth_rect.{number}.txt': ROWS for number in (1, 2)}
    return write_otb(root, 'Jogging', range(1, 6), targets)


#: Writer, options and number of tracks for training and testing.
BENCHMARKS = {
    'davis2016': (
        lambda r: write_davis(r, dict.fromkeys(NAMES, TWO)),
        dict(type='DavisDataset'),
        2,
    ),
    'davis2017': (
        lambda r: write_davis(r, dict.fromkeys(NAMES, TWO)),
        dict(type='DavisDataset', multi_object=True),
        4,
    ),
    'youtube_vos': (vos, dict(type='YouTubeVOSDataset'), 4),
    'got10k': (
        lambda r: write_got10k(r, dict(train=5)),
        dict(type='GOT10kDataset', split='train'),
        2,
    ),
    'lasot': (
        lambda r: write_lasot(r, ['cat-1', 'dog-2'], 5),
        dict(type='LaSOTDataset', split='all'),
        2,
    ),
    'trackingnet': (
        lambda r: write_trackingnet(r, {'TRAIN_3': NAMES}, 5),
        dict(type='TrackingNetDataset', chunks=[3]),
        2,
    ),
    'otb': (otb, dict(type='OTBDataset'), 3),
    'uav123': (
        lambda r: write_uav123(
            r,
            dict.fromkeys(NAMES, range(1, 6)),
            {f'UAV123/{name}.txt': ROWS for name in NAMES},
        ),
        dict(type='UAV123Dataset'),
        2,
    ),
    'vot_boxes': (
        lambda r: write_vot(r, dict.fromkeys(NAMES, ['3,4,9,6,7,12,1,9'] * 5)),
        dict(type='VOTDataset'),
        2,
    ),
    'vot_masks': (vot_masks, dict(type='VOTDataset'), 2),
    'imagenet_vid': (
        lambda r: write_vid(r, 'train', {f'x/{name}': VID for name in NAMES}),
        dict(type='ImageNetVIDDataset'),
        4,
    ),
    'segtrack_v2': (
        lambda r: write_segtrack_v2(r, {'frog': [MASKS], 'worm': [MASKS, MASKS]}),
        dict(type='SegTrackV2Dataset'),
        3,
    ),
}
WITH_MASKS = {'davis2016', 'davis2017', 'youtube_vos', 'vot_masks', 'segtrack_v2'}
PIPELINE = [dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')]


@pytest.fixture(scope='module', params=BENCHMARKS)
def benchmark(request, tmp_path_factory):
    """Name, config and number of tracks."""
    write, options, count = BENCHMARKS[request.param]
    root = write(tmp_path_factory.mktemp(request.param))
    return request.param, dict(options, data_root=str(root)), count


def test_pairs_show_the_target_of_the_track(benchmark):
    name, options, count = benchmark
    pairs = TrackPairDataset([options], samples_per_epoch=4 * count, negative_prob=0.25)
    dataset = pairs.datasets[0]
    tracks = [dataset.get_track(i) for i in range(count)]
    assert dataset.num_videos == count
    seen = set()
    for index in range(len(pairs)):
        pair = pairs.get_pair(index)
        for view in (pair['template'], pair['search']):
            owners = [
                number
                for number, track in enumerate(tracks)
                if view.img_path in track.frames
                and np.array_equal(
                    view.box,
                    dataset.load_target(number, track.frames.index(view.img_path)).box,
                )
            ]
            assert owners
            seen.update(owners)
            assert (view.mask is not None) == (name in WITH_MASKS)
    assert seen == set(range(count))


def test_frames_come_in_order_and_packed(benchmark):
    name, options, count = benchmark
    dataset = DATASETS.build(dict(options, test_mode=True, pipeline=PIPELINE))
    expected = [(v, f) for v in range(count) for f in range(dataset.get_len_per_video(v))]
    samples = [dataset[i] for i in range(len(dataset))]
    assert [(s['data_samples'].video_id, s['data_samples'].frame_id) for s in samples] == expected
    for (video, frame), sample in zip(expected, samples, strict=True):
        found, track = sample['data_samples'], dataset.get_track(video)
        assert found.img_path == track.frames[frame]
        assert found.annotated
        assert found.video_name == track.video_name
        assert found.sequence == track.sequence
        assert found.category == track.category
        assert sample['inputs']['img'].shape[-2:] == found.ori_shape == (32, 44)
        target = dataset.load_target(video, frame)
        torch.testing.assert_close(found.gt_instances.bboxes[0], torch.from_numpy(target.box))
        assert ('masks' in found.gt_instances) == (name in WITH_MASKS)


def test_kept_index_gives_the_same_tracks(benchmark, tmp_path):
    _, options, count = benchmark
    plain = DATASETS.build(options)
    for _ in range(2):
        kept = DATASETS.build(dict(options, index_cache=str(tmp_path)))
        for number in range(count):
            one, other = plain.get_track(number), kept.get_track(number)
            assert one.frames == other.frames
            assert one.mask_paths == other.mask_paths
            np.testing.assert_array_equal(one.boxes, other.boxes)
            assert kept.get_len_per_video(number) == len(one.frames)
    assert len(list(tmp_path.glob('*.index'))) == 1


def test_unannotated_frames_carry_no_ground_truth(tmp_path):
    root = write_got10k(tmp_path, dict(test=3))
    config = dict(type='GOT10kDataset', data_root=str(root), split='test')
    dataset = DATASETS.build(dict(config, test_mode=True, pipeline=PIPELINE))
    samples = [dataset[i]['data_samples'] for i in range(3)]
    assert ['gt_instances' in sample for sample in samples] == [True, False, False]
    assert [sample.annotated for sample in samples] == [True, False, False]
