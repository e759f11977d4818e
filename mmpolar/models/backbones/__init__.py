from mmpolar.models.backbones.efficientnet_lite0 import EfficientNetLite0
from mmpolar.models.backbones.siam_resnet50 import SiamResNet50

__all__ = ['EfficientNetLite0', 'SiamResNet50']
