"""Files and folders that take their name in one step."""

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from mmpolar.utils import atomic_write as module
from mmpolar.utils.atomic_write import atomic_path, atomic_table, atomic_write, scratch_folder


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


def test_folder_replaces_one_that_holds_files(tmp_path):
    path = tmp_path / 'results'
    path.mkdir()
    (path / 'old.txt').touch()
    with atomic_path(path) as unfinished:
        unfinished.mkdir()
        (unfinished / 'a.txt').touch()
        assert (path / 'old.txt').exists()
    assert [entry.name for entry in path.iterdir()] == ['a.txt']
    assert list(tmp_path.iterdir()) == [path]


KILLED_WHILE_WRITING = """
import os, signal, sys
from mmpolar.utils.atomic_write import atomic_path
writing = []
for name in ('results', 'folder'):
    writing.append(atomic_path(os.path.join(sys.argv[1], name)))
    unfinished = writing[-1].__enter__()
    unfinished.mkdir() if name == 'folder' else unfinished.write_text('ha')
    (unfinished / 'x').touch() if name == 'folder' else None
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path):
    done = subprocess.run([sys.executable, '-c', KILLED_WHILE_WRITING, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    atomic_write(tmp_path / 'results', b'bytes')
    assert (tmp_path / 'results').read_bytes() == b'bytes'
    assert [path.name for path in tmp_path.iterdir()] == ['results']


def test_what_a_process_writes_at_the_moment_is_left_alone(tmp_path, monkeypatch):
    with atomic_path(tmp_path / 'a') as unfinished:
        unfinished.write_text('half')
        monkeypatch.setattr(module, '_tidied', set())
        atomic_write(tmp_path / 'b', 'whole')
        assert unfinished.read_text() == 'half'


def test_a_reader_never_sees_parts_of_two_writers(tmp_path):
    path, size, stop = tmp_path / 'epoch_1.pth', 1 << 18, threading.Event()

    def write(letter):
        while not stop.is_set():
            atomic_write(path, letter * size, flush=False)

    atomic_write(path, b'a' * size)
    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b'a', b'b', b'c')]
    for writer in writers:
        writer.start()
    try:
        for _ in range(100):
            content = path.read_bytes()
            assert len(content) == size
            assert len(set(content)) == 1
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert list(tmp_path.iterdir()) == [path]


KILLED_WHILE_WORKING = """
import os, signal, sys
from mmpolar.utils.atomic_write import scratch_folder
with scratch_folder(sys.argv[1]) as folder:
    (folder / 'frames.raw').touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_scratch_folder_lives_as_long_as_the_block_unless_it_is_killed(tmp_path):
    subprocess.run([sys.executable, '-c', KILLED_WHILE_WORKING, str(tmp_path / 'new')], check=False)
    (left,) = (tmp_path / 'new').iterdir()
    with scratch_folder(tmp_path / 'new') as folder:
        (folder / 'frames.raw').write_bytes(b'pixels')
        assert folder.parent == tmp_path / 'new'
        assert not left.exists()
    assert not folder.exists()


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ('é' * 127)
    atomic_write(path, 'x')
    assert path.read_text() == 'x'


def test_a_stream_is_written_to_and_stays_one(tmp_path):
    fifo = tmp_path / 'fifo'
    os.mkfifo(fifo)
    reader = subprocess.Popen(['cat', fifo], stdout=subprocess.PIPE, text=True)
    atomic_write(fifo, 'x')
    assert reader.communicate(timeout=30)[0] == 'x'
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_table_is_written_in_one_step(tmp_path):
    path = tmp_path / 'table.csv'
    with atomic_table(path) as writer:
        writer.writerow(['a,b', 1])
        assert not path.exists()
    assert path.read_bytes() == b'"a,b",1\r\n'
