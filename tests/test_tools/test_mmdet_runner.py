"""MMDetection's own scripts train and test mmpolar: nothing but the config names it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmdet
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmpolar.registry import MODELS
from mmpolar.utils.checkpoints import load_weights

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(mmdet.__file__).parent / '.mim' / 'tools'
CONFIG = """
_base_ = '{root}/tests/small_ocean.py'
made = dict(data_root='{data}', num_train=3, num_val=2, frames=3, size=(120, 90))
train_dataloader = dict(
    dataset=dict(samples_per_epoch=8, datasets=[dict(type='SyntheticDataset', split='train', **made)]))
val_dataloader = dict(dataset=dict(**made))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = []
default_hooks = dict(logger=dict(interval=1))
"""


def run_script(name, *arguments, cwd):
    """Run one of MMDetection's scripts, with the package importable and no more."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A small project, trained and then tested by MMDetection's scripts."""
    folder = tmp_path_factory.mktemp('mmdet')
    (folder / 'small.py').write_text(CONFIG.format(root=ROOT, data=folder / 'data'))
    run_script('train.py', 'small.py', '--work-dir', 'trained', cwd=folder)
    run_script('test.py', 'small.py', 'trained/epoch_1.pth', '--work-dir', 'tested', cwd=folder)
    return folder


def test_training_changes_the_weights_of_our_model(project):
    model = MODELS.build(Config.fromfile(project / 'small.py').model)
    assert load_weights(model, project / 'trained' / 'epoch_1.pth')['iter'] == 2
    optimizer = torch.load(project / 'trained' / 'epoch_1.pth', weights_only=True)['optimizer']
    moved = [state['exp_avg'].abs().max() > 0 for state in optimizer['state'].values()]
    assert len(moved) > 10
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert sum(moved) > 0.9 * len(moved)


def test_training_logs_the_losses_and_validates(project):
    [log] = (project / 'trained').glob('*/vis_data/scalars.json')
    *steps, validation = map(json.loads, log.read_text().splitlines())
    names = ('loss', 'loss_cls', 'loss_bbox', 'loss_align', 'loss_polar')
    assert len(steps) == 2
    assert all(np.isfinite(step[name]) for step in steps for name in names)
    assert 0 <= validation['track/J'] <= 1


def test_testing_measures_what_validation_measured(project):
    [log] = (project / 'trained').glob('*/vis_data/scalars.json')
    validation = json.loads(log.read_text().splitlines()[-1])
    [report] = (project / 'tested').glob('*/*.json')
    metrics = json.loads(report.read_text())
    tracked = {name: value for name, value in metrics.items() if name.startswith('track/')}
    assert {'track/success', 'track/J', 'track/ceiling'} <= set(tracked)
    for name, value in tracked.items():
        assert value == pytest.approx(validation[name], abs=1e-6), name
