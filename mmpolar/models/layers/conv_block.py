"""The 3x3 convolution with batch norm and ReLU that heads are made of, dense or depth-wise."""

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from torch import nn

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
    return DepthwiseSeparableConvModule(
        in_channels, out_channels, KERNEL_SIZE, dw_act_cfg=None, **options
    )
