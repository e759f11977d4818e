from mmpolar.models.backbones import EfficientNetLite0, SiamResNet50
from mmpolar.models.data_preprocessors import MaskCropPreprocessor, TrackDataPreprocessor
from mmpolar.models.heads import OceanHead, PolarContourHead
from mmpolar.models.losses import BalancedBCELoss, LTRBIoULoss, MaskLoss, PolarIoULoss
from mmpolar.models.necks import AdjustNeck
from mmpolar.models.segmentors import MaskStage
from mmpolar.models.trackers import Ocean
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'AdjustNeck',
    'BalancedBCELoss',
    'EfficientNetLite0',
    'LTRBIoULoss',
    'MaskCropPreprocessor',
    'MaskLoss',
    'MaskStage',
    'Ocean',
    'OceanHead',
    'PolarContourHead',
    'PolarIoULoss',
    'SiamResNet50',
    'TrackDataPreprocessor',
]

__getattr__ = moved_names(
    __name__, dict.fromkeys(('MaxDetectionScore', 'MaxTrackScore'), 'mmpolar.mining')
)
