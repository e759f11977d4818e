from mmpolar.models.heads.contour_refine_head import ContourRefineHead
from mmpolar.models.heads.ocean_head import Kernels, OceanHead, OceanMaps
from mmpolar.models.heads.polar_contour_head import PolarContourHead

__all__ = ['ContourRefineHead', 'Kernels', 'OceanHead', 'OceanMaps', 'PolarContourHead']
