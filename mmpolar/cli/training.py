"""What the training and testing scripts share: reading a config and starting processes."""

import argparse
import atexit
import datetime
import gc
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from torch import distributed

from mmpolar.cli.errors import usage_error
from mmpolar.utils.config_entries import UnknownEntryError, check_entries
from mmpolar.utils.shared_values import SharedValueError, load_config

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


class ConfigOptions(DictAction):
    """``--cfg-options key=value ...``, with a usage error where the ``=`` is missing."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        for item in values:
            if '=' not in item:
                parser.error(f'--cfg-options takes key=value, got {item!r}')
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add ``--cfg-options``, whose help says what it changes."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE', help=meaning
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing have in common."""
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='where logs and checkpoints go (default: work_dirs/<name of the config>)',
    )
    add_cfg_options(
        parser,
        'change entries of the config, e.g. train_dataloader.batch_size=16 '
        'randomness.seed=1; lists as key="[1,2]"',
    )
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='how several processes are started; the dist_*.sh and slurm_*.sh scripts set it',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def read_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` and apply the common arguments.

    Values that the model shares with transforms and metrics are filled in, see
    :mod:`mmpolar.utils.shared_values`.

    Exits with code 2 and one line of explanation if the file is absent or cannot be parsed.

    Args:
        args: Has ``config`` and what :func:`add_common_arguments` adds.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not Path(args.config).is_file():
        usage_error(f'no config at {args.config}; those that come with mmpolar are in configs/')
    try:
        cfg = load_config(args.config, args.cfg_options)
        check_entries(cfg)
    except SharedValueError as error:
        usage_error(f'the config {args.config} contradicts itself: {error}')
    except UnknownEntryError as error:
        usage_error(f'the config {args.config} cannot be used: {error}')
    except (OSError, SyntaxError, ImportError, KeyError, TypeError, NameError) as error:
        usage_error(f'cannot read the config {args.config}: {error}')
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def require_sections(cfg: Config, path: str, names: tuple[str, ...], task: str) -> None:
    """Exit with a usage error if the config lacks a section that the task needs."""
    absent = [name for name in names if cfg.get(name) is None]
    if absent:
        usage_error(f'the config {path} has no {", ".join(absent)}, which {task} needs')


def start_cpu_processes(cfg: Config) -> None:
    """Prepare several processes on a machine without CUDA; does nothing otherwise.

    MMEngine selects a CUDA device for each process and hands its number to the model wrapper.
    Without CUDA, the group is started here with gloo, and the wrapper is told not to expect a
    device.

    Args:
        cfg: Config whose ``launcher`` is set; ``env_cfg`` and ``model_wrapper_cfg`` are changed.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher != 'pytorch':
        usage_error(
            f'--launcher {cfg.launcher} needs CUDA, which PyTorch does not see here; without it '
            'use tools/dist_train.sh or tools/dist_test.sh'
        )
    if not distributed.is_initialized():
        distributed.init_process_group(backend='gloo', timeout=_timeout(cfg))
        # Threads of gloo that outlive the interpreter can abort the process.
        atexit.register(_end_process_group)
    wrapper: dict[str, Any] = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    wrapper.update(cfg.get('model_wrapper_cfg') or {}, device_ids=None)
    cfg.model_wrapper_cfg = wrapper
    cfg.merge_from_dict({'env_cfg.dist_cfg': dict(backend='gloo')})


def _end_process_group() -> None:
    if distributed.is_initialized():
        gc.collect()  # a wrapped model in a cycle of references holds on to the group
        distributed.destroy_process_group()


def _timeout(cfg: Config) -> datetime.timedelta | None:
    """How long a process waits for the others; None for PyTorch's default."""
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    return None if seconds is None else datetime.timedelta(seconds=seconds)
