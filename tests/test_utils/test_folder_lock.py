"""One process at a time writes to a folder."""

import subprocess
import sys

import pytest

from mmpolar.utils.folder_lock import FolderInUseError, lock_folder, release_folder

HOLD = """
import sys
from mmpolar.utils.folder_lock import lock_folder
lock_folder(sys.argv[1], 'training')
print('locked', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b'locked\n'
    yield process
    process.kill()
    process.communicate()


def test_a_folder_in_use_is_refused_until_its_process_ends(other, tmp_path):
    with pytest.raises(FolderInUseError, match='another training is already in progress'):
        lock_folder(tmp_path, 'training')
    lock_folder(tmp_path / 'other', 'training')
    other.kill()
    other.wait()
    lock_folder(tmp_path, 'training')
    release_folder(tmp_path)
    release_folder(tmp_path / 'other')


def test_a_process_may_lock_its_folder_again(tmp_path):
    lock_folder(tmp_path, 'training')
    lock_folder(tmp_path, 'training')
    release_folder(tmp_path)
    release_folder(tmp_path)
