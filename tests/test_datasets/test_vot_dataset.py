import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, corners, filled, write_vot

from mmpolar.datasets import VOTDataset
from mmpolar.structures.vot_region import format_region, mask_to_region, parse_region, region_mask

POLYGONS = ['10.5,4,20,9.25,15,19,5,14', '11,5,21,10,16,20,6,15', 'nan,nan,nan,nan,nan,nan,nan,nan']
MASKS = [filled(4, 3, 12, 9), filled(0, 0, 0, 0, base=filled(5, 3, 13, 10)), filled(43, 31, 43, 31)]


@pytest.mark.parametrize('has_channel', [True, False])
def test_rotated_polygons_give_the_enclosing_box(tmp_path, has_channel):
    root = write_vot(tmp_path, {'zebra': POLYGONS, 'ant': POLYGONS[:2]}, has_channel=has_channel)
    dataset = VOTDataset(root)
    assert [dataset.get_track(i).video_name for i in range(2)] == ['zebra', 'ant']
    np.testing.assert_array_equal(dataset.load_target(0, 0).box, [4.5, 3.5, 19.5, 18.5])
    np.testing.assert_array_equal(dataset.load_target(1, 1).box, [5.5, 4.5, 20.5, 19.5])
    assert dataset.load_target(0, 2) is None
    assert dataset.load_target(0, 0).mask is None


def test_tags_values_and_regions_reach_the_test_frames(tmp_path):
    tags = {'occlusion.tag': [0, 1], 'size_change.label': [1, 0, 1], 'anchor.value': [0.5, -1, 2]}
    root = write_vot(tmp_path, {'zebra': [*POLYGONS[:2], '3,4,5,6']}, tags)
    dataset = VOTDataset(root, test_mode=True)
    frames = list(dataset)
    assert [f['flags']['occlusion'] for f in frames] == [0, 1, 0]
    assert [f['flags']['size_change'] for f in frames] == [1, 0, 1]
    assert [f['flags']['anchor'] for f in frames] == [0.5, -1, 2]
    assert [f['gt_region'] for f in frames] == [*POLYGONS[:2], '3,4,5,6']
    np.testing.assert_array_equal(frames[2]['instances'][0]['bbox'], corners((3, 4, 5, 6)))


def test_masks_in_run_lengths(tmp_path):
    rows = [format_region(mask_to_region(mask)) for mask in MASKS]
    rows += ['m0,0,0,0', '3,4,5,6', '0']
    dataset = VOTDataset(write_vot(tmp_path, {'ball': rows}))
    for frame, mask in enumerate(MASKS):
        target = dataset.load_target(0, frame)
        np.testing.assert_array_equal(target.mask, mask)
        y, x = np.nonzero(mask)
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) - 0.5
        np.testing.assert_array_equal(target.box, box)
    assert dataset.load_target(0, 3) is None
    assert dataset.load_target(0, 4).mask is None
    np.testing.assert_array_equal(dataset.load_target(0, 4).box, corners((3, 4, 5, 6)))
    assert dataset.load_target(0, 5) is None


def test_region_of_a_frame_is_that_of_its_mask(tmp_path):
    rows = [format_region(mask_to_region(mask)) for mask in MASKS]
    dataset = VOTDataset(write_vot(tmp_path, {'ball': rows}), test_mode=True)
    for frame, mask in zip(dataset, MASKS, strict=True):
        np.testing.assert_array_equal(frame['gt_mask'], mask)
        region = parse_region(frame['gt_region'])
        np.testing.assert_array_equal(region_mask(region, (HEIGHT, WIDTH)), mask)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_regions_of_a_file_in_any_encoding(tmp_path, encoding):
    rows = [format_region(mask_to_region(mask)) for mask in MASKS]
    root = write_vot(tmp_path, {'ball': rows})
    (root / 'ball/groundtruth.txt').write_bytes('\r\n'.join(rows).encode(encoding))
    dataset = VOTDataset(root, test_mode=True)
    for frame, mask in zip(dataset, MASKS, strict=True):
        np.testing.assert_array_equal(frame['gt_mask'], mask)


def test_folder_without_list_and_broken_line(tmp_path):
    root = write_vot(tmp_path, {'b': POLYGONS, 'a': POLYGONS})
    (root / 'list.txt').unlink()
    assert VOTDataset(root).get_track(0).video_name == 'a'
    (root / 'b/groundtruth.txt').write_text('1,2,3,4\nm1,2,2,2,9\n1,2,3,4\n')
    with pytest.raises(ValueError, match=r'groundtruth\.txt, line 2: runs of 9 pixels'):
        VOTDataset(root)
    with pytest.raises(FileNotFoundError, match=r'mine\.txt does not exist'):
        VOTDataset(root, ann_file='mine.txt')
