"""mmpolar: an Ocean tracker with polar contours, and training with mined hard negatives."""

from mmpolar.utils.deprecation import redirect_moved_modules
from mmpolar.utils.moved_modules import MOVED_MODULES
from mmpolar.version import __version__

__all__ = ['__version__']

redirect_moved_modules(MOVED_MODULES)
