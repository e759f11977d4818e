"""SyntheticDataset: generates on first use, then reads like any DAVIS folder."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist

from mmpolar.datasets import synthetic_dataset
from mmpolar.datasets.davis_dataset import DavisDataset
from mmpolar.datasets.synthetic_dataset import SyntheticDataset
from mmpolar.registry import DATASETS
from mmpolar.utils.image import read_mask

TINY = dict(frames=3, size=(96, 72), seed=5)


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp('data') / 'synthetic')
    DATASETS.build(
        dict(type='SyntheticDataset', data_root=folder, split='train', num_train=2, **TINY)
    )
    SyntheticDataset(folder, split='val', num_val=1, **TINY)
    return folder


def test_dataset_generates_its_own_split_on_first_use(tmp_path):
    folder = tmp_path / 'synthetic'
    lazy = SyntheticDataset(str(folder), split='val', num_val=1, lazy_init=True, **TINY)
    assert not folder.exists()
    lazy.full_init()
    assert [p.name for p in (folder / 'JPEGImages/480p').iterdir()] == ['val-0000']
    assert lazy.num_videos == 1


def test_targets_are_the_masks_on_disk(root):
    dataset = SyntheticDataset(root, split='train', num_train=2, **TINY)
    assert dataset.num_videos == 2
    for track_id in range(2):
        track = dataset.get_track(track_id)
        assert track.video_name == f'train-{track_id:04d}'
        assert dataset.get_len_per_video(track_id) == 3
        for frame in range(3):
            name = Path(track.frames[frame]).stem
            mask = read_mask(Path(root, 'Annotations/480p', track.video_name, f'{name}.png'))
            target = dataset.load_target(track_id, frame)
            if not mask.any():
                assert target is None
                continue
            np.testing.assert_array_equal(target.mask, mask)
            ys, xs = np.nonzero(mask)
            edges = [xs.min() - 0.5, ys.min() - 0.5, xs.max() + 0.5, ys.max() + 0.5]
            np.testing.assert_array_equal(target.box, edges)


def test_dataset_uses_as_many_sequences_as_asked_for(root):
    assert SyntheticDataset(root, split='train', num_train=1, **TINY).num_videos == 1
    more = SyntheticDataset(root, split='train', num_train=3, **TINY)
    assert [more.get_track(i).video_name[-1] for i in range(3)] == ['0', '1', '2']


def test_test_mode_yields_every_frame(root):
    dataset = SyntheticDataset(root, split='val', num_val=1, test_mode=True, **TINY)
    assert len(dataset) == 3
    first = dataset[0]
    assert first['frame_id'] == 0
    assert first['video_length'] == 3
    assert first['instances'][0]['visible']
    assert first['gt_mask'].sum() >= 400


@pytest.mark.parametrize('year', ['2016', '2017'])
@pytest.mark.parametrize('multi_object', [False, True])
def test_davis_dataset_reads_the_folder(root, year, multi_object):
    dataset = DavisDataset(root, f'ImageSets/{year}/val.txt', multi_object=multi_object)
    ours = SyntheticDataset(root, split='val', num_val=1, **TINY)
    assert dataset.num_videos == 1
    np.testing.assert_array_equal(dataset.load_target(0, 0).mask, ours.load_target(0, 0).mask)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(split='test'), "split must be 'train' or 'val', got 'test'"),
        (dict(split='val', num_val=0), 'num_val must be at least 1, got 0'),
    ],
)
def test_bad_options_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticDataset(str(tmp_path), **options, **TINY)


def test_other_parameters_are_refused(root):
    with pytest.raises(ValueError, match='seed is 5 there but 6 is asked for'):
        SyntheticDataset(root, **(TINY | dict(seed=6)))


MAIN_PROCESS = """
import sys
import torch.distributed as dist
from mmpolar.datasets.synthetic_dataset import SyntheticDataset

dist.init_process_group('gloo', f'file://{sys.argv[1]}/rendezvous', rank=0, world_size=2)
SyntheticDataset(f'{sys.argv[1]}/synthetic', num_train=2, frames=3, size=(96, 72), seed=5)
dist.destroy_process_group()
"""


def test_a_process_waits_for_the_main_one_that_generates(root, tmp_path, monkeypatch):
    """This process is the second of two, and may not generate."""
    monkeypatch.delattr(synthetic_dataset, 'generate_dataset')
    environment = os.environ | dict(PYTHONPATH=str(Path(__file__).parents[2]))
    command = [sys.executable, '-c', MAIN_PROCESS, str(tmp_path)]
    with subprocess.Popen(command, env=environment) as main_process:
        dist.init_process_group(
            'gloo',
            f'file://{tmp_path}/rendezvous',
            rank=1,
            world_size=2,
            timeout=timedelta(seconds=90),
        )
        try:
            dataset = SyntheticDataset(str(tmp_path / 'synthetic'), num_train=2, **TINY)
        finally:
            dist.destroy_process_group()
    assert main_process.returncode == 0
    expected = DavisDataset(root, 'ImageSets/2017/train.txt')
    for track_id in range(2):
        mask = dataset.load_target(track_id, 0).mask
        np.testing.assert_array_equal(mask, expected.load_target(track_id, 0).mask)
