"""The dist_*.sh scripts with two processes on the CPU."""

import json
import socket
from pathlib import Path

import pytest
import torch

import mmpolar.registry  # noqa: F401  (lets checkpoints be read)

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def test_two_processes_train_and_test_as_one(toy_project):
    done = toy_project.run(
        'env', f'PORT={free_port()}', 'bash', str(TOOLS / 'dist_train.sh'), 'toy.py', '2',
        '--cfg-options', 'train_cfg.max_epochs=1',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    checkpoint = toy_project.folder / 'work_dirs/toy/epoch_1.pth'
    state = torch.load(checkpoint, weights_only=True)
    assert state['meta']['iter'] == 3  # six frames, shared by two
    assert not any(name.startswith('module.') for name in state['state_dict'])

    done = toy_project.run(
        'env', f'PORT={free_port()}', 'bash', str(TOOLS / 'dist_test.sh'), 'toy.py',
        str(checkpoint), '2', '--work-dir', 'tested',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [report] = toy_project.folder.glob('tested/*/*.json')
    metrics = json.loads(report.read_text())
    assert metrics['toy/frames'] == 6
    assert metrics['toy/left'] == pytest.approx(float(state['state_dict']['corner']), abs=1e-4)


@pytest.mark.parametrize(
    'script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_script_without_arguments_shows_usage(toy_project, script):
    done = toy_project.run('bash', str(TOOLS / script), 'toy.py')
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')
