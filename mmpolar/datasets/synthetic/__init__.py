"""Labelled videos made from photographs inside installed packages: no download needed."""

from mmpolar.datasets.synthetic.photo_scenes import PHOTO_SCENES, photo_scene
from mmpolar.datasets.synthetic.photographs import sample_photographs
from mmpolar.datasets.synthetic.scene import Camera, Layer, Light, Scene, Sprite
from mmpolar.datasets.synthetic.video_generator import generate_dataset, make_scene, write_scene

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
