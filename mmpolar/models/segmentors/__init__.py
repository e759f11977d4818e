from mmpolar.models.segmentors.mask_stage import MaskStage, StageFeatures, StageReference

__all__ = ['MaskStage', 'StageFeatures', 'StageReference']
