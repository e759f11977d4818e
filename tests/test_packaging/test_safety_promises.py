"""What the documentation calls safe is safe: code in a file of each kind does not run in any reader."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from published_model import SAID, publish_small
from scripts import load_script
from small_export import small_model_folder
from torch import nn
from torch.serialization import get_unsafe_globals_in_checkpoint

from mmpolar.apis import init_tracker
from mmpolar.cli.errors import USAGE_ERROR
from mmpolar.cli.main import main as mmpolar
from mmpolar.model_zoo import PACKAGE_FOLDER
from mmpolar.runtime import ModelFolderError, OnnxEngine
from mmpolar.runtime.model_folder import file_sha256
from mmpolar.utils.checkpoints import CheckpointReadError, check_resumable, read_release_checkpoint

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs/checkpoints.md'
REFUSED = (CheckpointReadError, ModelFolderError, SystemExit)


class MakesFolder:
    """Stands for any code: loading it without protection makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def run(script, *arguments):
    """Run a script of ``tools`` in this process; its exit status ends it as in a shell."""
    load_script(ROOT / 'tools' / script).main([str(word) for word in arguments])


def open_as_graph(path):
    """Put the file into a model folder in place of a graph, with its hash, and use it."""
    folder = path.with_name('model')
    folder.mkdir()
    for file in small_model_folder().iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    old, new = file_sha256(folder / 'template.onnx'), file_sha256(path)
    (folder / 'template.onnx').write_bytes(path.read_bytes())
    description = folder / 'model.json'
    description.write_text(description.read_text().replace(old, new))
    return folder


def resume(path):
    for read in (check_resumable, CheckpointLoader.load_checkpoint):
        with pytest.raises(CheckpointReadError):
            read(str(path))
    raise CheckpointReadError


def track(path):
    frames = path.with_name('frames')
    frames.mkdir()
    cv2.imwrite(str(frames / '0.png'), np.zeros((48, 64, 3), np.uint8))
    command = ['track', frames, '--box', '9,9,20,20', '--results', path.with_name('r.json')]
    status = mmpolar([*map(str, command), '--model', str(open_as_graph(path))])
    assert status == USAGE_ERROR
    raise ModelFolderError


#: What the page names as safe, and how it reads a file; ``zoo/small.pth`` is a release checkpoint.
READERS = {
    'init_tracker': lambda path: init_tracker(path.stem),
    'export_model_zoo.py': lambda path: run('deployment/export_model_zoo.py', path.stem),
    'add_mask_stage.py': lambda path: run(
        'model_converters/add_mask_stage.py', 'small', path, *SAID, '--out', path.with_name('o')
    ),
    'tools/test.py': lambda path: load_script(ROOT / 'tools/test.py').load_checkpoint(
        SimpleNamespace(model=nn.Linear(1, 1)), str(path)
    ),
    'publish_model.py': lambda path: run(
        'model_converters/publish_model.py', path, *SAID, '--out', path.with_name('o')
    ),
    '--resume': resume,
    'load_from': lambda path: CheckpointLoader.load_checkpoint(str(path)),
    'OnnxEngine': lambda path: OnnxEngine(open_as_graph(path)).encode(None, None),
    'mmpolar track': track,
}


def promised():
    """The readers that the page's table names as safe."""
    rows = re.findall(r'^\|.*\| (safe: [^|]*)\|$', PAGE.read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r'`([^`]*)`', row.split('. ')[0])}


def test_each_promise_is_tested():
    assert promised() == set(READERS)


@pytest.fixture
def file_with_code(tmp_path, monkeypatch):
    """A checkpoint in the folder of models, and the folder that the code in it would make."""
    zoo, folder = tmp_path / 'zoo', tmp_path / 'code-ran'
    publish_small(zoo)
    content = torch.load(zoo / 'small.pth', weights_only=True)
    content['state_dict']['code'] = MakesFolder(folder)
    torch.save(content, zoo / 'bad.pth')
    monkeypatch.setenv('MMPOLAR_MODEL_ZOO', str(zoo))
    return zoo / 'bad.pth', folder


@pytest.mark.parametrize('name', READERS)
def test_code_does_not_run(file_with_code, name):
    path, folder = file_with_code
    with pytest.raises(REFUSED):
        READERS[name](path)
    assert not folder.exists()


def test_a_name_with_the_scheme_reads_as_safely(file_with_code):
    path, folder = file_with_code
    with pytest.raises(CheckpointReadError):
        CheckpointLoader.load_checkpoint('mmpolar://bad')
    assert not folder.exists()


def test_the_code_would_run_where_nothing_protects(file_with_code):
    path, folder = file_with_code
    torch.load(path, weights_only=False)
    assert folder.is_dir()


@pytest.mark.parametrize('path', sorted(PACKAGE_FOLDER.glob('*.pth')), ids=lambda path: path.stem)
def test_packaged_checkpoints_need_nothing_but_tensors_and_plain_values(path):
    assert get_unsafe_globals_in_checkpoint(path) == []
    assert read_release_checkpoint(path).name == path.stem
