import numpy as np
import pytest
from benchmark_folders import corners, moving_boxes, write_lasot

from mmpolar.datasets import LaSOTDataset

NAMES = ['boat-2', 'boat-10', 'small-cat-1']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    lists = {'training_set.txt': ['small-cat-1', 'boat-10'], 'testing_set.txt': ['boat-2']}
    folder = tmp_path_factory.mktemp('data')
    return write_lasot(folder, NAMES, 5, occluded=(1,), out=(3,), lists=lists)


def names(dataset):
    return [dataset.get_track(i).video_name for i in range(dataset.num_videos)]


def test_lists_and_folders_choose_sequences(root):
    assert names(LaSOTDataset(root)) == ['small-cat-1', 'boat-10']
    assert names(LaSOTDataset(root, split='test')) == ['boat-2']
    assert names(LaSOTDataset(root, split='extension')) == NAMES
    assert names(LaSOTDataset(root, split='all')) == NAMES


def test_boxes_flags_and_class(root):
    dataset = LaSOTDataset(root, split='train', test_mode=True)
    assert dataset.get_track(0).category == 'small-cat'
    for frame, box in enumerate(moving_boxes(5)):
        sample = dataset[(0, frame)]
        assert sample['flags'] == dict(full_occlusion=frame == 1, out_of_view=frame == 3)
        assert sample['instances'][0]['visible'] == (frame not in (1, 3))
        if frame not in (1, 3):
            np.testing.assert_array_equal(sample['instances'][0]['bbox'], corners(box))


def test_unknown_split_and_missing_list(root, tmp_path):
    with pytest.raises(ValueError, match='split must be one of'):
        LaSOTDataset(root, split='val')
    data = write_lasot(tmp_path, NAMES[:1], 2)
    with pytest.raises(FileNotFoundError, match=r'testing_set\.txt does not exist'):
        LaSOTDataset(data, split='test')
