"""Transforms: from a sampled pair, or a test frame, to the inputs of the model."""

from mmpolar.datasets.transforms.composite_views import CompositeViews
from mmpolar.datasets.transforms.crop_pair import CropPair
from mmpolar.datasets.transforms.crop_views import CropViews
from mmpolar.datasets.transforms.draw_template_target import DrawTemplateTarget
from mmpolar.datasets.transforms.generate_polar_target import GeneratePolarTarget
from mmpolar.datasets.transforms.load_pair_images import LoadPairImages
from mmpolar.datasets.transforms.load_track_frame import LoadTrackFrame
from mmpolar.datasets.transforms.load_views import LoadViews
from mmpolar.datasets.transforms.pack_pair_inputs import PackPairInputs
from mmpolar.datasets.transforms.pack_track_inputs import PackTrackInputs
from mmpolar.datasets.transforms.pack_views import PackViews
from mmpolar.datasets.transforms.pair_photometric import PairPhotometric
from mmpolar.datasets.transforms.recolor_views import RecolorViews
from mmpolar.datasets.transforms.simulate_priors import SimulatePriors
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'CompositeViews',
    'CropPair',
    'CropViews',
    'DrawTemplateTarget',
    'GeneratePolarTarget',
    'LoadPairImages',
    'LoadTrackFrame',
    'LoadViews',
    'PackPairInputs',
    'PackTrackInputs',
    'PackViews',
    'PairPhotometric',
    'RecolorViews',
    'SimulatePriors',
]

__getattr__ = moved_names(
    __name__,
    dict.fromkeys(('OverlayComposite', 'PairComposite', 'StitchComposite'), 'mmpolar.mining'),
)
