"""Scenes among candidates, and picks that differ from each other.

Without PyTorch and OpenMMLab.
"""

from mmpolar.mining.scenes.appearance import Appearance
from mmpolar.mining.scenes.diversity import Diversity
from mmpolar.mining.scenes.find_scenes import find_scenes
from mmpolar.mining.scenes.perceptual_hash import hash_distances, hash_files, perceptual_hash
from mmpolar.mining.scenes.select_diverse import select_diverse

__all__ = [
    'Appearance',
    'Diversity',
    'find_scenes',
    'hash_distances',
    'hash_files',
    'perceptual_hash',
    'select_diverse',
]
