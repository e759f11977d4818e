"""Features along the rays of a polar contour. On a CPU PyTorch runs the reference form."""

from mmpolar.models.layers.ray_sampling.onnx import onnx_sample_points
from mmpolar.models.layers.ray_sampling.reference import reach_in_box, sample_points

__all__ = ['onnx_sample_points', 'reach_in_box', 'sample_points']
