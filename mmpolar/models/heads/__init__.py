from mmpolar.models.heads.ocean_head import Kernels, OceanHead, OceanMaps
from mmpolar.models.heads.polar_contour_head import PolarContourHead

__all__ = ['Kernels', 'OceanHead', 'OceanMaps', 'PolarContourHead']
