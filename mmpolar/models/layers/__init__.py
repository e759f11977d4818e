"""Layers; of those with several forms each folder has the reference, CPU and ONNX form."""

from mmpolar.models.layers.aligned_conv import AlignedConv, box_offsets
from mmpolar.models.layers.bilinear_rows import BilinearRows, bilinear_rows
from mmpolar.models.layers.conv_block import conv_block
from mmpolar.models.layers.correlation import FeatureCombination, depthwise_xcorr
from mmpolar.models.layers.joined_convs import JoinedConvs

__all__ = [
    'AlignedConv',
    'BilinearRows',
    'FeatureCombination',
    'JoinedConvs',
    'bilinear_rows',
    'box_offsets',
    'conv_block',
    'depthwise_xcorr',
]
