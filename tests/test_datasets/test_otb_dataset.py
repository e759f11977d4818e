import numpy as np
import pytest
from benchmark_folders import as_rows, corners, moving_boxes, write_otb

from mmpolar.datasets import OTBDataset

BOXES = moving_boxes(4)
#: First frame, last frame and number of images of the sequences that are annotated in part.
PARTS = {
    'David': (300, 770, 772),
    'Football1': (1, 74, 76),
    'Freeman3': (1, 460, 461),
    'Freeman4': (1, 283, 284),
    'Diving': (1, 215, 231),
    'BlurCar1': (247, 988, 988),
    'BlurCar3': (3, 359, 359),
    'BlurCar4': (18, 397, 397),
}


@pytest.mark.parametrize('separator', [',', '\t', ' ', '  ', ', '])
@pytest.mark.parametrize('digits', [4, 5])
def test_separators_and_digits(tmp_path, separator, digits):
    rows = {'groundtruth_rect.txt': as_rows(BOXES, separator)}
    dataset = OTBDataset(write_otb(tmp_path, 'Board', range(1, 5), rows, digits))
    for frame, box in enumerate(BOXES):
        np.testing.assert_array_equal(dataset.load_target(0, frame).box, corners(box, True))


@pytest.mark.parametrize('name', PARTS)
def test_half_open_sequences_start_and_end_at_their_frames(tmp_path, name):
    first, last, count = PARTS[name]
    rows = as_rows([(n, 5, 9, 9) for n in range(first, last + 1)])
    root = write_otb(tmp_path, name, range(0), {'groundtruth_rect.txt': rows})
    (root / name / 'img').mkdir()
    for number in range(1, count + 1):
        (root / name / f'img/{number:04d}.jpg').touch()
    dataset = OTBDataset(root, one_based=False)
    frames = dataset.get_track(0).frames
    assert len(frames) == last - first + 1
    for frame in (0, -1):
        number = int(frames[frame][-8:-4])
        assert number == (first, last)[frame]
        assert dataset.get_track(0).boxes[frame][0] == number - 0.5


def test_images_may_start_at_the_first_annotated_frame(tmp_path):
    rows = as_rows([(1, 5, 9, 9)] * 3)
    root = write_otb(tmp_path, 'BlurCar4', range(18, 21), {'groundtruth_rect.txt': rows})
    assert OTBDataset(root).get_len_per_video(0) == 3


def test_several_targets_of_a_folder(tmp_path):
    other = moving_boxes(4, x=20)
    rows = {
        'groundtruth_rect.1.txt': as_rows(BOXES),
        'groundtruth_rect.2.txt': as_rows(other, '\t'),
    }
    root = write_otb(tmp_path, 'Jogging', range(1, 5), rows)
    write_otb(tmp_path, 'Skating2', range(1, 5), rows)
    half = {'groundtruth_rect.1.txt': [], 'groundtruth_rect.2.txt': as_rows(other)}
    write_otb(tmp_path, 'Human4', range(1, 5), half)
    dataset = OTBDataset(root)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    assert [t.video_name for t in tracks] == [
        'Human4-2', 'Jogging-1', 'Jogging-2', 'Skating2-1', 'Skating2-2',
    ]  # fmt: skip
    assert [t.sequence for t in tracks[1:3]] == ['Jogging', 'Jogging']
    np.testing.assert_array_equal(dataset.load_target(2, 3).box, corners(other[3], True))
    chosen = OTBDataset(root, sequences=['Skating2-2', 'Human4-2'])
    assert [chosen.get_track(i).video_name for i in range(2)] == ['Skating2-2', 'Human4-2']
    with pytest.raises(ValueError, match='no box file for Human4 in'):
        OTBDataset(root, sequences=['Human4'])
