"""Correlation of search features with template features."""

from mmpolar.models.layers.correlation.onnx import OnnxCombination, correlate
from mmpolar.models.layers.correlation.reference import FeatureCombination, depthwise_xcorr

__all__ = ['FeatureCombination', 'OnnxCombination', 'correlate', 'depthwise_xcorr']
