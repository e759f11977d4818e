"""Old spellings that keep working for one release, each with one warning.

========================================  ==========================================
what was renamed or moved                 what keeps the old spelling
========================================  ==========================================
a module                                  an entry in ``mmpolar/utils/moved_modules.py``
a name of a module that is still there    :func:`moved_names`
a keyword of a function or constructor    :func:`renamed_keywords`
a key of a dictionary, as in ``test_cfg``  :func:`with_new_keys`
a registered class                        ``REGISTRY.register_old_name`` (``mmpolar.registry``)
a dictionary that became a dataclass      :class:`OldItemAccess`
anything else                             :func:`warn_deprecated`
========================================  ==========================================

Standard library only: ``import mmpolar`` loads this.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec('P')
R = TypeVar('R')

#: Where names of a module are now: a module, if they are all there; else one for each name,
#: as ``'package.module'`` or, with another name, as ``'package.module:new_name'``.
NewModule = str | Mapping[str, str]


class MMPolarDeprecationWarning(DeprecationWarning):
    """An old spelling is used that the next release does not know any more."""


# Old spellings in configs are looked up by MMEngine, for whose modules Python hides deprecation
# warnings. Who sets filters with ``python -W`` decides.
if not sys.warnoptions:
    warnings.simplefilter('default', MMPolarDeprecationWarning)

_warned: set[str] = set()


def warn_deprecated(old: str, new: str, stacklevel: int = 2) -> None:
    """Warn about an old spelling, the first time that a process uses it.

    Args:
        old: What was used, as in ``'mmpolar.engine.mining'``.
        new: What to use.
        stacklevel: Frames from this function to the code to blame; 2 is the caller's caller.
    """
    if old not in _warned:
        _warned.add(old)
        warnings.warn(
            f'{old} is deprecated and leaves with the next release; use {new}',
            MMPolarDeprecationWarning,
            stacklevel=stacklevel + 1,
        )


def moved_names(module: str, new_modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module some of whose names are elsewhere now.

    Args:
        module: The module, its ``__name__``.
        new_modules: Where each old name is now, ``'package.module'`` or ``'package.module:new_name'``.

    Returns:
        A function to assign to the module's ``__getattr__``.

    Example:
        >>> __getattr__ = moved_names(__name__, {'draw_mask': 'mmpolar.visualization:render_mask'})
    """

    def getattr_of_module(name: str) -> Any:
        if name not in new_modules:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        new_module, _, new_name = new_modules[name].partition(':')
        new_name = new_name or name
        warn_deprecated(f'{module}.{name}', f'{new_module}.{new_name}')
        return getattr(import_module(new_module), new_name)

    return getattr_of_module


def renamed_keywords(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator of a function, or an ``__init__``, some of whose keywords have other names now.

    Args:
        **new_names: New name of each old one. Arguments given by position need no care.

    Example:
        >>> @renamed_keywords(outfile='out_file')
        ... def save(image, out_file): ...
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        owner = function.__qualname__.removesuffix('.__init__')

        @wraps(function)
        def with_old_keywords(*args: P.args, **kwargs: P.kwargs) -> R:
            if new_names.keys() & kwargs.keys():
                kwargs = with_new_keys(kwargs, new_names, owner)
            return function(*args, **kwargs)

        with_old_keywords.old_keywords = frozenset(new_names)
        return with_old_keywords

    return decorate


def with_new_keys(
    config: Mapping[str, Any], new_names: Mapping[str, str], owner: str, stacklevel: int = 2
) -> dict[str, Any]:
    """A config in which old keys have their new names.

    Args:
        config: Keys and values; not changed.
        new_names: New name of each old key.
        owner: What the config is of, for messages.
        stacklevel: Frames from this function to the code to blame; 2 is the caller's caller.

    Raises:
        TypeError: If a key is given by both names.
    """
    renamed: dict[str, Any] = {}
    for key, value in config.items():
        new_key = new_names.get(key, key)
        if new_key != key:
            if new_key in config:
                raise TypeError(
                    f'{owner} got both {new_key} and its old name {key}; leave out {key}'
                )
            warn_deprecated(f'{key} of {owner}', new_key, stacklevel + 1)
        renamed[new_key] = value
    return renamed


class OldItemAccess:
    """Base of a dataclass that was a dictionary: ``record['name']`` still reads and writes a field.

    A field that is None counts as a key that is not there, except in ``record['name']``. Names that
    are no field are looked up in the field ``extra``, if there is one.
    """

    def __getitem__(self, name: str) -> Any:
        self._warn_item_access(name)
        extra = getattr(self, 'extra', {})
        if name not in self.__dataclass_fields__ and name not in extra:
            raise KeyError(name)
        return extra[name] if name in extra else getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._warn_item_access(name)
        if name in self.__dataclass_fields__:
            setattr(self, name, value)
        else:
            self.extra[name] = value

    def __contains__(self, name: str) -> bool:
        self._warn_item_access(name)
        return self._has(name)

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or a default where it is None."""
        value = self[name] if self._has(name) else None
        return default if value is None else value

    def keys(self) -> list[str]:
        """Names of the fields that are not None."""
        names = [*self.__dataclass_fields__, *getattr(self, 'extra', {})]
        return [name for name in names if name != 'extra' and self._has(name)]

    def _has(self, name: str) -> bool:
        return name in getattr(self, 'extra', {}) or getattr(self, name, None) is not None

    def _warn_item_access(self, name: str) -> None:
        owner = type(self).__name__
        new = f'{owner}.{name}' if name in self.__dataclass_fields__ else f'{owner}.extra[{name!r}]'
        warn_deprecated(f'{owner}[{name!r}]', new, stacklevel=3)


class MovedModuleFinder(MetaPathFinder, Loader):
    """Imports the new module, with a warning, where code imports the old one.

    It stands behind the finders of Python, so a module that exists is never redirected.

    Args:
        new_modules: Where the names of each old module are now.
    """

    def __init__(self, new_modules: Mapping[str, NewModule]) -> None:
        self.new_modules = new_modules

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """How to import an old module; None for all others."""
        if fullname not in self.new_modules:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace the old module by the new one, or give the old one its names."""
        old = module.__name__
        new = self.new_modules[old]
        if isinstance(new, str):
            warn_deprecated(old, new)
            sys.modules[old] = import_module(new)
        else:
            module.__getattr__ = moved_names(old, new)


def redirect_moved_modules(new_modules: Mapping[str, NewModule]) -> None:
    """Keep the old names of modules importable in this process.

    Args:
        new_modules: Where the names of each old module are now. Where an old package is gone, its
            modules need entries of their own, and the package one too.
    """
    sys.meta_path.append(MovedModuleFinder(new_modules))
