"""Loading weights into a model, with errors that name what does not fit."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmpolar.utils.abridged import abridged
from mmpolar.utils.checkpoints.safe_reading import CheckpointReadError, read_checkpoint

_WRAPPER_PREFIX = 'module.'
#: Entry of a release checkpoint's ``meta``: the hash of its weights.
WEIGHTS_HASH = 'weights_sha256'


class CheckpointMismatchError(ValueError):
    """The weights belong to another model than the one they are loaded into."""


def load_weights(
    model: nn.Module, path: str | os.PathLike, device: str | torch.device = 'cpu'
) -> dict[str, Any]:
    """Load every weight of a checkpoint into a model; nothing may be missing or left over.

    The model keeps its device and is changed only if everything fits. Step counters of batch
    normalisation (``num_batches_tracked``) may be absent, as in checkpoints of early PyTorch. A
    release checkpoint, which has the hash of its weights in its ``meta``, is checked by it.

    Args:
        model: Model to fill, not wrapped for distributed running.
        path: Checkpoint file: MMEngine's layout (``state_dict`` beside ``meta``) or a bare state
            dict. Names may carry the prefix ``module.`` that distributed wrappers add.
        device: Where the file's tensors are put while they are read.

    Returns:
        The checkpoint's ``meta``; empty when it has none.

    Raises:
        FileNotFoundError: If there is no file at ``path``.
        CheckpointReadError: If the file cannot be read as weights and plain values, or its weights
            do not have the hash in its ``meta``.
        CheckpointMismatchError: If names or shapes differ from the model's. The message lists up
            to ten of each.
    """
    checkpoint = read_checkpoint(path, device)
    weights = checkpoint.get('state_dict', checkpoint)
    weights = _without_wrapper_prefix(weights)
    _check_is_weights(weights, path)
    meta = dict((checkpoint.get('meta') if 'state_dict' in checkpoint else None) or {})
    check_hash(weights, meta, path)
    _check_fit(model.state_dict(), weights, path)
    model.load_state_dict(weights, strict=False)
    return meta


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash of weights: names, shapes and values.

    Args:
        weights: Tensors by name. A value has the same hash in every type that can hold it.
    """
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f'{name} {tuple(value.shape)} '.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_hash(
    weights: Mapping[str, Tensor], meta: Mapping[str, Any], path: str | os.PathLike
) -> None:
    """Compare weights with the hash that a release checkpoint's ``meta`` has; others pass.

    Raises:
        CheckpointReadError: If they differ.
    """
    if WEIGHTS_HASH in meta and weights_sha256(weights) != meta[WEIGHTS_HASH]:
        raise CheckpointReadError(
            f'the weights in {path} are not those that were published in it: the file is damaged '
            'or was changed; copy it again, or publish the changed weights again'
        )


def _without_wrapper_prefix(weights: Any) -> Any:
    if not isinstance(weights, Mapping):
        return weights
    return {str(name).removeprefix(_WRAPPER_PREFIX): value for name, value in weights.items()}


def _check_is_weights(weights: Any, path: str | os.PathLike) -> None:
    if isinstance(weights, dict) and weights:
        others = [name for name, value in weights.items() if not isinstance(value, Tensor)]
        if not others:
            return
        found = f'entries that are no tensors ({abridged(others)})'
    else:
        found = 'no weights'
    raise CheckpointReadError(
        f'{path} holds {found}; give a checkpoint with a state_dict, as training writes it'
    )


def _check_fit(
    expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: str | os.PathLike
) -> None:
    missing = [
        name
        for name in expected
        if name not in weights and not name.endswith('num_batches_tracked')
    ]
    unexpected = [name for name in weights if name not in expected]
    faults = listed_misfits(
        {
            'missing': missing,
            'unexpected': unexpected,
            'of another shape': other_shapes(weights, expected),
        }
    )
    if faults:
        raise CheckpointMismatchError(
            f'the checkpoint {path} does not fit the model: {faults}. Use the config '
            'that the checkpoint was trained with'
        )


def other_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """The weights whose shape is not that of the model's, with both shapes."""
    return [
        f'{name} ({shape_text(weights[name])} in the file, {shape_text(value)} in the model)'
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]


def shape_text(tensor: Tensor) -> str:
    """A shape as ``64x3x7x7``."""
    return 'x'.join(map(str, tensor.shape)) or 'scalar'


def listed_misfits(kinds: Mapping[str, list[str]]) -> str:
    """How weights and a model differ: up to ten names of each kind, '' where there are none."""
    return '; '.join(
        f'{len(names)} {kind}: {abridged(names)}' for kind, names in kinds.items() if names
    )
