"""Plain arrays in, numbers out: nothing here imports an OpenMMLab package."""

from mmpolar.evaluation.functional.boxes import (
    NORMALIZED_THRESHOLDS,
    PRECISION_PIXELS,
    SUCCESS_THRESHOLDS,
    box_iou,
    center_distance,
    normalized_center_distance,
    normalized_precision_auc,
    precision_at,
    success_auc,
)
from mmpolar.evaluation.functional.segmentation import (
    boundary_f,
    boundary_map,
    box_similarity,
    region_similarity,
)

__all__ = [
    'NORMALIZED_THRESHOLDS',
    'PRECISION_PIXELS',
    'SUCCESS_THRESHOLDS',
    'boundary_f',
    'boundary_map',
    'box_iou',
    'box_similarity',
    'center_distance',
    'normalized_center_distance',
    'normalized_precision_auc',
    'precision_at',
    'region_similarity',
    'success_auc',
]
