"""Plain convolutions in forms that are faster on a CPU and cannot be trained."""

from mmpolar.models.layers.conv.packed import PackedConv2d, has_packed_convolution
from mmpolar.models.layers.conv.winograd import WinogradConv2d, cheapest_tile

__all__ = ['PackedConv2d', 'WinogradConv2d', 'cheapest_tile', 'has_packed_convolution']
