"""Trains the model of a config. See ``python tools/train.py --help``."""

import argparse
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmpolar.registry  # noqa: F401  (lets checkpoints be resumed)
from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import report_error, usage_error
from mmpolar.cli.training import (
    add_common_arguments,
    read_config,
    require_sections,
    start_cpu_processes,
)
from mmpolar.engine import TrainingFailedError
from mmpolar.utils.checkpoints import CheckpointMismatchError, CheckpointReadError
from mmpolar.utils.checkpoints.newest import LAST_CHECKPOINT
from mmpolar.utils.folder_lock import FolderInUseError
from mmpolar.utils.freed_memory import keep_freed_memory

#: Exit code of a training that went wrong, such as one whose loss is not finite.
TRAINING_FAILED = 1
EXAMPLES = """
examples:
  python tools/train.py configs/ocean_polar/ocean-polar_effnet-lite0_synthetic.py
  python tools/train.py CONFIG --resume                    go on from the newest checkpoint
  python tools/train.py CONFIG --cfg-options randomness.seed=1 train_cfg.max_epochs=5
  bash tools/dist_train.sh CONFIG 4                        four processes, one GPU each
"""


def main(argv: list[str] | None = None) -> None:
    """Train as the arguments say; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    cfg = read_config(args)
    require_sections(
        cfg, args.config, ('train_dataloader', 'train_cfg', 'optim_wrapper'), 'training'
    )
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_auto_scale_lr(cfg, args.config)
    if args.resume:
        set_resume(cfg, args.resume)
    start_cpu_processes(cfg)
    keep_freed_memory()
    try:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()
    except (CheckpointReadError, CheckpointMismatchError, FolderInUseError) as error:
        usage_error(error)
    except TrainingFailedError as error:
        report_error(error)
        sys.exit(TRAINING_FAILED)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(
        'Train the model of a config; logs and checkpoints go to the work directory.', EXAMPLES
    )
    parser.add_argument('config', help='config file, e.g. one of configs/ocean_polar')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on with an interrupted training: weights, optimizer, schedule and counters. '
        'Without a path: from the newest checkpoint in the work directory',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on a CUDA device, bfloat16 on a CPU',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by (batch size x processes) / auto_scale_lr.base_batch_size',
    )
    add_common_arguments(parser)
    return parser.parse_args(argv)


def enable_amp(cfg: Config) -> None:
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        cfg.optim_wrapper.type = 'Bfloat16OptimWrapper'


def enable_auto_scale_lr(cfg: Config, path: str) -> None:
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        usage_error(
            f'--auto-scale-lr needs auto_scale_lr.base_batch_size in {path}: the batch size that '
            'its learning rate was chosen for'
        )
    cfg.auto_scale_lr.enable = True


def set_resume(cfg: Config, checkpoint: str) -> None:
    """Resume from ``checkpoint``, or from the newest in the work directory if it is 'auto'.

    Where there is none yet, the training starts as its config says, ``load_from`` included.
    """
    out_dir = cfg.get('default_hooks', {}).get('checkpoint', {}).get('out_dir')
    if checkpoint == 'auto' and out_dir is None and not holds_checkpoint(cfg.work_dir):
        print(f'no checkpoint in {cfg.work_dir} to resume from: the training starts')
        return
    cfg.resume = True
    cfg.load_from = None
    if checkpoint == 'auto':
        return
    if not Path(checkpoint).is_file():
        usage_error(
            f'no checkpoint at {checkpoint}; --resume without a path takes the newest one in '
            f'{cfg.work_dir}'
        )
    cfg.load_from = checkpoint


def holds_checkpoint(work_dir: str) -> bool:
    """Whether a training has left anything to resume from in a folder."""
    return Path(work_dir, LAST_CHECKPOINT).exists() or any(Path(work_dir).glob('*.pth'))


if __name__ == '__main__':
    main()
