"""Training and testing with several processes, from the command line to the values."""

import json

import pytest

pytestmark = pytest.mark.slow

# 10 samples for 2 processes, batches of 2: 2 iterations an epoch, and one sample left over each.
CONFIG = """
_base_ = '{root}/tests/small_ocean.py'
custom_imports = dict(imports=['run_recorder'])
model = dict(backbone=dict(frozen_stages=1, norm_eval=False))
made = dict(data_root='{folder}/data', num_train=3, num_val=2, frames=4, size=(160, 120))
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    dataset=dict(samples_per_epoch=8, datasets=[dict(type='SyntheticDataset', split='train', **made)]))
val_dataloader = dict(dataset=dict(**made))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = [dict(type='StepLR', step_size=1, gamma=0.5)]
custom_hooks = [dict(type='RecordHook', folder='{folder}/recorded')]
"""


def records(folder, ranks):
    return [json.loads((folder / f'rank{rank}.json').read_text()) for rank in range(ranks)]


def values(work_dir):
    """The tracking values in the newest scalars or metrics file of a work directory."""
    (file,) = [*work_dir.glob('*/vis_data/scalars.json'), *work_dir.glob('*/[0-9]*.json')][:1]
    last = json.loads(file.read_text().splitlines()[-1])
    return {name: value for name, value in last.items() if name.startswith('track/')}


@pytest.fixture(scope='module')
def project(processes, tmp_path_factory):
    """A tracker that two processes have trained and validated."""
    folder = tmp_path_factory.mktemp('project')
    (folder / 'small.py').write_text(CONFIG.format(root=processes.root, folder=folder))
    done = processes.run_script(
        'dist_train.sh', folder / 'small.py', 2, '--work-dir', folder / 'trained'
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope='module')
def tested_by_one(processes, project):
    done = processes.run_tool(
        'test.py', project / 'small.py', project / 'trained/epoch_2.pth',
        '--work-dir', project / 'one', '--cfg-options', 'custom_hooks=[]',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return values(project / 'one')


def test_each_sample_is_drawn_once_per_epoch(project):
    ranks = records(project / 'recorded', 2)
    for epoch in (0, 1):
        seen = [rank['samples'][str(epoch)] for rank in ranks]
        assert [len(samples) for samples in seen] == [4, 4]
        assert sorted(seen[0] + seen[1]) == list(range(8 * epoch, 8 * epoch + 8))


def test_processes_end_an_epoch_with_the_same_batch_statistics(project):
    first, second = (rank['buffers'] for rank in records(project / 'recorded', 2))
    assert any('running_mean' in name for name in first)
    assert first == second


def test_validation_by_two_is_a_test_by_one(project, tested_by_one):
    assert len(tested_by_one) == 11
    assert values(project / 'trained') == tested_by_one


def test_two_processes_share_the_videos(project):
    frames = [rank['frames'] for rank in records(project / 'recorded', 2)]
    videos = [[[f'val-000{rank}', frame] for frame in range(4)] for rank in (0, 1)]
    assert frames == videos


def test_three_processes_test_two_videos_as_one_does(processes, project, tested_by_one):
    done = processes.run_script(
        'dist_test.sh', project / 'small.py', project / 'trained/epoch_2.pth', 3,
        '--work-dir', project / 'three',
        '--cfg-options', f'custom_hooks.0.folder={project}/three',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert values(project / 'three') == tested_by_one
    assert [len(rank['frames']) for rank in records(project / 'three', 3)] == [4, 4, 0]
