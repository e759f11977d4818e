"""Modules that were moved, old name to new; the old ones can be imported for one release.

A value is the new module, or, where the names of the old one are in several now, a dictionary of
each public name and its module (``'module:new_name'`` where the name is another one too).
"""

from mmpolar.utils.deprecation import NewPlace

MOVED_MODULES: dict[str, NewPlace] = {}
