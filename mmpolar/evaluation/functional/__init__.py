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
from mmpolar.evaluation.functional.image_level import (
    NO_POINT,
    OperatingPoint,
    PRCurve,
    average_precision,
    false_alarms_per_10k,
    operating_point,
    point_for_precision,
    point_for_recall,
    pr_curve,
    precision,
    recall,
)
from mmpolar.evaluation.functional.segmentation import (
    boundary_f,
    boundary_map,
    box_similarity,
    region_similarity,
)

__all__ = [
    'NORMALIZED_THRESHOLDS',
    'NO_POINT',
    'PRECISION_PIXELS',
    'SUCCESS_THRESHOLDS',
    'OperatingPoint',
    'PRCurve',
    'average_precision',
    'boundary_f',
    'boundary_map',
    'box_iou',
    'box_similarity',
    'center_distance',
    'false_alarms_per_10k',
    'normalized_center_distance',
    'normalized_precision_auc',
    'operating_point',
    'point_for_precision',
    'point_for_recall',
    'pr_curve',
    'precision',
    'precision_at',
    'recall',
    'region_similarity',
    'success_auc',
]
