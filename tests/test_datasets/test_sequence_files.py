import numpy as np
import pytest

from mmpolar.datasets.sequence_files import (
    frame_number,
    frames_between,
    list_folders,
    match_by_stem,
    read_boxes,
    read_flags,
    read_names,
    write_boxes,
)


@pytest.mark.parametrize('one_based', [False, True])
def test_boxes_come_back(tmp_path, one_based):
    boxes = np.random.default_rng(0).uniform(1, 90, (20, 4)).round(2)
    boxes[:, 2:] += boxes[:, :2]
    boxes[7] = np.nan
    write_boxes(tmp_path / 'a.txt', boxes, one_based)
    np.testing.assert_allclose(read_boxes(tmp_path / 'a.txt', one_based), boxes, atol=1e-9)


def columns(*rows):
    return '\n'.join(','.join(str(value) for value in row) for row in rows)


@pytest.mark.parametrize(
    'text',
    [
        columns(*((i, 1, 10 + i, 9, 20, 20, -1, -1, -1, -1) for i in (1, 2, 3))),
        columns(*((i, 1, 10 + i, 9, 20, 20, 1, -1, -1, -1) for i in (1,))),
        columns((1, 1, 10, 9, 20, 20)),
        columns(*((i, 3, 10 + i, 9, 20, 20) for i in range(4))),
        columns(*((i // 2, i % 2, 10 + i, 9, 20, 20) for i in range(8))),
        columns(*((i, 3, 10 + i, 9, 20, 20, 1, 0) for i in range(4))),
        columns(*((i, 3, 10 + 2 * i, 9, 20, 20) for i in range(70, 90))),
    ],
)
def test_rows_of_mot_and_darklabel_are_no_polygons(tmp_path, text):
    (tmp_path / 'gt.txt').write_text(text)
    with pytest.raises(ValueError, match=r'gt\.txt has rows of .* as MOT and DarkLabel'):
        read_boxes(tmp_path / 'gt.txt')


@pytest.mark.parametrize(
    'text',
    [
        columns(*((10, 5, 20, 15, 10, 25) for _ in range(4))),
        columns(*((i, 5 + i, 20, 15, 10, 25) for i in range(4))),
        columns(*((i, 5, i + 20, 15, i + 10, 25, i + 3, 9) for i in range(4))),
        columns(*((i + 0.5, 5, 20, 15, 10, 25) for i in range(4))),
        columns((4, 0, 20, 15, 10, 25)),
        columns((0, 0, 20, 0, 20, 15, 0, 15)),
    ],
)
def test_polygons_of_three_to_five_corners_are_read(tmp_path, text):
    (tmp_path / 'gt.txt').write_text(text)
    assert np.isfinite(read_boxes(tmp_path / 'gt.txt')).all()


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-32'])
def test_files_with_a_byte_order_mark_are_read_without_it(tmp_path, encoding):
    (tmp_path / 'gt.txt').write_text('1,2,3,4\r\n5,6,7,8\r\n', encoding)
    assert read_boxes(tmp_path / 'gt.txt').shape == (2, 4)
    (tmp_path / 'list.txt').write_text('B\u00e4r\nWolf\n', encoding)
    assert read_names(tmp_path / 'list.txt') == ['B\u00e4r', 'Wolf']
    (tmp_path / 'flags.txt').write_text('0\n1\n', encoding)
    assert read_flags(tmp_path / 'flags.txt', 2).tolist() == [0, 1]


@pytest.mark.parametrize('text', ['0,1,0,1', '0\n1\n0\n1\n', '0\t1 0,1', '0, 1, 0, 1\n'])
def test_flags_with_any_separator(tmp_path, text):
    (tmp_path / 'flags.txt').write_text(text)
    flags = read_flags(tmp_path / 'flags.txt', 6)
    assert flags.tolist() == [0, 1, 0, 1, 0, 0]
    assert flags.dtype == np.uint8


def test_flags_that_are_no_small_numbers(tmp_path):
    path = tmp_path / 'flags.txt'
    path.write_text('0.5\n-1\n300\n')
    np.testing.assert_array_equal(read_flags(path, 3), np.float32([0.5, -1, 300]))
    with pytest.raises(ValueError, match=r'flags\.txt has 3 numbers for 2 frames'):
        read_flags(path, 2)
    path.write_text('yes\n')
    with pytest.raises(ValueError, match=r'flags\.txt: could not convert'):
        read_flags(path, 2)


def test_names_and_folders(tmp_path):
    for name in ('b', 'a', '.hidden', '_part'):
        (tmp_path / name).mkdir()
    (tmp_path / 'list.txt').write_text(' one \n\ntwo\r\n')
    assert list_folders(tmp_path) == ['a', 'b']
    assert read_names(tmp_path / 'list.txt') == ['one', 'two']
    with pytest.raises(FileNotFoundError, match='list file .* does not exist'):
        read_names(tmp_path / 'none.txt')


def test_frame_numbers():
    paths = [f'x12/img/{name}' for name in ('0007.jpg', 'frame_8.png', '9.jpg', '00010.jpg')]
    assert [frame_number(path) for path in paths] == [7, 8, 9, 10]
    assert frames_between(paths, 8, 9) == paths[1:3]
    with pytest.raises(ValueError, match='the name of image x/first.jpg has no number'):
        frame_number('x/first.jpg')


def test_masks_by_the_names_of_frames(tmp_path):
    for name in ('00001.png', '00003.png'):
        (tmp_path / name).touch()
    got = match_by_stem(['a/00001.jpg', 'a/00002.jpg', 'a/00003.jpg'], tmp_path)
    assert got == [str(tmp_path / '00001.png'), None, str(tmp_path / '00003.png')]
