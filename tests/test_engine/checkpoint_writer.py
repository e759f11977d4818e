"""Trainings that end while a checkpoint is written, each in a process of its own.

Usage: python checkpoint_writer.py FOLDER. The kernel ends a training in the middle of a checkpoint:
a limit on the size of files is set, and the signal that exceeding it sends is not caught. The wait
statuses of the processes are printed as JSON.
"""

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import mmpolar.registry  # noqa: F401  (lets checkpoints be resumed)

FILE_LIMIT = 100_000
EPOCHS = 3


class Model(BaseModel):
    """Weights of 256 kB, and as much again in the optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(256, 256)

    def forward(self, inputs, mode='tensor'):
        answer = self.layer(inputs)
        return dict(loss=answer.square().mean()) if mode == 'loss' else list(answer)


class EpochMetric(BaseMetric):
    """Better with each validation."""

    default_prefix = 'toy'
    validations = 0

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict:
        self.validations += 1
        return dict(acc=float(self.validations))


class DieInSaving(Hook):
    """From an epoch on, no file may exceed the limit."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def before_save_checkpoint(self, runner, checkpoint) -> None:
        if checkpoint['meta']['epoch'] == self.epoch:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))


class ListFiles(Hook):
    """Notes which checkpoints are there whenever one is about to be written."""

    def __init__(self, listing: Path) -> None:
        self.listing = listing
        self.before = []

    def before_save_checkpoint(self, runner, checkpoint) -> None:
        self.before.append(sorted(path.name for path in Path(runner.work_dir).glob('*.pth')))

    def after_run(self, runner) -> None:
        self.listing.write_text(json.dumps(self.before))


def train(work_dir: Path, checkpoint: dict, *hooks: Hook, resume: bool = False) -> None:
    loader = dict(
        dataset=[dict(inputs=torch.rand(256)) for _ in range(4)],
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=2,
        collate_fn=dict(type='default_collate'),
    )
    validation = {}
    if 'save_best' in checkpoint:
        validation = dict(val_dataloader=loader, val_cfg={}, val_evaluator=Evaluator(EpochMetric()))
    runner = Runner(
        model=Model(),
        work_dir=str(work_dir),
        default_scope='mmpolar',
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        default_hooks=dict(checkpoint=dict(interval=1, **checkpoint)),
        custom_hooks=list(hooks),
        resume=resume,
        **validation,
    )
    runner.train()


def in_child(*arguments, **options) -> int:
    """Run :func:`train` in a forked process; its status as ``os.waitpid`` gives it."""
    child = os.fork()
    if child == 0:
        try:
            train(*arguments, **options)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(folder: Path) -> None:
    statuses = {}
    for hook in ('AtomicCheckpointHook', 'CheckpointHook'):
        checkpoint = dict(type=hook, max_keep_ckpts=1)
        statuses[hook] = in_child(folder / hook, checkpoint, DieInSaving(epoch=2))
        files = (path for path in (folder / hook).iterdir() if path.is_file())
        sizes = {path.name: path.stat().st_size for path in files}
        (folder / f'{hook}.json').write_text(json.dumps(sizes))
    checkpoint = dict(type='AtomicCheckpointHook', max_keep_ckpts=1)
    resumed = folder / 'AtomicCheckpointHook'
    statuses['resumed'] = in_child(resumed, checkpoint, resume=True)
    best = dict(checkpoint, save_best='toy/acc', rule='greater')
    statuses['best'] = in_child(folder / 'best', best, ListFiles(folder / 'listing.json'))
    print('STATUSES', json.dumps(statuses))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
