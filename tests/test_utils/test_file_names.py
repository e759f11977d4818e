"""A name from a file stays one part of a path, unchanged, or is refused."""

import itertools
import os
from pathlib import Path

import pytest

from mmpolar.utils import video
from mmpolar.utils.deprecation import MMPolarDeprecationWarning
from mmpolar.utils.file_names import (
    FileNameError,
    check_file_name,
    check_path_parts,
    video_path_parts,
)


@pytest.mark.parametrize(
    'name', ['a', 'clip 1', 'größe', 'ocean-polar_effnet-lite0', 'a.b', '-x', '12:30', 'a*', '.a']
)
def test_plain_names_stay_as_they_are(name):
    assert check_file_name(name, 'a clip') == name


@pytest.mark.parametrize(
    'name',
    [
        '',
        '.',
        '..',
        '../a',
        '/a',
        'a/b',
        'a\\b',
        'a:b',
        'a\0',
        'a\n',
        None,
        3,
    ],
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(FileNameError, match='a clip is called'):
        check_file_name(name, 'a clip')


@pytest.mark.parametrize('path', ['a', 'a/b.png', '12:30/größe/a b.txt'])
def test_plain_paths_stay_as_they_are(path):
    assert check_path_parts(path, 'a file') == path


@pytest.mark.parametrize(
    'path', ['', '/a', 'a/', 'a//b', '../a', 'a/../../b', 'a/./b', 'a\\b', 'c:/a']
)
def test_paths_that_lead_elsewhere_are_refused(path):
    with pytest.raises(FileNameError, match='a part of a file'):
        check_path_parts(path, 'a file')


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('bear', 'bear'),
        ('set/bear', 'set/bear'),
        ('v1.2 (x)', 'v1.2 (x)'),
        ('größe', 'größe'),
        ('/abs//./bear', '%/abs/%/%2E/bear'),
        ('../up', '%2E%2E/up'),
        ('a:b*c?d\\e', 'a%3Ab%2Ac%3Fd%5Ce'),
        ('a_scores', 'a%5Fscores'),
        ('a.', 'a%2E'),
    ],
)
def test_video_path_parts_stay_below_their_folder(name, expected):
    assert video_path_parts(name).as_posix() == expected


def test_no_two_videos_share_a_file():
    signs = ['a', '.', '/', ':', '*', '%', '%3A', ' ', '_scores', '_', '\\', '\n']
    names = {''.join(parts) for n in (1, 2, 3, 4) for parts in itertools.product(signs, repeat=n)}
    files, root = {}, Path('/root/out')
    for name in names:
        stem = root / video_path_parts(name)
        assert root in Path(os.path.normpath(stem)).parents
        for end in ('.txt', '_scores.txt', '_seconds.txt'):
            file = str(stem.with_name(f'{stem.name}{end}'))
            assert files.setdefault(file, name) == name
    assert len(files) == 3 * len(names)


def test_a_video_without_a_name_is_refused():
    with pytest.raises(FileNameError, match="called ''"):
        video_path_parts('')


def test_the_old_place_of_video_path_parts_still_works():
    with pytest.warns(MMPolarDeprecationWarning, match='mmpolar.utils.file_names'):
        assert video.video_path_parts('a').as_posix() == 'a'
