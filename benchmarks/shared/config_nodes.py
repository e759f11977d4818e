"""Looking into configs: parts of a type, and what differs between two."""

import inspect
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from mmpolar.registry import METRICS, MODELS, TRANSFORMS
from mmpolar.utils.shared_values import parts_of, type_of

#: The hook that mines, without its scope.
MINING_HOOK = 'HardNegativeMiningHook'
_ABSENT = object()


def nodes_of_type(node: Any, *types: str) -> Iterator[Any]:
    """All parts of a config that have one of some types, at whatever depth.

    Args:
        node: The config or a part of it.
        *types: Class names without a scope.
    """
    return (part for _, part in parts_of(node) if type_of(part) in types)


def option_of(node: Mapping[str, Any], name: str) -> Any:
    """What an option of a part is, by its class's default where the config leaves it out."""
    if name in node:
        return node[name]
    found = (registry.get(node['type']) for registry in (MODELS, TRANSFORMS, METRICS))
    built = next(cls for cls in found if cls is not None)
    return inspect.signature(built).parameters[name].default


def differences(old: Any, new: Any, path: str = '') -> Iterator[str]:
    """What another config has otherwise.

    Args:
        old: A config, or a part of it, in plain values.
        new: The other one's part at the same path.
        path: Where that is, in the words of ``--cfg-options``.

    Yields:
        Lines such as ``'model.mask_head.n_rays: 72 -> 36'``. A part of another type, or that only
        one of them has, is named by its type alone.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping) and type_of(old) == type_of(new):
        pairs = [(key, old.get(key, _ABSENT), new.get(key, _ABSENT)) for key in {**old, **new}]
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        pairs = [(i, *both) for i, both in enumerate(zip_longest(old, new, fillvalue=_ABSENT))]
    else:
        if old is not new and old != new:
            yield f'{path}: {_shown(old)} -> {_shown(new)}'
        return
    for key, *both in pairs:
        yield from differences(*both, f'{path}.{key}' if path else str(key))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return 'not there'
    if isinstance(value, Mapping):
        return type_of(value) or '{...}'
    return repr(value)
