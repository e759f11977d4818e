"""Reading checkpoints of untrusted sources: no code in them runs.

Since PyTorch 2.6 ``torch.load`` reads with ``weights_only=True``: a checkpoint may name only
classes and functions on an allow list, so that a file of an untrusted source cannot run code.
MMEngine 0.10 keeps its logged values in the checkpoint as ``HistoryBuffer`` objects around NumPy
arrays, which the list lacks, and so resuming fails. The usual remedy, ``weights_only=False``,
gives up the protection for every file. :func:`register_safe_globals` adds the few missing names
instead.

One of them needs care. A pickled ``HistoryBuffer`` refers to its own methods through the builtin
``getattr``. Allowing that builtin would undo the protection: a crafted file can reach ``eval`` with
it (``getattr.__self__`` is the module ``builtins``), store it as the ``__setstate__`` of an allowed
object and have the loader call it. So the name ``builtins.getattr`` is bound, while loading, to a
function that returns the statistics methods of ``HistoryBuffer`` and nothing else.
"""

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmpolar.utils.checkpoints.size_check import (
    CheckpointSizeError,
    check_file_size,
    check_tensor_sizes,
)

_STATISTICS = ('min', 'max', 'current', 'mean')
_NUMPY_SCALARS = '?bhilqBHILQefdgFDSU'


class CheckpointReadError(ValueError):
    """The file is no checkpoint, is damaged, or holds more than weights and plain values."""


def read_checkpoint(
    path: str | os.PathLike, device: str | torch.device = 'cpu'
) -> Mapping[str, Any]:
    """Read a checkpoint of an untrusted source: no code in it runs.

    Args:
        path: Checkpoint file.
        device: Where the file's tensors are put.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: If there is no file at ``path``.
        CheckpointReadError: If the file cannot be read as weights and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'no checkpoint at {path}; give the path of a .pth file that training wrote'
        )
    register_safe_globals()
    checkpoint = read_checked(
        path, lambda: torch.load(path, map_location=device, weights_only=True)
    )
    if not isinstance(checkpoint, Mapping):
        raise CheckpointReadError(
            f'{path} holds a {type(checkpoint).__name__}, not a checkpoint; give a file with a '
            'state dict, as training writes it'
        )
    return checkpoint


def read_checked(path: str | os.PathLike, read: Callable[[], Any]) -> Any:
    """Read a checkpoint file that may be damaged, or made to take all memory.

    Args:
        path: The file.
        read: Reads it.

    Returns:
        What ``read`` gives.

    Raises:
        CheckpointReadError: If it cannot be read, whatever ``read`` raises, or asks for more memory
            than it has bytes.
        OSError: If the system refuses to read the file.
    """
    try:
        check_file_size(path)
        checkpoint = read()
        check_tensor_sizes(checkpoint, path)
    except CheckpointSizeError as error:
        raise CheckpointReadError(
            f'the checkpoint {path} ({os.path.getsize(path)} bytes) asks for more memory than it has '
            f'bytes: {error}. No training writes such a file; do not use it'
        ) from error
    # A damaged pickle leads to errors of any kind.
    except Exception as error:
        if getattr(error, 'filename', None) is not None:  # the file cannot be opened
            raise
        raise CheckpointReadError(
            f'cannot read the checkpoint {path}: {_first_line(error)}. It is damaged (copy it '
            'again), or holds objects that loading refuses for safety (save its state_dict alone)'
        ) from error
    return checkpoint


def register_safe_globals() -> None:
    """Allow what MMEngine writes into its checkpoints, for ``torch.load`` in this process.

    Releases of PyTorch that load MMEngine's checkpoints as they are stay as they are.
    """
    # Came in the release that reads with weights_only=True by default.
    if hasattr(torch.serialization, 'get_unsafe_globals_in_checkpoint'):
        torch.serialization.add_safe_globals(_safe_globals())


def _safe_globals() -> list[Any]:
    """Classes, and pairs of a callable and the name it has in a checkpoint."""
    # numpy 2 moved these two; a checkpoint may come from either side of the move.
    rebuild_array = np.empty(0).__reduce__()[0]
    rebuild_scalar = np.float64(0).__reduce__()[0]
    moved = [
        (function, f'numpy.{package}.multiarray.{name}')
        for package in ('core', '_core')
        for function, name in ((rebuild_array, '_reconstruct'), (rebuild_scalar, 'scalar'))
    ]
    # The class of each dtype, such as numpy.dtypes.Float64DType; objects stay excluded.
    dtypes = {type(np.dtype(code)) for code in _NUMPY_SCALARS}
    return [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        *dtypes,
        *moved,
        (_statistics_method, 'builtins.getattr'),
    ]


def _statistics_method(owner: Any, name: str) -> Any:
    """What a checkpoint gets in place of ``getattr``."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}; only the statistics '
            f'{_STATISTICS} of HistoryBuffer are allowed. Do not load this file unless you trust '
            'its origin'
        )
    return getattr(HistoryBuffer, name)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('. ')
