"""Names of a package that are imported when they are asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str], others: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package that imports its modules when a name of theirs is asked for.

    Args:
        package: The package, its ``__name__``.
        modules: Module of each name, below the package.
        others: Gives names that are in none of them, such as
            :func:`mmpolar.utils.deprecation.moved_names`.

    Returns:
        A function to assign to the package's ``__getattr__``.

    Example:
        >>> __getattr__ = lazy_names(__name__, {'plot_results': 'result_plots'})
    """

    def getattr_of_package(name: str) -> Any:
        if name in modules:
            return getattr(import_module(f'{package}.{modules[name]}'), name)
        if others is not None:
            return others(name)
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return getattr_of_package
