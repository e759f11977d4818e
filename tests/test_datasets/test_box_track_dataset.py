import numpy as np
import pytest

from mmpolar.datasets import BoxTrackDataset
from mmpolar.datasets.sequence_files import read_boxes


@pytest.mark.parametrize(
    'line', ['3,4,10,20', '3\t4\t10\t20', '3 4 10 20', ' 3, 4,  10, 20 ', '3.0,4.0,1e1,20.']
)
def test_read_boxes_separators(tmp_path, line):
    path = tmp_path / 'groundtruth.txt'
    path.write_text(f'{line}\n{line}\n\n')
    np.testing.assert_array_equal(read_boxes(path), [[2.5, 3.5, 12.5, 23.5]] * 2)


def test_read_boxes_one_based_covers_the_first_pixel(tmp_path):
    path = tmp_path / 'groundtruth.txt'
    path.write_text('1,1,1,1\n')
    np.testing.assert_array_equal(read_boxes(path, one_based=True), [[-0.5, -0.5, 0.5, 0.5]])


def test_read_boxes_polygon_gives_enclosing_box(tmp_path):
    path = tmp_path / 'groundtruth.txt'
    path.write_text('10,5,20,15,10,25,0,15\nnan,5,20,15,10,25,0,15\n')
    boxes = read_boxes(path)
    np.testing.assert_array_equal(boxes[0], [-0.5, 4.5, 19.5, 24.5])
    assert np.isnan(boxes[1]).all()


@pytest.mark.parametrize('line', ['1,2,3', '1,2,3,4,5', '1,2,x,4', ''])
def test_read_boxes_malformed_line_is_named(tmp_path, line):
    path = tmp_path / 'groundtruth.txt'
    path.write_text(f'1,2,3,4\n{line}\n1,2,3,4\n')
    with pytest.raises(ValueError, match=r'groundtruth\.txt, line 2: '):
        read_boxes(path)


def test_all_malformed_lines_are_named(tmp_path):
    path = tmp_path / 'groundtruth.txt'
    path.write_text('1,2,x,4\n1,2,3,4\n1,2\n1,2,inf,4\n')
    with pytest.raises(ValueError, match=r'line 1: could not .* \(also in line 3, 4\)'):
        read_boxes(path)


@pytest.mark.parametrize('folder', ['', 'frames/', 'img/', 'color/'])
@pytest.mark.parametrize('box_file', ['groundtruth.txt', 'groundtruth_rect.txt'])
def test_layouts(data, folder, box_file):
    data.image(f'boxes/run/{folder}0001.jpg')
    (data.root / 'boxes/run' / box_file).write_text('1,2,3,4\n')
    dataset = BoxTrackDataset(data.root / 'boxes')
    target = dataset.load_target(0, 0)
    np.testing.assert_array_equal(target.box, np.float32([0.5, 1.5, 3.5, 5.5]))
    assert target.box.dtype == np.float32
    assert target.mask is None


@pytest.mark.parametrize('line', ['nan,nan,nan,nan', '0,0,0,0', '5,5,0,9', '5,5,-3,-3', '5,5,2,1'])
def test_absent_frames(data, line):
    root = data.boxes({'run': ['1,2,3,4', line, '1,2,3,4']})
    dataset = BoxTrackDataset(root, min_area=4)
    assert [dataset.load_target(0, i) is None for i in range(3)] == [False, True, False]


def test_sequence_without_any_target_is_left_out(data):
    root = data.boxes({'gone': ['0,0,0,0'] * 2, 'run': ['1,2,3,4']})
    dataset = BoxTrackDataset(root)
    assert [dataset.get_track(i).video_name for i in range(len(dataset))] == ['run']


def test_sequences_option_chooses_and_orders(data):
    root = data.boxes({name: ['1,2,3,4'] for name in 'abc'})
    dataset = BoxTrackDataset(root, sequences=['c', 'a'])
    assert [dataset.get_track(i).video_name for i in range(2)] == ['c', 'a']
    with pytest.raises(FileNotFoundError, match='"boxes", sequence "z": folder .*does not exist'):
        BoxTrackDataset(root, sequences=['a', 'z'])


def test_lines_must_match_images(data):
    root = data.boxes({'run': ['1,2,3,4'] * 3})
    (root / 'run/groundtruth.txt').write_text('1,2,3,4\n')
    with pytest.raises(ValueError, match=r'"run": 3 images in .* but 1 lines in .*groundtruth'):
        BoxTrackDataset(root)


def test_missing_files(data):
    root = data.boxes({'run': ['1,2,3,4']})
    (root / 'run/groundtruth.txt').rename(root / 'run/boxes.txt')
    with pytest.raises(FileNotFoundError, match='neither groundtruth.txt nor groundtruth_rect'):
        BoxTrackDataset(root)
    (root / 'run/img/0001.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='"run": no images in .*run'):
        BoxTrackDataset(root)
    with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
        BoxTrackDataset(data.root / 'nowhere')
