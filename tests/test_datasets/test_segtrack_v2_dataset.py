import numpy as np
import pytest
from benchmark_folders import filled, write_segtrack_v2

from mmpolar.datasets import SegTrackV2Dataset

ONE = [filled(i, 2, i + 9, 9) for i in range(3)]
TWO = [filled(20, 12 + i, 29, 21 + i) for i in range(3)]


@pytest.fixture
def root(tmp_path):
    return write_segtrack_v2(tmp_path, {'frog': [ONE], 'drift': [ONE, TWO]})


def test_each_object_has_its_folder_of_masks(root):
    dataset = SegTrackV2Dataset(root)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    assert [t.video_name for t in tracks] == ['frog', 'drift-1', 'drift-2']
    assert [t.sequence for t in tracks] == ['frog', 'drift', 'drift']
    assert tracks[0].frames[2].endswith('JPEGImages/frog/frog_00002.bmp')
    for number, masks in enumerate((ONE, ONE, TWO)):
        for frame, mask in enumerate(masks):
            np.testing.assert_array_equal(dataset.load_target(number, frame).mask, mask)


def test_own_list_without_asterisks(root):
    (root / 'mine.txt').write_text('drift\n')
    assert len(SegTrackV2Dataset(root, ann_file='mine.txt')) == 2


def test_missing_masks_are_named(root):
    (root / 'GroundTruth/drift/2/drift_00001.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 frames have no mask in .*drift/2.*00001\.bmp'):
        SegTrackV2Dataset(root)
    (root / 'ImageSets/all.txt').write_text('*lost\n')
    with pytest.raises(FileNotFoundError, match='"lost": nothing in .*JPEGImages/lost'):
        SegTrackV2Dataset(root)
