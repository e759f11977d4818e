"""The 3x3 convolution with batch norm and ReLU that heads are made of, dense or depth-wise."""

from collections import OrderedDict

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

KERNEL_SIZE = 3


def conv_block(
    in_channels: int,
    out_channels: int,
    padding: int = 0,
    dilation: int | tuple[int, int] = 1,
    depthwise: bool = False,
) -> nn.Module:
    """A 3x3 convolution, batch norm and ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        padding: Zeros around the input, in cells.
        dilation: Distance of the taps in cells, one number or (height, width).
        depthwise: Whether to filter each channel on its own and then mix the channels
            (Howard et al., 2017, "MobileNets", section 3.1): with C channels about 9 C / (9 + C)
            times fewer multiplications.

    Returns:
        A module from (N, C, H, W) to (N, C', H + 2 p - 2 d, W + 2 p - 2 d).
    """
    options = dict(padding=padding, dilation=dilation, norm_cfg=dict(type='BN'))
    if not depthwise:
        return ConvModule(in_channels, out_channels, KERNEL_SIZE, **options)
    # Without an activation between the two: it would cut half of what the few channels carry.
    filters = DepthwiseConv(in_channels, in_channels, KERNEL_SIZE, **options, act_cfg=None)
    mixer = ConvModule(in_channels, out_channels, 1, norm_cfg=dict(type='BN'))
    return nn.Sequential(OrderedDict(depthwise_conv=filters, pointwise_conv=mixer))


class DepthwiseConv(ConvModule):
    """A convolution that filters each channel on its own, and that a CPU trains in float32.

    In bfloat16 the gradients of PyTorch's CPU kernels (2.13) take five times as long, and now and
    then a dilated convolution's weights get one of 1e30 or so, which ends the training.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, **kwargs) -> None:
        super().__init__(in_channels, out_channels, kernel_size, groups=in_channels, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Filter, normalise and activate maps (N, C, H, W)."""
        if not (self.training and x.device.type == 'cpu'):
            return super().forward(x)
        with torch.autocast('cpu', enabled=False):
            return super().forward(x.float())
