"""Release checkpoints: weights in float16, config and metadata in one file."""

import io
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.checkpoints.safe_reading import CheckpointReadError, read_checkpoint
from mmpolar.utils.checkpoints.untrusted_config import read_untrusted_config
from mmpolar.utils.checkpoints.weights import WEIGHTS_HASH, check_hash, weights_sha256
from mmpolar.utils.config_text import to_portable_text
from mmpolar.version import __version__

FORMAT = 'mmpolar-checkpoint'
#: Raised whenever a reader of the older version would misunderstand a file.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class TrainingFacts:
    """Where weights come from.

    Attributes:
        epochs: Epochs of training.
        iterations: Steps of the optimizer.
        seed: Seed of the training.
        averaged: Whether the weights are the moving average over the training, not its last step.
        trained_on: Date on which the training ended, as 2026-11-25.
        data: What it was trained on.
        machine: What it was trained with.
        training_time: How long that took.
        licence: What the weights may be used for.
        source_sha256: Hash of the training's own checkpoint file.
    """

    epochs: int
    iterations: int
    seed: int | None
    averaged: bool
    trained_on: str
    data: str
    machine: str
    training_time: str
    licence: str
    source_sha256: str


@dataclass(frozen=True)
class ReleaseCheckpoint:
    """What a release checkpoint holds besides its weights.

    Attributes:
        path: The file.
        name: Name of the model: that of the config it was trained with.
        config: The whole resolved config.
        facts: Where the weights come from.
        weights_sha256: Their hash.
        parameters: How many numbers they are, statistics of batch norm included.
        mmpolar_version: Release that published it.
    """

    path: Path
    name: str
    config: Config
    facts: TrainingFacts
    weights_sha256: str
    parameters: int
    mmpolar_version: str


def halve(weights: Mapping[str, Tensor], exact: Collection[str] = ()) -> OrderedDict[str, Tensor]:
    """Weights in float16, half the bytes.

    Args:
        weights: Tensors by name, on the CPU.
        exact: Names of those that keep their type.

    Returns:
        New tensors. Integers, and what would overflow, keep their type too.
    """
    return OrderedDict(
        (name, value.clone() if name in exact else _halved(value))
        for name, value in weights.items()
    )


def write_release_checkpoint(
    path: str | os.PathLike, weights: Mapping[str, Tensor], config: Config, facts: TrainingFacts
) -> None:
    """Write a checkpoint that needs nothing beside it; the file's name is the model's name.

    The same arguments give the same bytes. An interruption leaves the older file, or none.

    Args:
        path: File to write, ``<name>.pth``.
        weights: All weights of the config's model.
        config: Its config; paths of the machine are left out.
        facts: Where the weights come from.

    Raises:
        ConfigTextError: If the config holds values that cannot be written as text.
        UnsafeConfigError: If it names more than registered components of known libraries.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    text = to_portable_text(config)
    read_untrusted_config(text, path)  # refuses what could not be read again
    meta = dict(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name=path.stem,
        mmpolar_version=__version__,
        cfg=text,
        facts=asdict(facts),
    )
    meta[WEIGHTS_HASH] = weights_sha256(weights)
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=OrderedDict(weights)), buffer)
    atomic_write(path, buffer.getvalue())


def read_release_checkpoint(path: str | os.PathLike) -> ReleaseCheckpoint:
    """Read config and metadata of a release checkpoint, and check its weights' hash.

    The file may come from anybody: no code in it runs, and its config is checked to name nothing but
    registered components of known libraries.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointReadError: If it is damaged, is no release checkpoint, or is of another version.
        UnsafeConfigError: If its config names anything else.
    """
    content = read_checkpoint(path)
    meta = content.get('meta')
    if not isinstance(meta, Mapping) or meta.get('format') != FORMAT:
        raise CheckpointReadError(
            f'{path} is no release checkpoint; make one of it first: '
            'python tools/model_converters/publish_model.py --help'
        )
    if meta.get('format_version') != FORMAT_VERSION:
        raise CheckpointReadError(
            f'{path} has version {meta.get("format_version")} of the format (published by mmpolar '
            f'{meta.get("mmpolar_version")}), and mmpolar {__version__} reads version '
            f'{FORMAT_VERSION}: publish it again with this mmpolar, or install that one'
        )
    try:
        weights = content['state_dict']
        check_hash(weights, {WEIGHTS_HASH: meta[WEIGHTS_HASH]}, path)
        config = read_untrusted_config(meta['cfg'], path)
        if 'model' not in config:
            raise KeyError('model')
        return ReleaseCheckpoint(
            path=Path(path),
            name=meta['name'],
            config=config,
            facts=TrainingFacts(**meta['facts']),
            weights_sha256=meta[WEIGHTS_HASH],
            parameters=sum(value.numel() for value in weights.values()),
            mmpolar_version=meta['mmpolar_version'],
        )
    except (KeyError, TypeError) as error:
        raise CheckpointReadError(
            f'{path} is incomplete or was changed ({error}); copy it again'
        ) from error


def facts_of_training(checkpoint: Mapping[str, Any], **given: Any) -> TrainingFacts:
    """Facts in a checkpoint of MMEngine's training, and those that are given.

    Args:
        checkpoint: Content of the file.
        **given: Fields of :class:`TrainingFacts`; they come before what the file says.

    Raises:
        CheckpointReadError: If a fact is neither in the file nor given.
    """
    meta = checkpoint.get('meta') or {}
    found = dict(
        epochs=meta.get('epoch'),
        iterations=meta.get('iter'),
        # MMEngine swaps them on saving: the file's state dict is the average then.
        averaged='ema_state_dict' in checkpoint,
        trained_on=_date(meta.get('time')),
    )
    found.update({name: value for name, value in given.items() if value is not None})
    found.setdefault('seed', meta.get('seed'))
    missing = [f.name for f in fields(TrainingFacts) if found.get(f.name) is None]
    missing = [name for name in missing if name != 'seed']
    if missing:
        raise CheckpointReadError(
            f'the checkpoint does not tell {", ".join(missing)}: it was not written by a training; '
            'give one that was'
        )
    return TrainingFacts(**found)


def _halved(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value.clone()
    half = value.half()
    return half if half.isfinite().all() else value.clone()


def _date(time: str | None) -> str | None:
    """The date in MMEngine's time stamps, such as 20261125_190639."""
    return None if time is None else f'{time[:4]}-{time[4:6]}-{time[6:8]}'
