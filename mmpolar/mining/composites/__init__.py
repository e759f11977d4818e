"""Composite training images of positives and negatives."""

from mmpolar.mining.composites.composite_dataset import CompositeDataset
from mmpolar.mining.composites.overlay_composite import OverlayComposite
from mmpolar.mining.composites.pair_composite import PairComposite
from mmpolar.mining.composites.separate_images import SeparateImages
from mmpolar.mining.composites.stitch_composite import StitchComposite

__all__ = [
    'CompositeDataset',
    'OverlayComposite',
    'PairComposite',
    'SeparateImages',
    'StitchComposite',
]
