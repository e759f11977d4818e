"""One of two processes that mine together; what it sees goes into ``<folder>/rank<r>.pt``.

Usage: python mining_worker.py RANK PORT FOLDER
"""

import os
import sys
from pathlib import Path

import torch
from mining_toys import Recorder, hook_config, make_config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import distributed

from mmpolar.mining.review import IGNORE, Decision, write_decisions

TOLERANCE = 0.055
WRAPPER = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


class Watcher(Hook):
    """The model before each round, and the picks after it."""

    def __init__(self) -> None:
        self.models, self.picks, self.excluded = [], [], []

    def before_train_epoch(self, runner) -> None:
        # Registered before the mining hook and with a higher priority.
        state = runner.model.module.state_dict()
        self.models.append({name: value.clone() for name, value in state.items()})

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == 0:
            mined = runner.train_dataloader.dataset.mined
            self.picks.append(mined.read()[0].tolist())
            self.excluded.append(mined.excluded.nonzero()[0].tolist())


def main(rank: int, port: int, folder: Path) -> None:
    distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    found = dict(
        mined=mine_together(folder),
        reviewed=review_together(folder),
        converged=converge_together(folder),
        failed=fail_together(folder, rank),
    )
    torch.save(found, folder / f'rank{rank}.pt')
    distributed.destroy_process_group()


def mine_together(folder: Path) -> dict:
    watcher = Watcher()
    runner = start(folder, watcher, hook_config(num_picks=5))
    runner.train()
    tested = runner.model.module.num_tested
    buffers = runner.model.module.state_dict()
    return dict(models=watcher.models, picks=watcher.picks, num_tested=tested, last=buffers)


def review_together(folder: Path) -> dict:
    """Picks and excluded negatives of each epoch, where one negative is rejected from the beginning."""
    rejected = Decision(str(folder / 'negatives/001.png'), IGNORE)
    write_decisions(folder / 'decisions.jsonl', [rejected])
    watcher = Watcher()
    hook = hook_config(
        num_picks=5,
        diversity=dict(max_per_scene=1),
        suspects=dict(rounds=1, score_thr=0.0),
        review=dict(decisions=[str(folder / 'decisions.jsonl')]),
    )
    start(folder, watcher, hook, work_dir=str(folder / 'reviewed')).train()
    return dict(picks=watcher.picks, excluded=watcher.excluded)


def converge_together(folder: Path) -> dict:
    recorder = Recorder()
    criterion = dict(type='ConvergenceHook', window=1, tolerance=TOLERANCE, patience=1)
    cfg = dict(type='GroupTrainLoop', max_epochs=20)
    runner = start(folder, recorder, criterion, train_cfg=cfg, work_dir=str(folder / 'converged'))
    runner.train()
    return dict(losses=recorder.losses, iter=runner.iter)


def fail_together(folder: Path, rank: int) -> str:
    """What each rank raises if the scorer of the second fails."""

    def scorer(samples):
        if rank == 1:
            raise ZeroDivisionError('the scorer of rank 1 is broken')
        return [0.5] * len(samples)

    runner = start(folder, hook_config(num_picks=5, scorer=scorer))
    try:
        runner.train()
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return 'nothing'


def start(folder: Path, *hooks, **changes) -> Runner:
    config = make_config(folder, None, **changes)
    return Runner(
        **{
            **config,
            'launcher': 'pytorch',
            'cfg': dict(model_wrapper_cfg=WRAPPER),
            'custom_hooks': list(hooks),
        }
    )


if __name__ == '__main__':
    with DefaultScope.overwrite_default_scope('mmpolar'):
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    # All is written. Threads of the backend that still run would now and then abort a normal exit.
    os._exit(0)
