import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmpolar.mining import ConvergenceHook

EPOCH_LENGTH = 4


class ScriptedModel(BaseModel):
    """Has the losses of a list, one after the other, and counts the updates of its weight."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses
        self.weight = nn.Parameter(torch.zeros(()))
        self.num_forwards = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        loss = self.losses[min(self.num_forwards, len(self.losses) - 1)]
        self.num_forwards += 1
        # A gradient of -1: with a rate of 1, each update adds 1 to the weight.
        return dict(loss_cls=loss - self.weight + self.weight.detach())


class Miner(Hook):
    """Says what a mining round found in each epoch."""

    def __init__(self, **metrics):
        self.metrics = metrics

    def before_train_epoch(self, runner):
        found = {name: values[runner.epoch] for name, values in self.metrics.items()}
        runner.message_hub.update_info('mining', found)


def run(tmp_path, losses, loop='GroupTrainLoop', max_epochs=6, miner=None, **options):
    resume = options.pop('load_from', None)
    criterion = dict(window=2, tolerance=0.1, patience=1) | options
    model = ScriptedModel(losses)
    by_epoch = loop != 'IterBasedTrainLoop'
    length = dict(max_epochs=max_epochs) if by_epoch else dict(max_iters=max_epochs * EPOCH_LENGTH)
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        experiment_name=f'convergence_{tmp_path.name}_{id(model)}',
        default_scope='mmpolar',
        train_dataloader=dict(
            dataset=[dict(inputs=torch.zeros(1)) for _ in range(EPOCH_LENGTH)],
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False),
            batch_size=1,
        ),
        train_cfg=dict(type=loop, **length),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        default_hooks=dict(
            checkpoint=dict(type='AtomicCheckpointHook', interval=99, by_epoch=by_epoch)
        ),
        custom_hooks=[*([miner] if miner else []), dict(type='ConvergenceHook', **criterion)],
        load_from=resume,
        resume=resume is not None,
    )
    runner.train()
    return runner


def updates(runner):
    return int(runner.model.weight)


# Windows of two: 10, 8, 6 fall; 5.9 is less than a tenth lower than 6.
FALLING_THEN_FLAT = [10, 10, 8, 8, 6, 6, 5.9, 5.9, 1, 1, 1, 1]


def test_the_group_that_completes_the_criterion_is_not_used(tmp_path):
    runner = run(tmp_path, FALLING_THEN_FLAT)
    assert runner.model.num_forwards == 8
    assert updates(runner) == 7


def test_training_ends_inside_an_epoch(tmp_path):
    runner = run(tmp_path, [10, 10, 10, 10])
    assert runner.model.num_forwards == 4
    assert runner.epoch == 1
    runner = run(tmp_path, [10, 10, 9.5, 9.5, 9.5], window=1)
    assert (runner.model.num_forwards, runner.iter) == (2, 2)


def test_the_last_checkpoint_is_saved_all_the_same(tmp_path):
    run(tmp_path, [10, 10, 8, 8, 8, 8])
    checkpoint = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == 6
    assert checkpoint['state_dict']['weight'] == 5


def test_the_stock_loop_finishes_its_epoch(tmp_path):
    runner = run(tmp_path, [10, 10, 8, 8, 8, 8], loop='EpochBasedTrainLoop')
    assert (runner.epoch, runner.model.num_forwards, updates(runner)) == (2, 8, 8)
    assert (tmp_path / 'epoch_2.pth').is_file()


def test_the_stock_loop_by_iterations_ends_at_once(tmp_path):
    runner = run(tmp_path, [10, 10, 8, 8, 8, 8], loop='IterBasedTrainLoop')
    assert (runner.iter, updates(runner)) == (6, 6)
    assert (tmp_path / 'iter_6.pth').is_file()


def test_without_convergence_all_epochs_are_trained(tmp_path):
    losses = [100 * 0.8**n for n in range(24)]
    runner = run(tmp_path, losses)
    assert (runner.epoch, updates(runner)) == (6, 24)


def test_a_rising_loss_stands_still_too(tmp_path):
    assert run(tmp_path, [1, 1, 5, 5]).model.num_forwards == 4


def test_a_loss_that_is_not_a_number_is_no_convergence(tmp_path):
    assert updates(run(tmp_path, [float('nan')] * 3)) == 24


def test_patience_wants_the_criterion_in_a_row(tmp_path):
    # Held at the second window, broken at the third, then held twice.
    losses = [10, 10, 10, 10, 5, 5, 5, 5, 5, 5]
    assert run(tmp_path, losses, patience=2).model.num_forwards == 10


def test_as_long_as_the_model_is_fooled_training_goes_on(tmp_path):
    miner = Miner(share_above=[0.5, 0.2, 0.1, 0.0, 0.0, 0.0], new_share=[1.0] * 6)
    runner = run(tmp_path, [10], max_alarm_share=0.1, miner=miner)
    assert runner.model.num_forwards == 2 * EPOCH_LENGTH + 2
    miner = Miner(share_above=[0.0] * 6, new_share=[1.0, 0.5, 0.5, 0.5, 0.1, 0.0])
    runner = run(tmp_path, [10], max_alarm_share=0.1, max_new_share=0.2, miner=miner)
    assert runner.model.num_forwards == 4 * EPOCH_LENGTH + 2


def test_without_a_mining_round_a_limit_does_not_hold(tmp_path):
    assert updates(run(tmp_path, [10], max_alarm_share=0.9)) == 24


def test_a_resumed_run_tests_as_if_it_had_not_stopped(tmp_path):
    losses = [10, 10, 10, 8, 8, 8, 8, 8, 8, 8, 8, 8]
    whole = run(tmp_path / 'whole', losses, window=3)
    first = run(tmp_path / 'first', losses, window=3, max_epochs=1)
    assert first.model.num_forwards == 4
    rest = run(
        tmp_path / 'rest', losses[4:], window=3, load_from=str(tmp_path / 'first/epoch_1.pth')
    )
    assert updates(rest) == updates(whole) == 8


def test_a_converged_run_that_is_resumed_trains_no_more(tmp_path):
    run(tmp_path / 'first', [10])
    again = run(tmp_path / 'again', [10], load_from=str(tmp_path / 'first/epoch_1.pth'))
    assert again.model.num_forwards == 0


def test_losses_are_left_to_the_optimizer_wrapper(tmp_path):
    """The loop passes everything of the wrapper on: accumulation still works."""
    model = ScriptedModel([4.0])
    Runner(
        model=model,
        work_dir=str(tmp_path),
        experiment_name=f'accumulate_{tmp_path.name}',
        default_scope='mmpolar',
        train_dataloader=dict(
            dataset=[dict(inputs=torch.zeros(1)) for _ in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
        ),
        train_cfg=dict(type='GroupTrainLoop', max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0), accumulative_counts=2),
    ).train()
    assert int(model.weight) == 2


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(window=0), 'window=0'),
        (dict(patience=0), 'patience=0'),
        (dict(tolerance=-0.1), 'tolerance=-0.1'),
        (dict(max_alarm_share=2), 'max_alarm_share must lie in 0..1, got 2'),
        (dict(max_new_share=-1), 'max_new_share must lie in 0..1'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConvergenceHook(**options)
