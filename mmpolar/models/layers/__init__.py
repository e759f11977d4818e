from mmpolar.models.layers.aligned_conv import AlignedConv, box_offsets
from mmpolar.models.layers.bilinear_rows import BilinearRows, bilinear_rows
from mmpolar.models.layers.conv_block import conv_block
from mmpolar.models.layers.depthwise_xcorr import depthwise_xcorr
from mmpolar.models.layers.feature_combination import FeatureCombination

__all__ = [
    'AlignedConv',
    'BilinearRows',
    'FeatureCombination',
    'bilinear_rows',
    'box_offsets',
    'conv_block',
    'depthwise_xcorr',
]
