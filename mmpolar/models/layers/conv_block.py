"""The 3x3 convolution with batch norm and ReLU that heads are made of, dense or depth-wise."""

import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
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
    return DepthwiseConvBlock(in_channels, out_channels, KERNEL_SIZE, dw_act_cfg=None, **options)


class DepthwiseConvBlock(DepthwiseSeparableConvModule):
    """A depth-wise separable convolution whose depth-wise part a CPU trains in float32.

    In bfloat16 PyTorch's CPU kernels (2.13) now and then give a dilated depth-wise convolution's
    weights a gradient of 1e30 or so, and the training is lost.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Filter, then mix the channels."""
        if not (self.training and x.device.type == 'cpu'):
            return super().forward(x)
        with torch.autocast('cpu', enabled=False):
            filtered = self.depthwise_conv(x.float())
        return self.pointwise_conv(filtered)
