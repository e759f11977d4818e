"""tools/deployment/export_onnx.py with a small tracker."""

import argparse
from pathlib import Path

import pytest
import torch
from published_model import publish_small
from scripts import help_of, load_script
from small_export import CONFIG, small_tracker

from mmpolar.cli import export
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.deployment.quantize import CALIBRATION_CROPS
from mmpolar.model_zoo import FOLDER_VARIABLE
from mmpolar.runtime import OnnxEngine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return load_script(ROOT / 'tools' / 'deployment' / 'export_onnx.py')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('checkpoint') / 'weights.pth'
    torch.save(dict(state_dict=small_tracker().model.state_dict(), meta={}), path)
    return path


def test_tool_writes_int8_and_says_what_it_costs(tool, checkpoint, tmp_path, capsys):
    data = generate_dataset(tmp_path / 'data', 0, 2, frames=4, size=(160, 120), progress=False)
    out = tmp_path / 'model'
    options = ['--int8', '--calibration', str(data), '--eval', str(data), '--crops', '4']
    tool.main([str(CONFIG), str(checkpoint), '--out', str(out), *options])
    printed = capsys.readouterr().out
    assert 'the graphs equal the tracker' in printed
    lines = [line for line in printed.splitlines() if 'box IoU' in line]
    names = [line.split('box IoU')[0].strip() for line in lines]
    assert names == ['PyTorch', 'ONNX Runtime, float32', 'ONNX Runtime, int8']
    plain, exact, _ = (line.split('box IoU')[1] for line in lines)
    assert float(plain.split()[0]) == pytest.approx(float(exact.split()[0]), abs=0.01)
    assert OnnxEngine(out).manifest.precision == 'int8'


@pytest.mark.parametrize(
    ('config', 'weights', 'message'),
    [('nowhere.py', None, 'no config nowhere.py'), (None, 'nowhere.pth', 'nowhere.pth')],
)
def test_tool_names_what_is_missing(tool, checkpoint, tmp_path, capsys, config, weights, message):
    words = [config or str(CONFIG), weights or str(checkpoint), '--out', str(tmp_path)]
    assert tool.main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('spelling', ['small', 'mmpolar://small', 'small.pth'])
def test_a_trained_tracker_is_exported_by_its_name(tool, tmp_path, monkeypatch, capsys, spelling):
    path = publish_small(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    out = tmp_path / 'model'
    model = str(path) if spelling.endswith('.pth') else spelling
    assert tool.main([model, '--out', str(out)]) == 0
    assert 'the graphs equal the tracker' in capsys.readouterr().out
    assert OnnxEngine(out).n_rays == small_tracker().engine.n_rays


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (str(CONFIG), 'is a config: give its checkpoint too'),
        ('.', '. is a folder: give a config and its checkpoint, or a name'),
        ('mmpolar://nowhere', "there is no trained tracker 'nowhere'"),
    ],
)
def test_what_is_no_trained_tracker_is_named(tool, tmp_path, capsys, model, message):
    assert tool.main([model, '--out', str(tmp_path / 'model')]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


def test_tool_help_teaches(tool, capsys):
    printed = help_of(tool, capsys)
    assert 'layout of DAVIS' in printed
    assert '--static' in printed


def test_as_many_crops_as_in_python_unless_it_is_told():
    # The command's module does not import what needs ONNX, so the number is there twice.
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    assert parser.get_default('crops') == CALIBRATION_CROPS
