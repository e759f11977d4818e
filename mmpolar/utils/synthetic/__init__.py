"""Labelled videos made from photographs inside installed packages: no download needed."""

from mmpolar.utils.synthetic.generate import generate_dataset, make_scene, write_scene
from mmpolar.utils.synthetic.photo_scenes import PHOTO_SCENES, photo_scene
from mmpolar.utils.synthetic.photographs import sample_photographs
from mmpolar.utils.synthetic.scene import Camera, Layer, Light, Scene, Sprite

__all__ = [
    'PHOTO_SCENES',
    'Camera',
    'Layer',
    'Light',
    'Scene',
    'Sprite',
    'generate_dataset',
    'make_scene',
    'photo_scene',
    'sample_photographs',
    'write_scene',
]
