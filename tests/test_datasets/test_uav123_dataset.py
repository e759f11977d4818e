import numpy as np
import pytest
from benchmark_folders import as_rows, corners, moving_boxes, write_uav123

from mmpolar.datasets import UAV123Dataset

BOXES = moving_boxes(4)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    rows = as_rows(BOXES)
    return write_uav123(
        tmp_path_factory.mktemp('data'),
        {'truck4': range(1, 582), 'car1_s': range(1, 5), 'boat1': range(1, 7)},
        {
            'UAV123/truck4_1.txt': rows,
            'UAV123/truck4_2.txt': [*rows[:2], 'NaN,NaN,NaN,NaN', rows[3]],
            'UAV123/car1_s.txt': rows,
            'UAV123/boat1.txt': rows,
            'UAV20L/truck4.txt': as_rows(moving_boxes(581)),
        },
    )


def test_parts_of_a_folder_start_where_they_should(root):
    dataset = UAV123Dataset(root)
    tracks = {t['video_name']: t for t in map(dataset.get_track, range(len(dataset)))}
    assert list(tracks) == ['boat1', 'car1_s', 'truck4_1', 'truck4_2']
    frames = {name: [path[-10:-4] for path in t['frames']] for name, t in tracks.items()}
    assert frames['truck4_1'] == ['000001', '000002', '000003', '000004']
    assert frames['truck4_2'] == ['000577', '000578', '000579', '000580']
    assert frames['boat1'] == frames['car1_s'] == frames['truck4_1']
    assert tracks['truck4_2']['sequence'] == 'truck4'
    assert tracks['car1_s']['sequence'] == 'car1_s'


def test_boxes_and_absent_frames(root):
    dataset = UAV123Dataset(root)
    targets = [dataset.load_target(3, frame) for frame in range(4)]
    assert targets[2] is None
    for frame in (0, 1, 3):
        np.testing.assert_array_equal(targets[frame].box, corners(BOXES[frame]))


def test_uav20l_takes_whole_folders(root):
    dataset = UAV123Dataset(root, version='UAV20L', test_mode=True)
    assert (dataset.num_videos, len(dataset)) == (1, 581)
    assert dataset[580]['img_path'].endswith('truck4/000581.jpg')


def test_too_few_images_and_unknown_version(tmp_path):
    rows = as_rows(moving_boxes(3))
    root = write_uav123(tmp_path, {'uav2': range(1, 3)}, {'UAV123/uav2.txt': rows})
    with pytest.raises(ValueError, match='"uav2": 2 images .* but 3 lines'):
        UAV123Dataset(root)
    with pytest.raises(ValueError, match='version must be one of'):
        UAV123Dataset(root, version='UAV10')
