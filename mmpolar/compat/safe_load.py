"""Lets MMEngine checkpoints be resumed under PyTorch's restricted loading.

Since PyTorch 2.6 ``torch.load`` reads with ``weights_only=True``: a checkpoint may name only
classes and functions on an allow list, so that a file from a stranger cannot run code. MMEngine
0.10 keeps its logged values in the checkpoint as ``HistoryBuffer`` objects around numpy arrays,
which the list lacks, and so resuming fails. The usual way out, ``weights_only=False``, gives the
protection up for every file. This module adds the few missing names instead.

One of them needs care. A pickled ``HistoryBuffer`` refers to its own methods through the builtin
``getattr``. Allowing that builtin would undo the protection: a crafted file can reach ``eval`` with
it (``getattr.__self__`` is the module ``builtins``), store it as the ``__setstate__`` of an allowed
object and have the loader call it. So the name ``builtins.getattr`` is bound, while loading, to a
function that gives out the statistics methods of ``HistoryBuffer`` and nothing else.
"""

import pickle
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

_STATISTICS = ('min', 'max', 'current', 'mean')
_NUMPY_SCALARS = '?bhilqBHILQefdgFDSU'


def register_safe_globals() -> None:
    """Allow what MMEngine writes into its checkpoints, for ``torch.load`` in this process.

    PyTorch before 2.6 loads MMEngine's checkpoints as they are, and is left alone.
    """
    if digit_version(torch.__version__) >= digit_version('2.6'):
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
    """The narrow stand-in for ``getattr`` that a checkpoint gets."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}; only the statistics '
            f'{_STATISTICS} of HistoryBuffer are allowed. Do not load this file unless you trust '
            'its origin'
        )
    return getattr(HistoryBuffer, name)
