"""Geometry and plain records. Nothing here imports an OpenMMLab package."""

from mmpolar.structures.boxes import check_box
from mmpolar.structures.combine_objects import MAX_OBJECT_ID, combine_objects
from mmpolar.structures.polar import (
    CROSSINGS,
    MIN_RADIUS,
    decode_points,
    encode_radii,
    mask_to_box,
    mass_center,
    polar_ceiling,
    polar_centerness,
    rasterize_polygon,
    ray_directions,
)
from mmpolar.structures.target import Target
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.deprecation import moved_names

__all__ = [
    'CROSSINGS',
    'MAX_OBJECT_ID',
    'MIN_RADIUS',
    'Target',
    'TrackResult',
    'check_box',
    'combine_objects',
    'decode_points',
    'encode_radii',
    'mask_to_box',
    'mass_center',
    'polar_ceiling',
    'polar_centerness',
    'rasterize_polygon',
    'ray_directions',
]
__getattr__ = moved_names(__name__, {'TrackParams': 'mmpolar.tracking'})
