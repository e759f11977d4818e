import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.fileio import get_file_backend

import mmpolar.registry  # noqa: F401  (lets checkpoints be read)
from mmpolar.engine import AtomicLocalBackend

HERE = Path(__file__).resolve().parent
FILE_LIMIT = 100_000


@pytest.fixture(scope='module')
def trainings(tmp_path_factory):
    """The folder in which ``checkpoint_writer.py`` has trained, and how its processes ended."""
    folder = tmp_path_factory.mktemp('checkpoints')
    done = subprocess.run(
        [sys.executable, str(HERE / 'checkpoint_writer.py'), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | dict(PYTHONPATH=str(HERE.parents[1]), OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    (line,) = [text for text in done.stdout.splitlines() if text.startswith('STATUSES ')]
    return folder, json.loads(line.removeprefix('STATUSES '))


def test_death_while_saving_leaves_the_last_checkpoint_whole(trainings):
    folder, statuses = trainings
    assert os.WTERMSIG(statuses['AtomicCheckpointHook']) == signal.SIGXFSZ
    sizes = json.loads((folder / 'AtomicCheckpointHook.json').read_text())
    [unfinished] = [size for name, size in sizes.items() if name.startswith('.epoch_2.pth.')]
    assert unfinished == FILE_LIMIT
    assert 'epoch_2.pth' not in sizes
    assert sizes['epoch_1.pth'] > 2 * FILE_LIMIT


def test_training_goes_on_from_the_last_whole_checkpoint(trainings):
    folder, statuses = trainings
    assert statuses['resumed'] == 0
    work_dir = folder / 'AtomicCheckpointHook'
    (log,) = [text for text in map(Path.read_text, work_dir.glob('*/*.log')) if 'resumed' in text]
    assert 'resumed epoch: 1, iter: 2' in log
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_3.pth')
    assert torch.load(work_dir / 'epoch_3.pth', weights_only=True)['meta']['iter'] == 6
    left = {path.name for path in work_dir.iterdir() if '.pth' in path.name}
    assert left == {'epoch_3.pth'}


def test_without_the_hook_the_same_death_loses_the_training(trainings):
    """The comparison that shows what the hook is for."""
    folder, statuses = trainings
    assert os.WTERMSIG(statuses['CheckpointHook']) == signal.SIGXFSZ
    sizes = json.loads((folder / 'CheckpointHook.json').read_text())
    assert sizes['epoch_2.pth'] == FILE_LIMIT
    assert 'epoch_1.pth' not in sizes


def test_a_checkpoint_is_removed_only_when_its_successor_is_there(trainings):
    """In each epoch the checkpoint, then the best one, then the checkpoint again is written."""
    folder, statuses = trainings
    assert statuses['best'] == 0
    before = json.loads((folder / 'listing.json').read_text())
    best = 'best_toy_acc_epoch_{}.pth'.format
    assert before == [
        [],
        ['epoch_1.pth'],
        [best(1), 'epoch_1.pth'],
        [best(1), 'epoch_1.pth'],
        [best(1), 'epoch_2.pth'],
        [best(1), best(2), 'epoch_2.pth'],
        [best(2), 'epoch_2.pth'],
        [best(2), 'epoch_3.pth'],
        [best(2), best(3), 'epoch_3.pth'],
    ]
    left = {path.name for path in (folder / 'best').iterdir() if '.pth' in path.name}
    assert left == {best(3), 'epoch_3.pth'}


def test_backend_writes_bytes_and_text_into_new_folders(tmp_path):
    backend = get_file_backend(str(tmp_path), backend_args=dict(backend='atomic_local'))
    assert isinstance(backend, AtomicLocalBackend)
    backend.put(b'\0\1', tmp_path / 'a/b/bytes')
    backend.put_text('é', tmp_path / 'a/text')
    assert (tmp_path / 'a/b/bytes').read_bytes() == b'\0\1'
    assert (tmp_path / 'a/text').read_text(encoding='utf-8') == 'é'
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['a', 'b', 'bytes', 'text']


def test_backend_keeps_the_old_file_when_the_disk_takes_no_more(tmp_path):
    file = tmp_path / 'file'
    file.write_bytes(b'old')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match='File too large'):
            AtomicLocalBackend().put(b'x' * 2000, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read_bytes() == b'old'
    assert [path.name for path in tmp_path.iterdir()] == ['file']
