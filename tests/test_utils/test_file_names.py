"""A name from a file stays one part of a path, unchanged, or is refused."""

import pytest

from mmpolar.utils.file_names import FileNameError, check_file_name


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
