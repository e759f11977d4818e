"""A training that is killed in the middle of an epoch ends, once resumed, as an unbroken one."""

import pytest
import torch

import mmpolar.registry  # noqa: F401  (lets checkpoints be read)

pytestmark = pytest.mark.slow

CONFIG = """
_base_ = '{root}/tests/small_ocean.py'
custom_imports = dict(imports=['run_recorder'])
model = dict(backbone=dict(norm_eval=False))
made = dict(data_root='{folder}/data', num_train=2, num_val=1, frames=3, size=(160, 120))
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    dataset=dict(samples_per_epoch=6, datasets=[dict(type='SyntheticDataset', split='train', **made)]))
val_dataloader, val_cfg, val_evaluator = None, None, None
train_cfg = dict(max_epochs=3)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=7)]
randomness = dict(seed=0, deterministic=True)
"""
KILLED = """
_base_ = './small.py'
custom_hooks = [dict(type='KillHook', rank=0, after_iter=5)]
"""


@pytest.fixture(scope='module')
def folder(processes, tmp_path_factory):
    """Three epochs of three iterations: in one go, and killed after the fifth iteration."""
    folder = tmp_path_factory.mktemp('killed')
    (folder / 'small.py').write_text(CONFIG.format(root=processes.root, folder=folder))
    (folder / 'killed.py').write_text(KILLED)
    unbroken = processes.run_tool(
        'train.py', folder / 'small.py', '--work-dir', folder / 'unbroken'
    )
    assert unbroken.returncode == 0, unbroken.stderr
    killed = processes.run_tool('train.py', folder / 'killed.py', '--work-dir', folder / 'broken')
    assert killed.returncode == -9, killed.stderr
    assert [path.name for path in (folder / 'broken').glob('*.pth*')] == ['epoch_1.pth']
    return folder


def test_a_killed_training_resumes_to_the_same_weights(processes, folder):
    resumed = processes.run_tool(
        'train.py', folder / 'small.py', '--work-dir', folder / 'broken', '--resume'
    )
    assert resumed.returncode == 0, resumed.stderr
    assert 'resumed epoch: 1, iter: 3' in resumed.stdout + resumed.stderr
    unbroken, broken = (
        torch.load(folder / name / 'epoch_3.pth', weights_only=True)
        for name in ('unbroken', 'broken')
    )
    assert unbroken['meta']['iter'] == broken['meta']['iter'] == 9
    for name, value in unbroken['state_dict'].items():
        torch.testing.assert_close(broken['state_dict'][name], value, rtol=0, atol=0, msg=name)
    for index, state in unbroken['optimizer']['state'].items():
        for name, value in state.items():
            other = broken['optimizer']['state'][index][name]
            torch.testing.assert_close(other, value, rtol=0, atol=0)
    first = torch.load(folder / 'broken/epoch_2.pth', weights_only=True)['state_dict']
    assert any(not torch.equal(first[name], broken['state_dict'][name]) for name in first)
