"""MMEngine resumes from a checkpoint without running the config in it, wherever it comes from."""

import functools
import http.server
import os
import threading

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

import mmpolar.registry  # noqa: F401  (registers, as everything that trains imports it)
from mmpolar.utils.checkpoints import CheckpointReadError


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / 'files'
    folder.mkdir()
    meta = dict(config='raise SystemExit("ran")', epoch=3)
    torch.save(dict(meta=meta, state_dict=dict(a=torch.ones(2))), folder / 'a.pth')
    return folder / 'a.pth'


class MakesFolder:
    """Stands for any code: loading it without protection makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def address(checkpoint, tmp_path, monkeypatch):
    """The checkpoint on a web server of this machine."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=checkpoint.parent)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_the_config_that_resuming_would_run_is_left_out(checkpoint, address):
    for path in (str(checkpoint), f'{address}/a.pth'):
        got = CheckpointLoader.load_checkpoint(path, map_location='cpu', logger=None)
        assert got['meta'] == dict(epoch=3)
        assert torch.equal(got['state_dict']['a'], torch.ones(2))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*b\.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'b.pth'), logger=None)


def test_two_addresses_that_end_in_one_name_are_two_files(checkpoint, address):
    (checkpoint.parent / 'b').mkdir()
    torch.save(dict(state_dict=dict(a=torch.zeros(2))), checkpoint.parent / 'b/a.pth')
    for folder, value in (('', 1), ('/b', 0), ('', 1)):
        got = CheckpointLoader.load_checkpoint(f'{address}{folder}/a.pth', logger=None)
        assert got['state_dict']['a'].tolist() == [value, value]


def test_code_at_an_address_does_not_run(checkpoint, address, tmp_path):
    folder = tmp_path / 'code-ran'
    torch.save(dict(state_dict=dict(a=MakesFolder(folder))), checkpoint)
    with pytest.raises(CheckpointReadError, match=r'a\.pth was downloaded, but cannot read'):
        CheckpointLoader.load_checkpoint(f'{address}/a.pth', logger=None)
    assert not folder.exists()
    torch.load(checkpoint, weights_only=False)
    assert folder.is_dir(), 'the code does nothing, so the test above proves nothing'
