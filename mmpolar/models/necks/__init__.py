from mmpolar.models.necks.adjust_neck import AdjustNeck

__all__ = ['AdjustNeck']
