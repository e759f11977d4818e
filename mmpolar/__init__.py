"""mmpolar: an Ocean tracker that outlines its target with rays, and training with mined negatives."""

from mmpolar.version import __version__

__all__ = ['__version__']
