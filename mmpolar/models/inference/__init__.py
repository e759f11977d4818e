"""Layers that compute faster on a CPU and cannot be trained, and what puts them into a tracker."""

from mmpolar.models.inference.packed_aligned_conv import PackedAlignedConv
from mmpolar.models.inference.packed_conv import PackedConv2d, has_packed_convolution
from mmpolar.models.inference.prepare import prepare_for_inference
from mmpolar.models.inference.winograd_conv import WinogradConv2d, cheapest_tile

__all__ = [
    'PackedAlignedConv',
    'PackedConv2d',
    'WinogradConv2d',
    'cheapest_tile',
    'has_packed_convolution',
    'prepare_for_inference',
]
