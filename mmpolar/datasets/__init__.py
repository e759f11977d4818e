"""Datasets of tracks, the pairs drawn from them, and their samplers and transforms."""

from mmpolar.datasets import samplers, transforms  # noqa: F401  (registers their classes)
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.box_track_dataset import BoxTrackDataset
from mmpolar.datasets.coco_track_dataset import CocoTrackDataset
from mmpolar.datasets.davis_dataset import DavisDataset
from mmpolar.datasets.synthetic_dataset import SyntheticDataset
from mmpolar.datasets.track_pair_dataset import TrackPairDataset

__all__ = [
    'BaseTrackDataset',
    'BoxTrackDataset',
    'CocoTrackDataset',
    'DavisDataset',
    'SyntheticDataset',
    'TrackPairDataset',
]
