"""The code on docs/deployment.md runs as it stands there, and its table names what exists."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_export import small_model_folder, video

from mmpolar.cli.arguments import read_boxes
from mmpolar.cli.main import build_parser
from mmpolar.runtime import ModelManifest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'deployment.md').read_text()


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.M | re.S)


def commands():
    lines = '\n'.join(blocks('bash')).replace('\\\n', ' ').splitlines()
    return [line.partition('#')[0].split() for line in lines]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The folder ``model`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_model_folder(), tmp_path / 'model')


def test_python_blocks_run_one_after_the_other(model):
    names = dict(frames=video())
    for block in blocks('python'):
        exec(block, names)
    assert names['result'].mask.shape == (240, 320)
    np.testing.assert_allclose(names['first'].box, [100, 80, 160, 120])
    assert len(names['results']) == 3
    assert names['tracker'].ids == (0, 1)


def test_commands_are_understood():
    parsed = [
        build_parser(words[1:]).parse_args(words[1:])
        for words in commands()
        if words[:1] == ['mmpolar']
    ]
    exports = [args for args in parsed if 'int8' in args]
    assert [args.int8 for args in exports] == [False, True]
    tracks = [args for args in parsed if 'box' in args]
    assert [read_boxes(args.box).tolist() for args in tracks] == [
        read_boxes(['100,80,60,40']).tolist()
    ] * 2
    assert [args.model for args in tracks] == [None, 'model']


def test_table_names_the_files_and_kernels_of_a_folder():
    manifest = ModelManifest.read(small_model_folder())
    for name in [*manifest.file_sha256, 'model.json', manifest.kernels[0], manifest.kernels[-1]]:
        assert f'`{name}`' in PAGE
