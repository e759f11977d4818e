"""A checkpoint that would run code on loading is refused by the scripts, and its code never runs."""

import os

import pytest
import torch


class MakesFolder:
    """Stands for any code: loading it without protection makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def unsafe(tmp_path):
    """A checkpoint with code in it, and the folder that the code would make."""
    path, folder = tmp_path / 'stranger.pth', tmp_path / 'code-ran'
    torch.save(dict(meta=dict(epoch=1), state_dict=dict(corner=MakesFolder(folder))), path)
    return path, folder


def test_payload_works_where_nothing_protects(unsafe):
    path, folder = unsafe
    torch.load(path, weights_only=False)
    assert folder.is_dir()


def test_testing_refuses_it_in_one_line(toy_project, unsafe):
    path, folder = unsafe
    done = toy_project.run_tool('test.py', 'toy.py', str(path))
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f'error: cannot read the checkpoint {path}: ')
    assert 'refuses for safety' in last
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize('how', ['resume', 'load_from'])
def test_training_does_not_start_from_it(toy_project, unsafe, tmp_path, how):
    path, folder = unsafe
    option = ['--resume', path] if how == 'resume' else ['--cfg-options', f'load_from={path}']
    done = toy_project.run_tool(
        'train.py', 'toy.py', '--work-dir', str(tmp_path / 'work'), *map(str, option)
    )
    assert done.returncode != 0
    assert 'Weights only load failed' in done.stderr
    assert not folder.exists()
    assert not list(tmp_path.glob('work/*.pth'))
