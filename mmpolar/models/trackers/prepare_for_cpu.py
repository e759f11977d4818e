"""Replace the layers of a loaded tracker by others that compute the same and faster."""

import numpy as np
import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmpolar.models.backbones.siam_resnet50 import SiamBottleneck, SiamResNet50
from mmpolar.models.layers.aligned_conv import AlignedConv, PackedAlignedConv
from mmpolar.models.layers.conv.packed import (
    PackedConv2d,
    has_packed_convolution,
    has_plain_padding,
)
from mmpolar.models.layers.conv.winograd import WinogradConv2d, Workspace, cheapest_tile
from mmpolar.models.trackers.ocean import Ocean
from mmpolar.models.trackers.torch_engine import TorchEngine
from mmpolar.tracking import SingleTargetTracker

Sizes = dict[nn.Conv2d, tuple[int, ...]]


@torch.no_grad()
def prepare_for_inference(model: Ocean) -> Ocean:
    """Make a tracker on a CPU fast, for good.

    Convolutions are replaced, in place, by :class:`PackedConv2d`, and where it pays by
    :class:`WinogradConv2d`. Results change by rounding. The model can neither be trained nor saved
    nor moved any more.

    Args:
        model: A tracker in test mode, float32, on the CPU, whose batch norm has been folded.

    Returns:
        The same model. Layers that do not fit are left as they are, all of them where PyTorch
        comes without oneDNN.

    Raises:
        ValueError: If the model is elsewhere or of another type.
    """
    for name, weight in model.named_parameters():
        if (weight.device.type, weight.dtype) != ('cpu', torch.float32):
            raise ValueError(
                f'only a model in float32 on the CPU can be prepared, but {name} is in '
                f'{weight.dtype} on {weight.device}'
            )
    if not has_packed_convolution():
        return model
    _Replacer(_usual_sizes(model)).replace_children(model)
    return model


class PackedBottleneck(nn.Module):
    """The three convolutions of a :class:`SiamBottleneck`; the last one also adds the shortcut.

    Args:
        conv1: Convolution and activation.
        conv2: Convolution and activation.
        conv3: Sum with the shortcut, and activation.
        downsample: The shortcut; None for the input itself.
    """

    def __init__(
        self,
        conv1: nn.Module,
        conv2: nn.Module,
        conv3: PackedConv2d,
        downsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv1, conv2, conv3
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 4 * width, H', W')."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.conv3(self.conv2(self.conv1(x)), shortcut)


class _Replacer:
    """Knows the usual inputs of a model's convolutions, and what computes each of them faster."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._workspace = Workspace()

    def replace_children(self, parent: nn.Module) -> None:
        """Replace the layers inside a module, at any depth."""
        if isinstance(parent, SiamResNet50) and _is_folded(parent.bn1):
            parent.conv1 = self._faster(parent.conv1, parent.relu)
            parent.relu = nn.Identity()
        for name, child in parent.named_children():
            setattr(parent, name, self._replacement(child))

    def _replacement(self, layer: nn.Module) -> nn.Module:
        """What computes a layer faster; the layer itself, with other children, if nothing does."""
        if isinstance(layer, nn.Conv2d):
            return self._faster(layer)
        if isinstance(layer, ConvModule) and _is_plain(layer):
            return self._faster(layer.conv, layer.activate if layer.with_activation else None)
        if isinstance(layer, SiamBottleneck) and _is_folded(layer.bn1, layer.bn2, layer.bn3):
            return self._bottleneck(layer)
        if isinstance(layer, AlignedConv):
            return PackedAlignedConv(layer)
        self.replace_children(layer)
        return layer

    def _bottleneck(self, block: SiamBottleneck) -> PackedBottleneck:
        if block.downsample is not None:
            self.replace_children(block.downsample)
        return PackedBottleneck(
            self._faster(block.conv1, block.relu),
            self._faster(block.conv2, block.relu),
            PackedConv2d(block.conv3, block.relu, self._sizes.get(block.conv3)),
            block.downsample,
        )

    def _faster(self, conv: nn.Conv2d, activation: nn.Module | None = None) -> nn.Module:
        """What computes a convolution, and the activation after it, faster."""
        size = self._sizes.get(conv)
        if size is None or not has_plain_padding(conv):
            return conv if activation is None else nn.Sequential(conv, activation)
        tile = cheapest_tile(conv, size)
        if tile is None:
            return PackedConv2d(conv, activation, size)
        layer = WinogradConv2d(conv, tile, activation, self._workspace)
        layer.product = PackedConv2d(layer.product, input_size=layer.product_size(size))
        return layer


def _usual_sizes(model: Ocean) -> Sizes:
    """Input shapes of all convolutions in a tracking step; those of the search crop count."""
    sizes: Sizes = {}

    def record(layer: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
        sizes[layer] = tuple(inputs[0].shape)

    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_pre_hook(record) for layer in convolutions]
    side = 2 * model.params.template_size
    try:
        # A target of a quarter of the frame gets the usual search crop.
        tracker = SingleTargetTracker(TorchEngine(model, dtype=None))
        tracker.init(np.zeros((side, side, 3), np.uint8), np.array([0.25, 0.25, 0.75, 0.75]) * side)
    finally:
        for hook in hooks:
            hook.remove()
    return sizes


def _is_plain(module: ConvModule) -> bool:
    """Whether a module is a convolution, and after it an activation that can be taken in."""
    is_folded = not module.with_norm or _is_folded(module.norm)
    is_known = not module.with_activation or isinstance(module.activate, nn.ReLU | nn.ReLU6)
    return is_folded and is_known and not module.with_explicit_padding


def _is_folded(*norms: nn.Module) -> bool:
    return all(isinstance(norm, nn.Identity) for norm in norms)
