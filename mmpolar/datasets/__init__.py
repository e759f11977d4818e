"""Datasets of tracks, the pairs sampled from them, and their samplers and transforms.

The classes, which need MMEngine, are imported when they are asked for, so that the video generator in
:mod:`mmpolar.datasets.synthetic` works without. :mod:`mmpolar.datasets.registered` imports them all.
"""

import sys
from importlib import import_module

from mmpolar.utils.deprecation import moved_names
from mmpolar.utils.lazy_names import lazy_names

#: Module of each class.
MODULES = {
    'BaseBoxDataset': 'base_box_dataset',
    'BaseTrackDataset': 'base_track_dataset',
    'BoxTrackDataset': 'box_track_dataset',
    'CocoTrackDataset': 'coco_track_dataset',
    'DavisDataset': 'davis_dataset',
    'GOT10kDataset': 'got10k_dataset',
    'ImageFolderDataset': 'image_folder_dataset',
    'ImageNetVIDDataset': 'imagenet_vid_dataset',
    'LaSOTDataset': 'lasot_dataset',
    'MaskCropDataset': 'mask_crop_dataset',
    'MultiTargetDataset': 'multi_target_dataset',
    'OTBDataset': 'otb_dataset',
    'SegTrackV2Dataset': 'segtrack_v2_dataset',
    'SyntheticDataset': 'synthetic_dataset',
    'TrackPairDataset': 'track_pair_dataset',
    'TrackingNetDataset': 'trackingnet_dataset',
    'UAV123Dataset': 'uav123_dataset',
    'VideoFolderDataset': 'video_folder_dataset',
    'VOTDataset': 'vot_dataset',
    'YouTubeVOSDataset': 'youtube_vos_dataset',
}
__all__ = list(MODULES)

_old_name = moved_names(
    __name__,
    dict.fromkeys(('CompositeDataset', 'MinedNegatives', 'NegativePairDataset'), 'mmpolar.mining'),
)
__getattr__ = lazy_names(__name__, MODULES, _old_name)

# Configs name classes that this import has always registered.
if 'mmengine' in sys.modules:
    import_module(f'{__name__}.registered')
