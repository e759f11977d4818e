"""How processes are started, and how a job ends when one of them dies."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from mmengine.config import Config
from scripts import load_script
from torch import device, distributed

from mmpolar.cli.training import read_config, start_cpu_processes

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
CONFIG = """
_base_ = ['{root}/configs/_base_/default_runtime.py']
custom_imports = dict(imports=['toy_tracker', 'run_recorder'])
model = dict(type='ToyTracker')
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(type='ToySquares', folder='{folder}/frames'),
    sampler=dict(type='DefaultSampler', shuffle=False))
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
"""


@pytest.fixture
def config(processes, tmp_path):
    path = tmp_path / 'toy.py'
    path.write_text(CONFIG.format(root=processes.root, folder=tmp_path))
    return path


@pytest.mark.parametrize('tool', ['train', 'test'])
@pytest.mark.parametrize('option', ['--local-rank', '--local_rank'])
def test_both_spellings_of_the_local_rank_are_understood(tool, option, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '')
    monkeypatch.delenv('LOCAL_RANK')
    module = load_script(TOOLS / f'{tool}.py')
    config = str(TOOLS.parent / 'configs/_base_/default_runtime.py')
    checkpoint = ['checkpoint.pth'] if tool == 'test' else []
    read_config(module.parse_args([config, *checkpoint, f'{option}=3', '--launcher', 'pytorch']))
    assert os.environ['LOCAL_RANK'] == '3'


@pytest.mark.slow
def test_two_machines_train_together(processes, config, tmp_path):
    """Two launchers with one process each, as on two machines, here both on this one."""
    shared = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=processes.free_port())
    script = ['bash', TOOLS / 'dist_train.sh', config, 1, '--work-dir', tmp_path / 'work']
    children = [processes.start(script, NODE_RANK=str(node), **shared) for node in (0, 1)]
    finished = [processes.finish(child) for child in children]
    assert [child.returncode for child in finished] == [0, 0], finished[0].stderr
    # Six samples for two: three iterations an epoch. Rank 0 alone logs.
    assert 'Epoch(train) [2][3/3]' in finished[0].stdout + finished[0].stderr
    assert (tmp_path / 'work/epoch_2.pth').is_file()


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_is_named(processes, config, tmp_path):
    deadly = tmp_path / 'deadly.py'
    hook = "dict(type='KillHook', rank=1, after_iter=5)"
    deadly.write_text(f"_base_ = '{config}'\ncustom_hooks = [{hook}]\n")
    done = processes.run_script('dist_train.sh', deadly, 2, '--work-dir', tmp_path / 'work')
    assert done.returncode != 0
    assert 'Signal 9 (SIGKILL)' in done.stderr
    assert 'rank      : 1' in done.stderr
    assert (tmp_path / 'work/last_checkpoint').read_text().endswith('epoch_1.pth')


def test_the_time_that_processes_wait_for_each_other_is_that_of_the_config(tmp_path, monkeypatch):
    for name, value in dict(RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1').items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('MASTER_PORT', '0')
    cfg = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=77))))
    start_cpu_processes(cfg)
    try:
        group = distributed.distributed_c10d._get_default_group()
        assert group._get_backend(device('cpu')).options._timeout == timedelta(seconds=77)
        assert cfg.env_cfg.dist_cfg == dict(backend='gloo', timeout=77)
    finally:
        distributed.destroy_process_group()
