"""Two convolutions over maps that are joined along their channels."""

from mmpolar.models.layers.joined_convs.onnx import OnnxJoinedConvs
from mmpolar.models.layers.joined_convs.reference import JoinedConvs

__all__ = ['JoinedConvs', 'OnnxJoinedConvs']
