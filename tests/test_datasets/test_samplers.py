import numpy as np
import pytest
import torch.distributed as dist
from torch.multiprocessing import start_processes
from torch.utils.data import DataLoader

from mmpolar.datasets import BoxTrackDataset
from mmpolar.datasets.samplers import EpochPairSampler, VideoSampler
from mmpolar.datasets.samplers.epoch_pair_sampler import epoch_indices, shard
from mmpolar.datasets.samplers.video_sampler import assign_videos
from mmpolar.registry import DATA_SAMPLERS


@pytest.mark.parametrize('epoch', [0, 1, 7])
def test_epoch_indices_carry_the_epoch(epoch):
    indices = epoch_indices(100, epoch, seed=0)
    np.testing.assert_array_equal(np.sort(indices), np.arange(100) + 100 * epoch)


def test_epoch_indices_order_differs_between_epochs_and_seeds():
    orders = {tuple(epoch_indices(100, e, s) % 100) for e in range(3) for s in range(3)}
    assert len(orders) == 9


@pytest.mark.parametrize('length', [1, 7, 24, 100])
@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_shards_are_equally_long_and_hold_each_index_once(length, world_size):
    indices = epoch_indices(length, epoch=2, seed=1)
    shards = [shard(indices, rank, world_size) for rank in range(world_size)]
    assert {len(part) for part in shards} == {length // world_size}
    joined = np.concatenate(shards)
    assert len(set(joined.tolist())) == len(joined) == length // world_size * world_size
    assert set(joined.tolist()) <= set(indices.tolist())


def test_indices_left_over_are_others_in_each_epoch():
    left = set()
    for epoch in range(40):
        indices = epoch_indices(7, epoch, seed=1)
        given = np.concatenate([shard(indices, rank, 2) for rank in range(2)])
        left |= set((np.setdiff1d(indices, given) % 7).tolist())
    assert left == set(range(7))


def test_epoch_pair_sampler_follows_set_epoch():
    sampler = EpochPairSampler(range(10), seed=4)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert list(sampler) == list(sampler)
        epochs.append(list(sampler))
        assert len(epochs[-1]) == len(sampler) == 10
    assert sorted(sum(epochs, [])) == list(range(30))


def test_epoch_pair_sampler_draws_a_seed_where_none_is_given():
    sampler = DATA_SAMPLERS.build(
        dict(type='EpochPairSampler'), default_args=dict(dataset=range(5), seed=None)
    )
    assert isinstance(sampler.seed, int)
    assert sorted(sampler) == list(range(5))


def run_rank(rank, store):
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    sampler = EpochPairSampler(range(9), seed=None)
    sampler.set_epoch(1)
    parts = [None, None]
    dist.all_gather_object(parts, list(sampler))
    assert [len(part) for part in parts] == [4, 4] == [len(sampler)] * 2, parts
    assert len(set(parts[0] + parts[1])) == 8, parts
    assert set(parts[0] + parts[1]) <= set(range(9, 18)), parts
    dist.destroy_process_group()


def test_epoch_pair_sampler_splits_between_real_processes(tmp_path):
    start_processes(run_rank, args=(tmp_path / 'store',), nprocs=2, start_method='fork')


@pytest.mark.parametrize('world_size', [1, 2, 3, 5, 12])
def test_assign_videos_gives_each_video_to_one_rank_in_order(world_size):
    lengths = [5, 90, 30, 30, 1, 60, 45, 7, 12, 90]
    ranks = assign_videos(lengths, world_size)
    assert len(ranks) == world_size
    assert sorted(sum(ranks, [])) == list(range(10))
    assert all(videos == sorted(videos) for videos in ranks)


def test_assign_videos_balances_frames():
    rng = np.random.default_rng(0)
    for _ in range(20):
        lengths = rng.integers(1, 300, 40).tolist()
        loads = [sum(lengths[i] for i in videos) for videos in assign_videos(lengths, 4)]
        assert max(loads) - min(loads) <= max(lengths)
        assert max(loads) <= 1.05 * sum(lengths) / 4


def test_assign_videos_with_more_ranks_than_videos():
    assert assign_videos([3, 8], 4) == [[1], [0], [], []]


@pytest.fixture
def videos(data):
    root = data.boxes({'a': ['1,2,3,4'] * 3, 'b': ['1,2,3,4'] * 2})
    return BoxTrackDataset(root, test_mode=True)


def test_video_sampler_gives_whole_videos_frame_by_frame(videos):
    sampler = VideoSampler(videos)
    assert list(sampler) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert len(sampler) == len(videos) == 5
    loader = DataLoader(videos, sampler=sampler, batch_size=1, collate_fn=list)
    frames = [(item['video_name'], item['frame_id']) for (item,) in loader]
    assert frames == [('a', 0), ('a', 1), ('a', 2), ('b', 0), ('b', 1)]


def test_video_sampler_is_built_as_mmengine_does(videos):
    sampler = DATA_SAMPLERS.build(
        dict(type='VideoSampler'), default_args=dict(dataset=videos, seed=0)
    )
    assert len(sampler) == 5


def test_video_sampler_refuses_a_training_set(videos):
    dataset = BoxTrackDataset(videos.data_root)
    with pytest.raises(ValueError, match='"boxes" is not in test mode; set test_mode=True'):
        VideoSampler(dataset)
