from mmpolar.models.backbones import EfficientNetLite0, SiamResNet50
from mmpolar.models.data_preprocessors import TrackDataPreprocessor
from mmpolar.models.heads import OceanHead, PolarContourHead
from mmpolar.models.losses import BalancedBCELoss, LTRBIoULoss, PolarIoULoss
from mmpolar.models.necks import AdjustNeck
from mmpolar.models.trackers import Ocean
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'AdjustNeck',
    'BalancedBCELoss',
    'EfficientNetLite0',
    'LTRBIoULoss',
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
