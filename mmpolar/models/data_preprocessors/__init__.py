from mmpolar.models.data_preprocessors.mask_crop_preprocessor import MaskCropPreprocessor
from mmpolar.models.data_preprocessors.track_data_preprocessor import TrackDataPreprocessor

__all__ = ['MaskCropPreprocessor', 'TrackDataPreprocessor']
