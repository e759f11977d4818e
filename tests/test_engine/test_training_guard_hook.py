"""Trainings that go wrong end with what to do, and leave good checkpoints alone."""

import math

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmpolar.engine import TrainingFailedError
from mmpolar.utils.checkpoints import CheckpointMismatchError
from mmpolar.utils.folder_lock import release_folder


class Model(BaseModel):
    """Its loss is infinite in the steps ``infinite``, counted from 0."""

    def __init__(self, infinite=(), outputs=2):
        super().__init__()
        self.layer = nn.Linear(3, outputs)
        self.norm = nn.BatchNorm1d(outputs)
        self.infinite, self.steps = infinite, 0

    def forward(self, inputs, mode='tensor'):
        loss = self.norm(self.layer(inputs)).square().mean()
        factor = math.inf if self.steps in self.infinite else 1.0
        self.steps += 1
        return dict(loss_cls=loss, loss_box=loss * factor)


@pytest.fixture
def make_runner(tmp_path):
    count = 0

    def make(model=None, batch_size=2, lr=0.01, loop=None, **options):
        nonlocal count
        count += 1
        return Runner(
            model=model or Model(),
            work_dir=str(tmp_path / 'w'),
            experiment_name=f'{tmp_path.name}-{count}',
            default_scope='mmpolar',
            train_dataloader=dict(
                dataset=[dict(inputs=torch.rand(3)) for _ in range(4)],
                sampler=dict(type='DefaultSampler', shuffle=False),
                batch_size=batch_size,
                drop_last=True,
                collate_fn=dict(type='default_collate'),
            ),
            train_cfg=loop or dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr)),
            default_hooks=dict(
                checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=1),
                guard=dict(type='TrainingGuardHook'),
            ),
            log_level='ERROR',
            **options,
        )

    yield make
    release_folder(tmp_path / 'w')


def saved(tmp_path):
    return sorted(path.name for path in (tmp_path / 'w').glob('*.pth'))


def test_a_good_training_comes_to_its_end(make_runner, tmp_path):
    make_runner().train()
    assert saved(tmp_path) == ['epoch_3.pth']


def test_a_loss_that_is_not_finite_ends_the_training_before_the_next_checkpoint(
    make_runner, tmp_path
):
    runner = make_runner(Model(infinite=[3]))
    message = r'in step 4 .*epoch 2\) loss_box is inf, loss is inf; .*learning rate \(it is 0\.01\)'
    with pytest.raises(TrainingFailedError, match=message):
        runner.train()
    assert saved(tmp_path) == ['epoch_1.pth']


def test_weights_that_are_not_finite_are_not_saved(make_runner, tmp_path):
    """The last step of an epoch spoils the weights: no loss tells of it before they are saved."""
    make_runner().train()
    runner = make_runner(resume=True)
    runner.train_loop._max_epochs = 4
    runner.model.layer.register_full_backward_hook(spoil_gradient(runner, step=8))
    with pytest.raises(TrainingFailedError, match=r'tensors of the model are not finite \(layer'):
        runner.train()
    assert saved(tmp_path) == ['epoch_3.pth']


def spoil_gradient(runner, step):
    def hook(module, grad_input, grad_output):
        if runner.iter + 1 == step:
            module.weight.register_hook(lambda gradient: gradient * math.nan)

    return hook


def test_an_epoch_without_a_batch_is_an_error(make_runner, tmp_path):
    with pytest.raises(TrainingFailedError, match='of 4 samples .* gets 4, and a batch takes 5'):
        make_runner(batch_size=5).train()
    assert saved(tmp_path) == []


def test_steps_without_a_batch_are_an_error_too(make_runner):
    """MMEngine would look for the first batch for ever."""
    with pytest.raises(TrainingFailedError, match='a batch takes 5'):
        make_runner(batch_size=5, loop=dict(by_epoch=False, max_iters=3)).train()


@pytest.mark.parametrize('wrapped', [False, True])
def test_a_checkpoint_of_which_nothing_fits_is_an_error(make_runner, tmp_path, wrapped):
    prefix = 'module.' if wrapped else ''
    weights = {f'{prefix}backbone.conv': torch.zeros(2), f'{prefix}layer.weight': torch.zeros(7, 7)}
    torch.save(dict(state_dict=weights), tmp_path / 'other.pth')
    with pytest.raises(CheckpointMismatchError, match=r'other\.pth fits the model.*backbone\.conv'):
        make_runner(load_from=str(tmp_path / 'other.pth')).train()


def test_a_checkpoint_that_fits_in_part_is_loaded(make_runner, tmp_path):
    torch.save(dict(state_dict={'module.layer.bias': torch.ones(2)}), tmp_path / 'part.pth')
    runner = make_runner(load_from=str(tmp_path / 'part.pth'), lr=0.0)
    runner.train()
    assert runner.model.layer.bias.tolist() == [1, 1]


def test_a_training_is_resumed_without_last_checkpoint(make_runner, tmp_path):
    make_runner().train()
    before = (tmp_path / 'w/epoch_3.pth').stat().st_mtime_ns
    (tmp_path / 'w/last_checkpoint').unlink()
    runner = make_runner(resume=True)
    runner.train()
    assert runner.epoch == 3
    assert (tmp_path / 'w/epoch_3.pth').stat().st_mtime_ns == before


def test_a_training_without_checkpoints_starts_anew_when_it_is_resumed(make_runner, tmp_path):
    make_runner(resume=True).train()
    assert saved(tmp_path) == ['epoch_3.pth']
