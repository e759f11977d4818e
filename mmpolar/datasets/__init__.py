"""Datasets of tracks, the pairs drawn from them, and their samplers and transforms."""

from mmpolar.datasets import samplers, transforms  # noqa: F401  (registers their classes)
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.box_track_dataset import BoxTrackDataset
from mmpolar.datasets.coco_track_dataset import CocoTrackDataset
from mmpolar.datasets.composite_dataset import CompositeDataset
from mmpolar.datasets.davis_dataset import DavisDataset
from mmpolar.datasets.image_folder_dataset import ImageFolderDataset
from mmpolar.datasets.mined_negatives import MinedNegatives
from mmpolar.datasets.negative_pair_dataset import NegativePairDataset
from mmpolar.datasets.synthetic_dataset import SyntheticDataset
from mmpolar.datasets.track_pair_dataset import TrackPairDataset

__all__ = [
    'BaseTrackDataset',
    'BoxTrackDataset',
    'CocoTrackDataset',
    'CompositeDataset',
    'DavisDataset',
    'ImageFolderDataset',
    'MinedNegatives',
    'NegativePairDataset',
    'SyntheticDataset',
    'TrackPairDataset',
]
