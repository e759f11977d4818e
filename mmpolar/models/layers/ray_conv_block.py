"""A convolution over a polar grid, whose rays close to a circle."""

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

KERNEL_SIZE = 3


class RayConvBlock(nn.Module):
    """A 3x3 convolution over rays and radii with batch norm and ReLU, added to its input.

    The first ray lies beside the last one, so the grid is continued around the circle; along the
    radius it is padded with zeros.

    Args:
        channels: Channels of input and output.
        dilation: Distance of the taps across the rays; along the radius it is 1.
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.dilation = dilation
        self.conv = ConvModule(
            channels,
            channels,
            KERNEL_SIZE,
            padding=(0, KERNEL_SIZE // 2),
            dilation=(dilation, 1),
            norm_cfg=dict(type='BN'),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, n, M), n rays of M samples, to the same shape."""
        reach = self.dilation * (KERNEL_SIZE // 2)
        around = torch.cat([x[:, :, -reach:], x, x[:, :, :reach]], 2)
        return x + self.conv(around)
