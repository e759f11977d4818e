"""Files and folders that take their name in one step."""

import pytest

from mmpolar.utils.atomic_write import atomic_path, atomic_write


def test_file_takes_its_name_when_the_block_ends(tmp_path):
    path = tmp_path / 'new' / 'report.txt'
    with atomic_path(path) as unfinished:
        unfinished.write_text('whole')
        assert unfinished.parent == path.parent
        assert not path.exists()
    assert path.read_text() == 'whole'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_older_file_stays_if_the_block_raises(tmp_path, error):
    path = tmp_path / 'report.txt'
    atomic_write(path, 'old')

    def fail():
        with atomic_path(path) as unfinished:
            unfinished.write_text('ne')
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_folder_replaces_an_empty_one(tmp_path):
    path = tmp_path / 'results'
    path.mkdir()
    with atomic_path(path) as unfinished:
        unfinished.mkdir()
        (unfinished / 'a.txt').touch()
    assert [entry.name for entry in path.iterdir()] == ['a.txt']
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_obstacle(tmp_path):
    path = tmp_path / 'results'
    (tmp_path / 'results.tmp').mkdir()
    atomic_write(path, b'bytes')
    assert path.read_bytes() == b'bytes'
    assert list(tmp_path.iterdir()) == [path]
