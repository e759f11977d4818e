import numpy as np
import pytest
from benchmark_folders import corners, moving_boxes, write_got10k

from mmpolar.datasets import GOT10kDataset


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return write_got10k(
        tmp_path_factory.mktemp('data'),
        dict(train=4, val=5, test=3),
        absence=(2,),
        cover=((1, 3), (3, 0)),
        cut=(1,),
    )


def test_boxes_are_as_written_and_absent_frames_have_none(root):
    dataset = GOT10kDataset(root, split='val')
    assert dataset.num_videos == 2
    for frame, box in enumerate(moving_boxes(5)):
        target = dataset.load_target(1, frame)
        if frame in (2, 3):
            assert target is None
        else:
            np.testing.assert_allclose(target.box, corners(box))
    track = dataset.get_track(0)
    assert track.category == 'grey wolf'
    assert track.frames[4].endswith('GOT-10k_Val_000001/00000005.jpg')


def test_flags_reach_the_test_frames(root):
    dataset = GOT10kDataset(root, split='val', test_mode=True)
    flags = [dataset[(0, frame)]['flags'] for frame in range(5)]
    assert [f['cover'] for f in flags] == [8, 3, 8, 0, 8]
    assert [f['absence'] for f in flags] == [0, 0, 1, 0, 0]
    assert [f['cut_by_image'] for f in flags] == [0, 1, 0, 0, 0]
    assert all(dataset[(0, frame)]['annotated'] for frame in range(5))


def test_test_split_tells_the_first_box_alone(root):
    dataset = GOT10kDataset(root, split='test', test_mode=True)
    frames = [dataset[(1, frame)] for frame in range(3)]
    assert [f['annotated'] for f in frames] == [True, False, False]
    assert [f['instances'][0]['visible'] for f in frames] == [True, False, False]
    np.testing.assert_allclose(frames[0]['instances'][0]['bbox'], corners(moving_boxes(1)[0]))
    assert frames[0]['flags'] == {}


def test_own_list_chooses_sequences(root, tmp_path):
    (tmp_path / 'few.txt').write_text('GOT-10k_Train_000002\n')
    dataset = GOT10kDataset(root, ann_file=str(tmp_path / 'few.txt'))
    assert [dataset.get_track(i).video_name for i in range(len(dataset))] == [
        'GOT-10k_Train_000002'
    ]


def test_mistakes_are_named(root, tmp_path):
    with pytest.raises(ValueError, match="split must be one of .* got 'valid'"):
        GOT10kDataset(root, split='valid')
    with pytest.raises(FileNotFoundError, match=r'list file .*train/list\.txt does not exist'):
        GOT10kDataset(tmp_path)
    data = write_got10k(tmp_path, dict(train=3))
    folder = data / 'train/GOT-10k_Train_000002'
    (folder / '00000003.jpg').unlink()
    with pytest.raises(ValueError, match=r'"GOT-10k_Train_000002": 2 images .* but 3 lines'):
        GOT10kDataset(data)
    (folder / 'groundtruth.txt').write_text('1,2,3,4\n1,2,3,4\n')
    with pytest.raises(ValueError, match=r'absence\.label has 3 numbers for 2 frames'):
        GOT10kDataset(data)
    (folder / 'absence.label').write_text('0\n')
    (folder / 'cover.label').unlink()
    with pytest.raises(FileNotFoundError, match=r'cover\.label does not exist'):
        GOT10kDataset(data)
