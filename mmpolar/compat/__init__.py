"""What exists only because of the versions of other libraries, one file each."""

from mmpolar.compat.safe_load import register_safe_globals

__all__ = ['register_safe_globals']
