"""What the tools that write release checkpoints have in common."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpolar.cli.errors import usage_error
from mmpolar.cli.training import add_cfg_options
from mmpolar.model_zoo import PACKAGE_FOLDER
from mmpolar.runtime.model_folder import file_sha256
from mmpolar.utils.checkpoints import (
    CheckpointMismatchError,
    CheckpointReadError,
    TrainingFacts,
    facts_of_training,
)
from mmpolar.utils.config_text import ConfigTextError
from mmpolar.utils.file_names import FileNameError, check_file_name
from mmpolar.utils.outputs import OutputOverInputError, check_outputs


def add_publishing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add changes of the config, what to write, and what is said of the training."""
    add_cfg_options(parser, 'changes to the config')
    parser.add_argument(
        '--out',
        default=str(PACKAGE_FOLDER),
        help='folder, or file .pth, to write (default: the model_zoo of the package)',
    )
    parser.add_argument('--data', required=True, help='what it was trained on, in words')
    parser.add_argument('--machine', required=True, help='what it was trained with')
    parser.add_argument('--training-time', required=True, help='how long that took')


def run_publishing(publish: Callable[[argparse.Namespace], str], args: argparse.Namespace) -> None:
    """Publish and print the report; what is wrong ends the command with one line and code 2.

    Args:
        publish: Writes the release checkpoint; gives the report.
        args: Arguments, those of :func:`add_publishing_arguments` among them.
    """
    try:
        print(publish(args))
    except (
        FileNotFoundError,
        CheckpointReadError,
        CheckpointMismatchError,
        ConfigTextError,
        FileNameError,
        OutputOverInputError,
    ) as error:
        usage_error(error)
    except OSError as error:
        usage_error(f'cannot write to {args.out}: {error.strerror}')


def release_path(args: argparse.Namespace, name: str) -> Path:
    """File to write: ``args.out`` itself if it is a .pth file, else ``name`` in that folder.

    Args:
        args: Arguments, those of :func:`add_publishing_arguments` among them.
        name: Name of the model, which may come from an untrusted checkpoint.

    Raises:
        FileNameError: If the name leads out of the folder.
        OutputOverInputError: If the checkpoint that is read would be written over.
    """
    path = Path(args.out)
    if path.suffix != '.pth':
        path = path / f'{check_file_name(name, "the model in the checkpoint")}.pth'
    check_outputs({'--out': path}, {'the checkpoint': args.checkpoint})
    return path


def given_facts(
    checkpoint: Mapping[str, Any], args: argparse.Namespace, licence: str
) -> TrainingFacts:
    """Facts of a training: those in its checkpoint and those on the command line.

    Args:
        checkpoint: Content of ``args.checkpoint``.
        args: Arguments, those of :func:`add_publishing_arguments` among them.
        licence: Licence of the weights.
    """
    return facts_of_training(
        checkpoint,
        data=args.data,
        machine=args.machine,
        training_time=args.training_time,
        licence=licence,
        source_sha256=file_sha256(args.checkpoint),
    )


def load_exactly(model: nn.Module, weights: Mapping[str, Tensor], path: str, remedy: str) -> None:
    """Fill a model; all weights must fit.

    Args:
        model: Model to fill.
        weights: Tensors by name.
        path: Where they are from, for the message.
        remedy: End of the message.

    Raises:
        CheckpointMismatchError: If names or shapes differ from the model's.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointMismatchError(
            f'the checkpoint {path} does not fit its config: '
            f'{str(error).splitlines()[-1].strip()}; {remedy}'
        ) from error


def batch_norm_names(model: nn.Module) -> set[str]:
    """Names of all parameters and statistics of batch norm."""
    return {
        f'{module_name}.{name}'
        for module_name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        for name in module.state_dict()
    }
