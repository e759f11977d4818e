"""Faults planted in data sets, one by one and all at once, are found."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmark_folders import (
    HEIGHT,
    WIDTH,
    as_rows,
    filled,
    moving_boxes,
    write_davis,
    write_got10k,
    write_image,
    write_mask,
    write_otb,
    write_vot,
    write_youtube_vos,
)
from PIL import Image
from scripts import load_script

from mmpolar.datasets.dataset_check import check_dataset
from mmpolar.utils.issues import ERROR

ROOT = Path(__file__).resolve().parents[2]
MASKS = [filled(i, 2, i + 9, 11) for i in range(5)]
NAMES = ('a', 'b', 'c')


@pytest.fixture
def davis(tmp_path):
    return write_davis(tmp_path, dict.fromkeys(NAMES, MASKS))


@pytest.fixture
def boxes(tmp_path):
    rows = as_rows(moving_boxes(5))
    for name in NAMES:
        root = write_otb(tmp_path, name, range(1, 6), {'groundtruth_rect.txt': rows})
    return root


def errors(root, kind, **options):
    found = check_dataset(dict(type=kind, data_root=str(root), **options))
    return [issue for issue in found if issue.level == ERROR]


def notes(root, kind, **options):
    found = check_dataset(dict(type=kind, data_root=str(root), **options))
    return [issue for issue in found if issue.level != ERROR]


def plant_in_masks(root):
    """Faults of data with masks; what must be found for each, as (kind, part of the line)."""
    images, masks = root / 'JPEGImages/480p', root / 'Annotations/480p'
    (images / 'a/00001.jpg').write_bytes(b'')
    (masks / 'a/00002.png').write_bytes(b'no image')
    write_mask(masks / 'a/00003.png', np.ones((9, 7), np.uint8))
    (masks / 'b/00001.png').unlink()
    (images / 'b/00003.jpg').unlink()
    for path in (masks / 'c').iterdir():
        write_mask(path, MASKS[0] * 0)
    write_image(images / 'd/00000.jpg')
    return [
        ('undecodable file', 'a/00001.jpg'),
        ('undecodable file', 'a/00002.png'),
        ('mask size', 'a/00003.png: mask of 7x9 pixels for an image of 44x32'),
        ('index', 'sequence "b": 1 frames have no mask'),
        ('missing frames', 'b: no image of 3'),
        ('mask without image', 'no image for 00003.png'),
        ('no target', 'c: no frame shows the target'),
        ('index', 'sequence "d": no masks'),
    ]


def test_data_without_fault_has_no_issues(davis, boxes):
    assert errors(davis, 'DavisDataset') == notes(davis, 'DavisDataset') == []
    assert errors(boxes, 'OTBDataset') == notes(boxes, 'OTBDataset') == []


def assert_found(issues, planted):
    lines = [str(issue) for issue in issues]
    for kind, part in planted:
        assert any(f'{kind}: ' in line and part in line for line in lines), (kind, part, lines)
    assert len(lines) == len(planted), lines


def test_all_faults_of_masks_are_found_in_one_run(davis):
    planted = plant_in_masks(davis)
    assert_found(errors(davis, 'DavisDataset'), planted)


def test_all_faults_of_boxes_are_found_in_one_run(boxes, tmp_path):
    rows = as_rows(moving_boxes(5))
    (boxes / 'a/groundtruth_rect.txt').write_text('\n'.join(rows[:4]))
    rows[1], rows[3] = '100,3,9,9', '5,40,9,9'
    (boxes / 'b/groundtruth_rect.txt').write_text('\n'.join(rows))
    rows[1:4] = ['3,4,nan,5', 'nan,nan,nan,nan', '5,6,7,8']
    (boxes / 'c/groundtruth_rect.txt').write_text('\n'.join(rows))
    for name in ('d', 'e'):
        write_otb(tmp_path, name, range(1, 3), {'groundtruth_rect.txt': ['1,2,x,4', '1,2,3,4']})
    write_otb(tmp_path, 'f', range(1, 4), {'groundtruth_rect.txt': ['1,2,3,4'] * 3})
    (boxes / 'f/img/0002.jpg').write_bytes(b'x')
    planted = [
        ('index', '"a": 5 images'),
        ('box outside', 'b: frames 1, 3'),
        ('index', '"c": NaN and numbers in one box'),
        ('index', 'd/groundtruth_rect.txt, line 1'),
        ('index', 'e/groundtruth_rect.txt, line 1'),
        ('undecodable file', 'f/img/0002.jpg'),
    ]
    assert_found(errors(boxes, 'OTBDataset'), planted)


def test_frames_without_target_are_a_note_and_a_late_start_an_error_in_tests(davis):
    for number in (0, 3):
        write_mask(davis / f'Annotations/480p/b/{number:05d}.png', MASKS[0] * 0)
    assert errors(davis, 'DavisDataset') == []
    (note,) = notes(davis, 'DavisDataset')
    assert (note.kind, note.where) == ('frames without target', 'b')
    assert note.message == 'frames 0, 3'
    (error,) = errors(davis, 'DavisDataset', test_mode=True)
    assert (error.kind, error.where) == ('late target', 'b')


def test_unknown_object_and_box_over_the_border_are_notes(davis, boxes):
    write_mask(davis / 'Annotations/480p/c/00002.png', filled(30, 20, 35, 25, 3, base=MASKS[2]))
    (note,) = notes(davis, 'DavisDataset', multi_object=True, late_objects=False)
    assert note.kind == 'unknown object'
    assert 'objects 3 belong to no track' in note.message
    (boxes / 'a/groundtruth_rect.txt').write_text('\n'.join(['-5,3,20,9'] * 5))
    (note,) = notes(boxes, 'OTBDataset')
    assert (note.kind, note.message) == ('box over the border', 'frames 0, 1, 2, 3, 4')


def write_coco(root, images, annotations):
    root.mkdir(exist_ok=True)
    content = dict(images=images, annotations=annotations)
    (root / 'annotations.json').write_text(json.dumps(content))
    return root


def test_images_of_another_size_than_stated_are_errors(tmp_path):
    root = tmp_path / 'coco'
    write_image(root / 'images/same.jpg')
    write_image(root / 'images/small.jpg', (16, 22))
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (WIDTH, HEIGHT)).save(root / 'images/turned.jpg', exif=exif)
    names = ('same', 'small', 'turned')
    images = [dict(id=name, file_name=f'{name}.jpg', height=HEIGHT, width=WIDTH) for name in names]
    annotations = [
        dict(id=number, image_id=names[number % 3], bbox=[2, 2, 9, 9]) for number in range(6)
    ]
    write_coco(root, images, annotations)
    planted = [
        ('image size', 'small.jpg: 22x16 pixels, but the annotations are made for 44x32'),
        ('image size', 'turned.jpg: 32x44 pixels, but the annotations are made for 44x32'),
    ]
    assert_found(errors(root, 'CocoTrackDataset'), planted)


def test_all_faults_of_a_coco_file_are_found_in_one_run(tmp_path):
    root = tmp_path / 'coco'
    write_image(root / 'images/a.jpg')
    image = dict(id=1, file_name='a.jpg', height=HEIGHT, width=WIDTH)
    good = dict(image_id=1, bbox=[2, 2, 9, 9])
    square = [[2, 2, 11, 2, 11, 11, 2, 11]]
    annotations = [
        dict(good, id=1, segmentation=square),
        dict(good, id=1),
        dict(good, id=2, image_id=5),
        dict(good, id=3, bbox=[1, 1, float('nan'), 4]),
        dict(good, id=4, bbox=[1, 1, float('inf'), 4]),
        dict(good, id=5, bbox=None),
        dict(good, id=6, segmentation=dict(size=[HEIGHT, WIDTH], counts=[0, 9999])),
        dict(good, id=7, bbox=[100, 100, 9, 9]),
        dict(good, id=8, segmentation=[[1, 2, 3, 4]]),
        dict(good, id=9, iscrowd=1),
        dict(good, id=10, bbox=[9, 9, -5, 5]),
    ]
    write_coco(root, [image, dict(image, id=2, height=10**6, width=10**6)], annotations)
    planted = [
        ('index', 'annotations.json: image 2: '),
        ('index', 'two annotations have the id 1'),
        *(('index', f'annotations.json: annotation {number}: ') for number in range(2, 7)),
        ('box outside', 'a.jpg-7'),
    ]
    assert_found(errors(root, 'CocoTrackDataset'), planted)
    left_out = [note.message for note in notes(root, 'CocoTrackDataset')]
    assert any('1 crowd: a group of objects (first: annotation 9)' in line for line in left_out)
    assert any('left out 1 instances below 1.0 px^2' in line for line in left_out)
    assert any('fewer than three corners (first: annotation 8)' in line for line in left_out)


def test_soft_masks_void_pixels_and_mixed_masks_are_told(davis):
    soft = np.where(MASKS[0], 255, 0).astype(np.uint8)
    soft[1, 3:9] = 90
    for number in range(5):
        path = davis / f'Annotations/480p/a/{number:05d}.png'
        Image.fromarray(soft).save(path)
    write_mask(davis / 'Annotations/480p/b/00002.png', filled(30, 20, 35, 25, 255, base=MASKS[2]))
    for number in range(5):
        grey = MASKS[number] * (255 if number < 2 else 40)
        Image.fromarray(grey).save(davis / f'Annotations/480p/c/{number:05d}.png')
    never_white = MASKS[4].copy()
    never_white[2:12, 4:14] = np.arange(100).reshape(10, 10) + 1
    Image.fromarray(never_white).save(davis / 'Annotations/480p/b/00004.png')
    told = {(note.kind, note.where): note.message for note in notes(davis, 'DavisDataset')}
    assert set(told) == {('soft mask', 'a'), ('void pixels', 'b'), ('many objects', 'b')}
    assert '5 grey masks' in told['soft mask', 'a']
    assert "mask_values='ids'" in told['soft mask', 'a']
    assert_found(errors(davis, 'DavisDataset'), [('mixed masks', 'c: ')])


def test_frames_with_an_unknown_ending_are_errors(davis, boxes):
    (davis / 'JPEGImages/480p/b/00005.jp2').touch()
    assert_found(errors(davis, 'DavisDataset'), [('unknown ending', '480p/b: 00005.jp2')])
    (boxes / 'b/img/0006').touch()
    assert_found(errors(boxes, 'OTBDataset'), [('unknown ending', 'b/img: 0006 cannot')])


def test_images_and_masks_with_too_many_pixels_are_found(davis):
    def ihdr(path):
        data = bytearray(path.read_bytes())
        data[16:24] = b'\0\3' * 4
        path.write_bytes(bytes(data))

    ihdr(davis / 'Annotations/480p/a/00001.png')
    write_image(davis / 'JPEGImages/480p/b/00001.png')
    (davis / 'JPEGImages/480p/b/00001.jpg').unlink()
    ihdr(davis / 'JPEGImages/480p/b/00001.png')
    planted = [('undecodable file', 'a/00001.png'), ('undecodable file', 'b/00001.png')]
    assert_found(errors(davis, 'DavisDataset'), planted)


@pytest.mark.parametrize(
    'line', ['1,2,inf,4', '1e9,2,3,4', 'inf,2,3,4,5,6', 'm0,0,1,1,9', '1,2,x,4']
)
def test_lines_with_impossible_numbers_are_errors(boxes, line):
    rows = as_rows(moving_boxes(5))
    rows[2] = line
    (boxes / 'b/groundtruth_rect.txt').write_text('\n'.join(rows))
    planted = [('index', 'b/groundtruth_rect.txt, line 3: ')]
    assert_found(errors(boxes, 'OTBDataset'), planted)


def test_other_benchmarks_are_checked_through_their_datasets(tmp_path):
    root = write_got10k(tmp_path, dict(val=4))
    folder = root / 'val/GOT-10k_Val_000002'
    (folder / '00000002.jpg').write_bytes(b'')
    (folder.parent / 'GOT-10k_Val_000001/cover.label').unlink()
    planted = [('index', 'cover.label does not exist'), ('undecodable file', '00000002.jpg')]
    assert_found(errors(root, 'GOT10kDataset', split='val'), planted)
    vot = write_vot(
        tmp_path, {'x': ['m1,1,2,2,0,4', 'm1,1,2,2,9', '1,2,3,4'], 'y': ['1,2,3,4'] * 3}
    )
    assert_found(errors(vot, 'VOTDataset'), [('index', 'x/groundtruth.txt, line 2')])
    objects = {'v': {'1': ['00000', '00005'], '2': ['00005']}, 'w': {'1': ['00005']}}
    masks = {'00000': MASKS[0], '00005': filled(30, 20, 39, 29, value=2, base=MASKS[1])}
    data = write_youtube_vos(tmp_path, 'train', {'v': masks, 'w': masks}, objects)
    (data / 'train/JPEGImages/w/00005.jpg').unlink()
    assert_found(errors(data, 'YouTubeVOSDataset'), [('index', '"w": no image of frame 00005')])


def test_folder_that_is_not_there_is_one_issue(tmp_path):
    (issue,) = errors(tmp_path / 'none', 'DavisDataset')
    assert issue.kind == 'index'
    with pytest.raises(TypeError, match='ImageFolderDataset is not a dataset of tracks'):
        list(check_dataset(dict(type='ImageFolderDataset', data_root=str(tmp_path))))


# the command


@pytest.fixture
def tool():
    return load_script(ROOT / 'tools/dataset_converters/check_dataset.py')


def test_command_sums_up_and_tells_by_its_exit_code(tool, davis, tmp_path, capsys):
    assert tool.main(['DavisDataset', str(davis)]) == 0
    assert '0 errors, 0 notes' in capsys.readouterr().out
    planted = plant_in_masks(davis)
    assert tool.main(['DavisDataset', str(davis), '--json', str(tmp_path / 'f.json')]) == 1
    text = capsys.readouterr().out
    assert f'{len(planted)} errors, 0 notes' in text
    assert '2 error undecodable file' in text
    kinds = [issue['kind'] for issue in json.loads((tmp_path / 'f.json').read_text())]
    assert sorted(kinds) == sorted(kind for kind, _ in planted)


def test_command_checks_all_data_of_a_config(tool, davis, boxes, tmp_path, capsys):
    config = tmp_path / 'mine.py'
    config.write_text(
        f"""
davis = dict(type='DavisDataset', data_root='{davis}')
train_dataloader = dict(dataset=dict(type='TrackPairDataset', datasets=[
    davis, dict(type='OTBDataset', data_root='{boxes}')]))
val_dataloader = dict(dataset=dict(davis, test_mode=True))
test_dataloader = val_dataloader
"""
    )
    (boxes / 'a/img/0001.jpg').write_bytes(b'')
    assert tool.main([str(config)]) == 1
    text = capsys.readouterr().out
    assert text.count(f'DavisDataset {davis}') == 2
    assert text.count(f'OTBDataset {boxes}') == 1
    assert '1 errors, 0 notes' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['DavisDataset'], 'give a config'),
        (['none.py'], 'none.py does not exist'),
        (['NoDataset', 'x'], 'there is no dataset NoDataset'),
    ],
)
def test_command_refuses_wrong_usage(tool, capsys, arguments, message):
    assert tool.main(arguments) == 2
    assert message in capsys.readouterr().err
