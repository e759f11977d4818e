"""Build a trained model from its name, or from a config and a checkpoint, and make it fast."""

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpolar.model_zoo import CHECKPOINT_SUFFIX, find_checkpoint, model_name
from mmpolar.models.trackers import Ocean, prepare_for_inference
from mmpolar.registry import MODELS
from mmpolar.tracking.params import current_spelling
from mmpolar.utils.checkpoints import load_weights, read_release_checkpoint

_CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


def load_model(
    config: str | os.PathLike | Config | None = None,
    checkpoint: str | os.PathLike | None = None,
    device: str | torch.device = 'cpu',
    cfg_options: Mapping | None = None,
) -> Ocean:
    """Build a model in test mode; the arguments are those of :func:`mmpolar.apis.init_tracker`."""
    config, checkpoint = _find(config, checkpoint)
    config.merge_from_dict(dict(cfg_options or {}))
    # Another library's scope may be in force in this process, and shall be again.
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmpolar')):
        model = MODELS.build(config.model)
    if checkpoint is not None:
        load_weights(model, checkpoint)
    return model.to(device).eval()


def optimize_model(
    model: Ocean, fold: bool = True, pack: bool = True, compiled: bool = False
) -> Ocean:
    """Make a model fast; it can neither be trained nor saved any more. Results change by rounding.

    Args:
        model: The model, in test mode.
        fold: Whether to fold batch norm into the convolutions.
        pack: Whether to replace layers by faster ones, which there are for a folded model in
            float32 on a CPU; see :func:`mmpolar.models.trackers.prepare_for_inference`.
        compiled: Whether to compile the search branch with ``torch.compile``; no layers are
            replaced then.
    """
    if fold:
        model = fuse_conv_bn(model)
    # Convolutions of a CPU, and of a GPU in half precision, then need not rearrange their weights.
    model = model.to(memory_format=torch.channels_last)
    if pack and fold and not compiled and next(model.parameters()).device.type == 'cpu':
        model = prepare_for_inference(model)
    if compiled:
        model.search = torch.compile(model.search)
    return model


def _find(
    config: str | os.PathLike | Config | None, checkpoint: str | os.PathLike | None
) -> tuple[Config, str | os.PathLike | None]:
    """The config that is meant, a copy, and the file with the weights."""
    if isinstance(config, Config):
        return deepcopy(config), checkpoint
    if config is None and checkpoint is not None:
        raise ValueError(f'give the config of the checkpoint {checkpoint} too')
    config = model_name(config)
    is_release = Path(config).suffix == CHECKPOINT_SUFFIX and Path(config).is_file()
    if is_release or _is_name(config):
        published = read_release_checkpoint(config if is_release else find_checkpoint(config))
        model = published.config.model
        if 'test_cfg' in model:
            model.test_cfg = current_spelling(model.test_cfg)
        return published.config, checkpoint or published.path
    if not Path(config).is_file():
        raise FileNotFoundError(f'there is no config {config}; see the folder configs')
    return Config.fromfile(config), checkpoint


def _is_name(config: str) -> bool:
    """Whether this names a model, and no file of a config."""
    path = Path(config)
    return not path.is_file() and path.name == config and path.suffix not in _CONFIG_SUFFIXES
