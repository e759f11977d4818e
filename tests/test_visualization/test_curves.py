import json
import math

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmpolar.visualization import plot_training_curves, read_training_curves


class Line(BaseModel):
    """One weight that learns to be 1; its loss has two terms."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        error = (self.weight - 1).square().sum()
        return dict(loss_cls=error, loss_polar=2 * error) if mode == 'loss' else [error]


class Rising(BaseMetric):
    """1, 2, ... with every evaluation."""

    default_prefix = 'track'

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        self.count = getattr(self, 'count', 0) + 1
        return dict(J=float(self.count))


def real_log(tmp_path, by_epoch):
    """The log of a real run: 12 iterations (3 epochs of 4), a validation every 4."""
    loader = dict(
        dataset=[dict(inputs=torch.zeros(1))] * 4,
        sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False),
        batch_size=1,
    )
    schedule = dict(by_epoch=True, max_epochs=3) if by_epoch else dict(by_epoch=False, max_iters=12)
    runner = Runner(
        model=Line(),
        work_dir=str(tmp_path / 'work'),
        experiment_name=f'curves_{tmp_path.name}',
        train_dataloader=loader,
        val_dataloader=loader | dict(sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=schedule | dict(val_interval=1 if by_epoch else 4),
        val_cfg=dict(),
        val_evaluator=[Rising()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=2, log_metric_by_epoch=by_epoch),
            checkpoint=None,
        ),
        log_processor=dict(by_epoch=by_epoch),
        default_scope='mmengine',
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
    )
    runner.train()
    (log,) = (tmp_path / 'work').rglob('scalars.json')
    return log


@pytest.mark.parametrize('by_epoch', [True, False])
def test_curves_of_a_real_run(tmp_path, by_epoch):
    losses, metrics = read_training_curves(real_log(tmp_path, by_epoch))
    assert set(losses) == {'loss', 'loss_cls', 'loss_polar'}
    assert [iteration for iteration, _ in losses['loss']] == [2, 4, 6, 8, 10, 12]
    values = np.array([[value for _, value in losses[name]] for name in sorted(losses)])
    np.testing.assert_allclose(values[0], values[1] + values[2], rtol=1e-3)
    assert metrics == {'track/J': [(4, 1.0), (8, 2.0), (12, 3.0)]}


def test_image_of_a_real_run_shows_two_panels(tmp_path):
    out = tmp_path / 'new' / 'curves.png'
    plot_training_curves(real_log(tmp_path, by_epoch=True), out)
    image = cv2.imread(str(out))
    assert image.shape[1] > image.shape[0] > 600
    assert (image != 255).any(axis=-1).mean() > 0.01


def write_log(tmp_path, *records, end='\n'):
    log = tmp_path / 'scalars.json'
    log.write_text('\n'.join(json.dumps(record) for record in records) + end)
    return log


def test_training_without_validation_gives_one_panel(tmp_path):
    log = write_log(
        tmp_path, dict(iter=1, step=1, loss=2.0, lr=0.1), dict(iter=2, step=2, loss=1.0, lr=0.1)
    )
    assert read_training_curves(log) == ({'loss': [(1, 2.0), (2, 1.0)]}, {})
    plot_training_curves(log, tmp_path / 'out.png')
    assert cv2.imread(str(tmp_path / 'out.png')).shape[0] < 600


def test_values_that_are_no_finite_numbers_are_left_out(tmp_path):
    log = write_log(
        tmp_path,
        dict(iter=1, step=1, loss=math.nan),
        dict(iter=2, step=2, loss=1.0),
        {'track/J': math.nan, 'note': 'text', 'step': 1},
    )
    assert read_training_curves(log) == ({'loss': [(2, 1.0)]}, {})


def test_an_unfinished_last_line_is_left_out(tmp_path):
    log = write_log(tmp_path, dict(iter=1, step=1, loss=2.0), end='\n{"iter": 2, "los')
    assert read_training_curves(log)[0] == {'loss': [(1, 2.0)]}


def test_logs_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.json does not exist'):
        read_training_curves(tmp_path / 'none.json')
    log = tmp_path / 'scalars.json'
    log.write_text('{"iter": 1, "step": 1, "loss": 2}\nnonsense\n')
    with pytest.raises(ValueError, match=r"line 2 of the log .*scalars\.json .*'nonsense'"):
        read_training_curves(log)
    log.write_text('')
    with pytest.raises(ValueError, match='neither losses nor validation metrics'):
        plot_training_curves(log, tmp_path / 'out.png')
