"""The aligned convolution in a form that is fast on a CPU."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmpolar.models.layers.aligned_conv.reference import KERNEL_SIZE, AlignedConv
from mmpolar.models.layers.bilinear_rows import bilinear_rows
from mmpolar.models.layers.conv.packed import PackedConv2d


class PackedAlignedConv(nn.Module):
    """An :class:`AlignedConv` that samples all channels of a position at once, and packs its weights.

    Args:
        conv: The layer to compute, float32, on the CPU.
    """

    def __init__(self, conv: AlignedConv) -> None:
        super().__init__()
        out_channels, in_channels = conv.weight.shape[:2]
        mix = nn.Conv2d(KERNEL_SIZE**2 * in_channels, out_channels, 1, bias=False)
        weight = conv.weight.detach().permute(0, 2, 3, 1)
        mix.weight = nn.Parameter(weight.reshape(mix.weight.shape), requires_grad=False)
        self._mix = PackedConv2d(mix)

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Convolve, as :meth:`AlignedConv.forward` does."""
        n, _, height, width = x.shape
        y_pos, x_pos = (
            axis.permute(0, 2, 3, 1).reshape(n, -1) for axis in AlignedConv.positions(offset)
        )
        pixels, rows, weights = bilinear_rows(x, y_pos, x_pos)
        taps = F.embedding_bag(
            torch.stack(rows, 1), pixels, per_sample_weights=torch.stack(weights, 1), mode='sum'
        )
        return self._mix(taps.reshape(n, height, width, -1).permute(0, 3, 1, 2))
