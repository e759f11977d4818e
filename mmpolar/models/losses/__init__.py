from mmpolar.models.losses.balanced_bce_loss import BalancedBCELoss
from mmpolar.models.losses.ltrb_iou_loss import LTRBIoULoss, ltrb_iou
from mmpolar.models.losses.mask_loss import MaskLoss
from mmpolar.models.losses.ohem_bce_loss import OHEMBCELoss
from mmpolar.models.losses.polar_iou_loss import PolarIoULoss, polar_iou_loss

__all__ = [
    'BalancedBCELoss',
    'LTRBIoULoss',
    'MaskLoss',
    'OHEMBCELoss',
    'PolarIoULoss',
    'ltrb_iou',
    'polar_iou_loss',
]
