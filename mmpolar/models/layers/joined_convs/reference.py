"""Two 3x3 convolutions over maps that are joined along their channels, in plain PyTorch."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class JoinedConvs(nn.Sequential):
    """Two 3x3 convolutions, with batch norm and ReLU, over maps joined along their channels.

    Args:
        in_channels: Channels of each map.
        out_channels: Channels of both outputs.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        options = dict(padding=1, norm_cfg=dict(type='BN'))
        super().__init__(
            ConvModule(sum(in_channels), out_channels, 3, **options),
            ConvModule(out_channels, out_channels, 3, **options),
        )
        self.in_channels = tuple(in_channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Convolve maps (N, C_i, H, W): (N, C', H, W)."""
        return super().forward(torch.cat(tuple(maps), 1))
