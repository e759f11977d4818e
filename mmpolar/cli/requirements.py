"""What a command needs beside the runtime's packages, said before anything is imported."""

from collections.abc import Sequence
from importlib.util import find_spec

#: What is imported where something is trained, exported or read as a dataset.
TRAINING_PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmdet')
_HOW_TO_INSTALL = (
    'in a checkout of mmpolar run "make train-env", which takes some minutes, and use '
    '.venv.train/bin/mmpolar; or install PyTorch, MMCV 2.1 or mmcv-lite 2.1, MMEngine and MMDetection '
    'yourself and then "mmpolar[train]"'
)


class MissingPackagesError(ValueError):
    """A command needs packages that are not installed."""


def require_training(command: str, *more: str) -> None:
    """End a command at once where PyTorch and OpenMMLab are not installed.

    Args:
        command: How it is typed.
        *more: Further packages that it imports.

    Raises:
        MissingPackagesError: If one is missing. The message says how to install it.
    """
    _require(command, (*TRAINING_PACKAGES, *more), _HOW_TO_INSTALL)


def require_packages(command: str, names: Sequence[str]) -> None:
    """End a command at once where a package is not installed that pip installs by its name.

    Args:
        command: How it is typed.
        names: What it imports.

    Raises:
        MissingPackagesError: If one is missing. The message says how to install it.
    """
    _require(command, names, f'pip install {" ".join(names)}')


def _require(command: str, names: Sequence[str], remedy: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingPackagesError(
            f'{command} needs {", ".join(missing)}, which this Python does not have: {remedy}'
        )
