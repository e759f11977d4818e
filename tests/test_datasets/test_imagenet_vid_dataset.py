import numpy as np
import pytest
from benchmark_folders import write_vid

from mmpolar.datasets import ImageNetVIDDataset

TRAIN = 'ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000'
VIDEO = [{0: (2, 3, 11, 12)}, {0: (3, 3, 12, 12), 5: (20, 10, 29, 19)}, {}, {5: (21, 10, 30, 19)}]


@pytest.fixture
def root(tmp_path):
    write_vid(tmp_path, 'val', {'ILSVRC2015_val_00000000': VIDEO, 'ILSVRC2015_val_00000001': [{}]})
    return write_vid(tmp_path, 'train', {TRAIN: VIDEO})


def test_each_object_is_a_track_from_its_first_frame(root):
    dataset = ImageNetVIDDataset(root)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    assert [t.video_name for t in tracks] == [f'{TRAIN}-0', f'{TRAIN}-5']
    assert [t.sequence for t in tracks] == [TRAIN, TRAIN]
    assert [t.object_id for t in tracks] == [0, 5]
    assert [t.category for t in tracks] == ['n02080', 'n02085']
    assert [len(t.frames) for t in tracks] == [4, 3]
    assert tracks[1].frames[0].endswith(f'Data/VID/train/{TRAIN}/000001.JPEG')


def test_last_pixel_belongs_to_the_box(root):
    dataset = ImageNetVIDDataset(root)
    np.testing.assert_array_equal(dataset.load_target(0, 0).box, [1.5, 2.5, 11.5, 12.5])
    np.testing.assert_array_equal(dataset.load_target(1, 2).box, [20.5, 9.5, 30.5, 19.5])
    assert dataset.load_target(0, 2) is None
    assert dataset.load_target(1, 1) is None


def test_frames_of_the_validation_list_name_their_videos(root):
    dataset = ImageNetVIDDataset(root, split='val', test_mode=True)
    assert (dataset.num_videos, len(dataset)) == (2, 7)
    assert [dataset[(0, i)]['flags'] for i in range(2)] == [
        dict(occluded=0, generated=0),
        dict(occluded=1, generated=0),
    ]


def test_missing_and_broken_annotations(root):
    path = root / f'Annotations/VID/train/{TRAIN}/000001.xml'
    path.write_text('<annotation><object><trackid>1</trackid></object></annotation>')
    with pytest.raises(ValueError, match=r'000001\.xml cannot be read'):
        ImageNetVIDDataset(root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'000001\.xml does not exist'):
        ImageNetVIDDataset(root)
    (root / 'ImageSets/VID/val.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'no val\.txt in'):
        ImageNetVIDDataset(root, split='val')
