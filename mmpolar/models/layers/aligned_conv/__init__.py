"""A 3x3 convolution whose taps are spread over a box."""

from mmpolar.models.layers.aligned_conv.cpu import PackedAlignedConv
from mmpolar.models.layers.aligned_conv.onnx import OnnxAlignedConv
from mmpolar.models.layers.aligned_conv.reference import KERNEL_SIZE, AlignedConv, box_offsets

__all__ = ['KERNEL_SIZE', 'AlignedConv', 'OnnxAlignedConv', 'PackedAlignedConv', 'box_offsets']
