"""Track one target, frame by frame, from a script."""

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import DefaultScope
from numpy.typing import ArrayLike

from mmpolar.model_zoo import DEFAULT_MODEL, find_checkpoint
from mmpolar.models.inference import prepare_for_inference
from mmpolar.models.trackers import Ocean
from mmpolar.registry import MODELS
from mmpolar.structures.target import box_and_mask
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.checkpoints import load_weights, read_release_checkpoint
from mmpolar.utils.image import to_bgr_uint8

_CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


class Tracker:
    """A model that follows and outlines one target.

    Args:
        model: A tracker with ``init(frame, box)`` and ``track(frame)``, in test mode.
        dtype: Type in which convolutions are computed: ``torch.float32``, or for half the work on
            processors that have it ``torch.bfloat16`` (a GPU: ``torch.float16`` too).

    Example:
        >>> tracker = init_tracker('config.py', 'checkpoint.pth')
        >>> tracker.init(frames[0], [x1, y1, x2, y2])
        >>> results = [tracker.step(frame) for frame in frames[1:]]
    """

    def __init__(self, model: Ocean, dtype: torch.dtype = torch.float32) -> None:
        self.model = model
        self.dtype = dtype

    def init(self, frame: np.ndarray, target: ArrayLike) -> TrackResult:
        """Show the tracker its target; an earlier target is forgotten.

        Args:
            frame: Image as OpenCV reads it: BGR, grey or BGRA, 8 or 16 bits, (H, W) or (H, W, C).
            target: The target's box x1, y1, x2, y2 in pixels, or its mask, (H, W), not zero inside.

        Returns:
            The target's box with score 1, and the outline that the network sees in it.

        Raises:
            TypeError: If the frame is not an 8 or 16 bit image.
            ValueError: If the box is not finite, has no area or lies outside the frame, or if the
                mask is empty or of another size than the frame.
        """
        frame = to_bgr_uint8(frame)
        box, mask = box_and_mask(target, frame.shape[:2])
        with self.precision():
            return self.model.init(frame, box, mask)

    def step(self, frame: np.ndarray) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: Image as for :meth:`init`; its size may change from frame to frame.

        Returns:
            Box, score, outline and mask of the target.

        Raises:
            RuntimeError: If :meth:`init` has not been called.
            TypeError: If the frame is not an 8 or 16 bit image.
        """
        with self.precision():
            return self.model.track(to_bgr_uint8(frame))

    def precision(self) -> torch.autocast:
        """Context in which the model computes in the tracker's ``dtype``."""
        device = next(self.model.parameters()).device.type
        return torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32)


def init_tracker(
    config: str | os.PathLike | Config | None = None,
    checkpoint: str | os.PathLike | None = None,
    device: str | torch.device = 'cpu',
    cfg_options: Mapping | None = None,
    dtype: torch.dtype = torch.float32,
    fold: bool = True,
    compiled: bool = False,
    fast: bool = True,
) -> Tracker:
    """Build a tracker: a trained one by its name, or one from a config and a checkpoint.

    Args:
        config: A config file, or a config. Or the name of a trained tracker, one of
            :func:`mmpolar.apis.available_models`, whose published file holds its config; None for
            the one that mmpolar uses by default.
        checkpoint: File with the weights; None leaves the model of a config untrained, and takes
            the published weights for a name.
        device: Where the model runs, for example ``'cuda:0'``.
        cfg_options: Changes to the config, for example ``{'model.test_cfg.lr': 0.5}``.
        dtype: Type in which convolutions are computed, see :class:`Tracker`.
        fold: Whether to fold batch norm into the convolutions, which changes results by rounding
            only and is faster. The model cannot be trained any further then.
        compiled: Whether to compile the search branch with ``torch.compile``: faster after a first
            frame that takes a minute or so. On a CPU it needs a C++ compiler.
        fast: Whether a folded model in float32 on a CPU, unless it is compiled, gets faster layers
            that compute the same to rounding, see
            :func:`mmpolar.models.inference.prepare_for_inference`. Its weights cannot be read any
            more then.

    Returns:
        A tracker, which waits for :meth:`Tracker.init`.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist, or there is no trained
            tracker of that name; the message then lists the names there are.
        ValueError: If a checkpoint is given without its config.
        CheckpointReadError: If the checkpoint is damaged.
        CheckpointMismatchError: If the checkpoint belongs to another config.

    Example:
        >>> tracker = init_tracker()
        >>> tracker = init_tracker('ocean-polar_effnet-lite0_natural', device='cuda')
        >>> tracker = init_tracker('my_config.py', 'work_dirs/my_config/epoch_20.pth')
    """
    config, checkpoint = _find(config, checkpoint)
    config.merge_from_dict(dict(cfg_options or {}))
    # Another library's scope may be in force in this process, and shall be again.
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmpolar')):
        model = MODELS.build(config.model)
    if checkpoint is not None:
        load_weights(model, checkpoint)
    model = model.to(device).eval()
    if fold:
        model = fuse_conv_bn(model)
    # Convolutions of a CPU, and of a GPU in half precision, then need not rearrange their weights.
    model = model.to(memory_format=torch.channels_last)
    if fast and fold and not compiled and dtype == torch.float32 and _is_on_cpu(model):
        model = prepare_for_inference(model)
    if compiled:
        model.search = torch.compile(model.search)
    return Tracker(model, dtype)


def _find(
    config: str | os.PathLike | Config | None, checkpoint: str | os.PathLike | None
) -> tuple[Config, str | os.PathLike | None]:
    """The config that is meant, a copy, and the file with the weights."""
    if isinstance(config, Config):
        return deepcopy(config), checkpoint
    if config is None and checkpoint is not None:
        raise ValueError(f'give the config of the checkpoint {checkpoint} too')
    if config is None or _is_name(config):
        published = read_release_checkpoint(find_checkpoint(config or DEFAULT_MODEL))
        return published.config, checkpoint or published.path
    if not Path(config).is_file():
        raise FileNotFoundError(f'there is no config {config}; see the folder configs')
    return Config.fromfile(config), checkpoint


def _is_name(config: str | os.PathLike) -> bool:
    """Whether this names a model, and no file of a config."""
    path = Path(config)
    return not path.is_file() and path.name == str(config) and path.suffix not in _CONFIG_SUFFIXES


def _is_on_cpu(model: torch.nn.Module) -> bool:
    return next(model.parameters()).device.type == 'cpu'
