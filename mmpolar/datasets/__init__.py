"""Datasets of tracks, the pairs sampled from them, and their samplers and transforms."""

from mmpolar.datasets import samplers, transforms  # noqa: F401  (registers their classes)
from mmpolar.datasets.base_box_dataset import BaseBoxDataset
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.box_track_dataset import BoxTrackDataset
from mmpolar.datasets.coco_track_dataset import CocoTrackDataset
from mmpolar.datasets.davis_dataset import DavisDataset
from mmpolar.datasets.got10k_dataset import GOT10kDataset
from mmpolar.datasets.image_folder_dataset import ImageFolderDataset
from mmpolar.datasets.imagenet_vid_dataset import ImageNetVIDDataset
from mmpolar.datasets.lasot_dataset import LaSOTDataset
from mmpolar.datasets.mask_crop_dataset import MaskCropDataset
from mmpolar.datasets.multi_target_dataset import MultiTargetDataset
from mmpolar.datasets.otb_dataset import OTBDataset
from mmpolar.datasets.segtrack_v2_dataset import SegTrackV2Dataset
from mmpolar.datasets.synthetic_dataset import SyntheticDataset
from mmpolar.datasets.track_pair_dataset import TrackPairDataset
from mmpolar.datasets.trackingnet_dataset import TrackingNetDataset
from mmpolar.datasets.uav123_dataset import UAV123Dataset
from mmpolar.datasets.vot_dataset import VOTDataset
from mmpolar.datasets.youtube_vos_dataset import YouTubeVOSDataset
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'BaseBoxDataset',
    'BaseTrackDataset',
    'BoxTrackDataset',
    'CocoTrackDataset',
    'DavisDataset',
    'GOT10kDataset',
    'ImageFolderDataset',
    'ImageNetVIDDataset',
    'LaSOTDataset',
    'MaskCropDataset',
    'MultiTargetDataset',
    'OTBDataset',
    'SegTrackV2Dataset',
    'SyntheticDataset',
    'TrackPairDataset',
    'TrackingNetDataset',
    'UAV123Dataset',
    'VOTDataset',
    'YouTubeVOSDataset',
]

__getattr__ = moved_names(
    __name__,
    dict.fromkeys(('CompositeDataset', 'MinedNegatives', 'NegativePairDataset'), 'mmpolar.mining'),
)
