"""Hooks that note what each process of a training or test sees, or end it before its time."""

import json
import os
import signal
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmpolar.registry import HOOKS


@HOOKS.register_module()
class RecordHook(Hook):
    """Writes ``rank<r>.json`` into ``folder``: samples of each epoch, videos, batch statistics."""

    priority = 'LOWEST'

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / f'rank{get_rank()}.json'
        self.record = dict(samples={}, frames=[], buffers={})

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        seen = self.record['samples'].setdefault(str(runner.epoch), [])
        seen.extend(sample.sample_idx for sample in data_batch['data_samples'])

    def after_train_epoch(self, runner) -> None:
        self.record['buffers'] = {
            name: value.double().sum().item() for name, value in runner.model.named_buffers()
        }

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        (sample,) = outputs
        self.record['frames'].append([sample.video_name, sample.frame_id])

    after_test_iter = after_val_iter

    def after_run(self, runner) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.record))


@HOOKS.register_module()
class KillHook(Hook):
    """Kills the process of one rank, with the signal that cannot be caught."""

    def __init__(self, rank: int, after_iter: int) -> None:
        self.is_meant = get_rank() == rank
        self.after_iter = after_iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if self.is_meant and runner.iter + 1 == self.after_iter:
            os.kill(os.getpid(), signal.SIGKILL)
