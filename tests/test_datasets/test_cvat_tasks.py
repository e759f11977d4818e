from xml.etree import ElementTree

import pytest

from mmpolar.datasets.converters.cvat_tasks import Task, number_frames, read_tasks


def folder_of(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


def numbered(tmp_path, names, frames, first_shape=0):
    found = number_frames(folder_of(tmp_path, names), frames, first_shape)
    return {number: path.name for number, path in found.items()}


@pytest.mark.parametrize(
    ('meta', 'expected'),
    [
        ('', {'': Task('folder', '', None)}),
        ('<task><id>3</id><name>my clip</name></task>', {'3': Task('my_clip', '', None)}),
        (
            '<task><id>3</id><name>a/b</name><size>2</size><start_frame>5</start_frame>'
            '<stop_frame>10</stop_frame><frame_filter>step=3</frame_filter></task>',
            {'3': Task('a_b', '', range(5, 11, 3))},
        ),
        ('<job><id>3</id><size>4</size></job>', {'3': Task('folder', '', range(4))}),
        (
            '<project><tasks><task><id>1</id><name>x</name><subset>Train</subset></task>'
            '<task><id>2</id><name>y</name></task></tasks></project>',
            {'1': Task('x', 'Train', None), '2': Task('y', '', None)},
        ),
    ],
)
def test_tasks_of_a_file(meta, expected):
    root = ElementTree.fromstring(f'<annotations><meta>{meta}</meta></annotations>')
    assert read_tasks(root, 'folder') == expected


def test_tasks_that_only_images_and_tracks_name():
    body = '<track id="0" task_id="7"/><image name="a" task_id="8" subset="Test"/>'
    root = ElementTree.fromstring(f'<annotations>{body}</annotations>')
    assert read_tasks(root, 'x') == {
        '7': Task('task_7', '', None),
        '8': Task('task_8', 'Test', None),
    }


FROM_0 = [f'frame_{i:06d}.png' for i in range(4)]
FROM_1 = [f'{i:06d}.png' for i in range(1, 5)]


@pytest.mark.parametrize(
    ('names', 'frames', 'expected'),
    [
        (FROM_0, range(4), dict(enumerate(FROM_0))),
        (FROM_1, range(4), dict(enumerate(FROM_1))),
        (FROM_0, range(0, 4, 3), {0: FROM_0[0], 3: FROM_0[3]}),
        (FROM_0, range(0, 12, 3), {3 * i: name for i, name in enumerate(FROM_0)}),
        (FROM_0[:2], range(4), dict(enumerate(FROM_0[:2]))),
        (['b.png', 'a.png'], range(2), {0: 'a.png', 1: 'b.png'}),
        (FROM_1, range(1, 5), dict(enumerate(FROM_1, start=1))),
    ],
)
def test_images_get_the_numbers_of_the_frames(tmp_path, names, frames, expected):
    assert numbered(tmp_path, names, frames) == expected


@pytest.mark.parametrize(
    ('names', 'first_shape', 'first'),
    [(FROM_0, 0, 0), (FROM_0, 2, 0), (FROM_1, 0, 0), (FROM_1, 1, 1), (['a.png'], 0, 0)],
)
def test_images_of_a_task_whose_frames_are_not_known(tmp_path, names, first_shape, first):
    assert min(numbered(tmp_path, names, None, first_shape)) == first


@pytest.mark.parametrize(
    ('names', 'frames'),
    [
        (FROM_1[:3], range(4)),
        (['a.png', 'b.png'], range(3)),
        (FROM_0, range(10, 15)),
        (FROM_0, range(10**15)),
    ],
)
def test_images_that_are_other_frames_are_refused(tmp_path, names, frames):
    if len(frames) > 10**9:
        assert numbered(tmp_path, names, frames) == dict(enumerate(names))
        return
    with pytest.raises(ValueError, match=r'images, .* which are not those'):
        numbered(tmp_path, names, frames)


def test_missing_frames_and_unknown_endings_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no images in'):
        number_frames(tmp_path, None, 0)
    with pytest.raises(ValueError, match=r'frame_000004\.jp2 cannot be read'):
        numbered(tmp_path, [*FROM_0, 'frame_000004.jp2'], range(5))
