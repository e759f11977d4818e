from mmpolar.models.backbones import EfficientNetLite0, SiamResNet50
from mmpolar.models.data_preprocessors import TrackDataPreprocessor
from mmpolar.models.heads import OceanHead, PolarContourHead
from mmpolar.models.losses import BalancedBCELoss, LTRBIoULoss, PolarIoULoss
from mmpolar.models.necks import AdjustNeck
from mmpolar.models.task_modules import MaxDetectionScore, MaxTrackScore
from mmpolar.models.trackers import Ocean

__all__ = [
    'AdjustNeck',
    'BalancedBCELoss',
    'EfficientNetLite0',
    'LTRBIoULoss',
    'MaxDetectionScore',
    'MaxTrackScore',
    'Ocean',
    'OceanHead',
    'PolarContourHead',
    'PolarIoULoss',
    'SiamResNet50',
    'TrackDataPreprocessor',
]
