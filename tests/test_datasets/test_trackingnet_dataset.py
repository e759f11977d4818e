import numpy as np
import pytest
from benchmark_folders import corners, moving_boxes, write_trackingnet

from mmpolar.datasets import TrackingNetDataset

CHUNKS = {'TRAIN_0': ['b_0', 'a_0'], 'TRAIN_11': ['c_1'], 'TEST': ['t_0']}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return write_trackingnet(tmp_path_factory.mktemp('data'), CHUNKS, 12)


def test_chunks_choose_videos(root):
    dataset = TrackingNetDataset(root, chunks=[0, 11])
    assert [dataset.get_track(i).video_name for i in range(3)] == ['a_0', 'b_0', 'c_1']
    assert len(TrackingNetDataset(root, chunks=[11])) == 1


def test_frames_follow_their_numbers(root):
    dataset = TrackingNetDataset(root, chunks=[11])
    frames = [path.rsplit('/', 1)[1] for path in dataset.get_track(0).frames]
    assert frames == [f'{i}.jpg' for i in range(12)]
    for frame, box in enumerate(moving_boxes(12)):
        np.testing.assert_array_equal(dataset.load_target(0, frame).box, corners(box))


def test_test_set_tells_the_first_box_alone(root):
    dataset = TrackingNetDataset(root, split='test', test_mode=True)
    assert len(dataset) == 12
    assert [frame['annotated'] for frame in dataset] == [True] + [False] * 11


def test_missing_chunk_is_named(root):
    with pytest.raises(FileNotFoundError, match=r'TRAIN_1/anno does not exist; name the chunks'):
        TrackingNetDataset(root)
    with pytest.raises(ValueError, match='chunks must be numbers in 0..11'):
        TrackingNetDataset(root, chunks=[12])
