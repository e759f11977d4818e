"""Configs from untrusted sources: plain values and registered components, checked before any is built.

MMEngine resolves a ``type`` that is in no registry by importing it, so ``type='subprocess.Popen'``
runs a program, and it imports the module that ``default_scope`` or ``_scope_`` names. Some components
of other libraries read further files, or evaluate texts. A config that lies in a checkpoint is
therefore read as literals and checked as a whole.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config

from mmpolar.model_zoo import PACKAGE_FOLDER
from mmpolar.utils.checkpoints.safe_reading import CheckpointReadError
from mmpolar.utils.config_text import OF_A_RUN, ConfigTextError, read_config_text

#: Libraries whose registered components a config may name, and whose modules it may import.
KNOWN_LIBRARIES = ('mmpolar', 'mmdet', 'mmengine', 'mmcv', 'mmtrack')

_OWN_LIBRARY = 'mmpolar'
#: Functions of mmcv that a ``type`` may name beside the components: it looks them up by itself.
_MMCV_NMS = frozenset({'nms', 'soft_nms', 'nms_match', 'nms_rotated', 'nms_quadri'})
_SCOPE_KEYS = ('default_scope', '_scope_')
_FILE_KEY = re.compile(r'checkpoint|ckpt|pretrained|load_from|resume_from|teacher_config')
#: Weights by name, out of a fixed table of a known library; never a file or an address.
_NAMED_WEIGHTS = re.compile(r'(efficientnet-lite|torchvision)://[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?')
_PATH = re.compile(
    r'[/\\]|^~|\.(py|pyc|so|pth|pt|pkl|pickle|ckpt|bin|safetensors|onnx|json|ya?ml|npy|npz)$', re.I
)
_CALL = re.compile(r'\w\(')
#: Characters of a value that a message shows.
_LONGEST_VALUE = 120
_WORD = re.compile(r'[^\W\d]\w*')


class UnsafeConfigError(CheckpointReadError):
    """A config from an untrusted source names more than registered components of known libraries."""


def read_untrusted_config(text: Any, source: str | os.PathLike) -> Config:
    """Read the config in a checkpoint; nothing in it is run, imported or built.

    Args:
        text: Python source of assignments of plain values. The entries of a run (``work_dir``,
            ``load_from``, ``resume``, ``launcher``) are left out.
        source: The file it comes from, for the messages.

    Raises:
        CheckpointReadError: If the text is no config of plain values.
        UnsafeConfigError: See :func:`check_untrusted_config`.
    """
    try:
        config = read_config_text(text)
    except ConfigTextError as error:
        raise CheckpointReadError(
            f'the config in {source} is incomplete or was changed ({error}); copy the file again'
        ) from error
    for key in OF_A_RUN:
        config.pop(key, None)
    check_untrusted_config(config, source)
    return config


def check_untrusted_config(config: Config, source: str | os.PathLike) -> None:
    """Refuse a config that would run or read more than registered components of known libraries.

    Checked in the whole tree: each ``type``, ``*_type`` and ``constructor``, the scopes, the modules
    of ``custom_imports``, and what names weights; paths and addresses anywhere in ``model``.

    Args:
        config: The config, of plain values.
        source: The file it comes from, for the message.

    Raises:
        UnsafeConfigError: At the first entry that is refused. The message names the file, the entry
            and its value.
    """
    # Not at the top of the module: the registries import this package.
    from mmpolar.registry import registered_names

    tree = config.to_dict()
    if not isinstance(tree.get('model', {}), Mapping):
        raise _refusal(source, 'model', tree['model'], 'is no model')
    # A type comes first, as its other entries are often wrong with it.
    entries = sorted(_entries(tree), key=lambda entry: entry[1] != 'type')
    scopes = {_OWN_LIBRARY}
    for path, key, value in entries:
        if key in _SCOPE_KEYS and value is not None:
            if value not in KNOWN_LIBRARIES:
                raise _refusal(source, path, value, 'is no library that mmpolar knows')
            scopes.add(value)
    names = _Names(scopes, cache(registered_names))
    for path, key, value in entries:
        fault = _fault(path, key, value, names)
        if fault:
            raise _refusal(source, path, value, fault)


def _entries(tree: Any) -> Iterator[tuple[str, str, Any]]:
    """Each entry of a tree that is no container, or whose key says that it names something.

    Yields:
        Where it is, as ``model.backbone.type``; the nearest key; the value.
    """
    pending = [(tree, '', None)]
    while pending:
        value, path, key = pending.pop()
        is_container = isinstance(value, Mapping | list | tuple | set | frozenset)
        if key is not None and (
            not is_container or key in ('type', 'custom_imports', *_SCOPE_KEYS)
        ):
            yield path, key, value
        if isinstance(value, Mapping):
            pending += [(item, f'{path}.{k}'.lstrip('.'), str(k)) for k, item in value.items()]
        elif is_container:
            pending += [(item, f'{path}[{i}]', key) for i, item in enumerate(value)]


def _fault(path: str, key: str, value: Any, names: '_Names') -> str | None:
    """What is wrong with an entry, if anything."""
    if key == 'type':
        if not isinstance(value, str) or value not in names:
            return 'is no registered component'
        return None
    if key == 'custom_imports':
        return _fault_of_imports(value)
    if not isinstance(value, str):
        return None
    if (key.endswith('_type') or key == 'constructor') and not _is_harmless_kind(value, names):
        return 'is no registered component'
    if _is_named_weights(value):
        return None
    if _FILE_KEY.search(key) or (path.startswith('model.') and _PATH.search(value)):
        return 'is a file or an address, which a config in a file may not read'
    return 'is a call' if _CALL.search(value) else None


@dataclass(frozen=True)
class _Names:
    """Names that a ``type`` may have.

    Attributes:
        scopes: Libraries whose components need no scope.
        of_library: The names of a library's components.
    """

    scopes: Set[str]
    of_library: Callable[[str], Set[str]]

    def __contains__(self, name: str) -> bool:
        scope, dot, plain = name.rpartition('.')
        if dot:
            if scope not in KNOWN_LIBRARIES:
                return False
            known = self.of_library(scope)
            # Its components are only there under its bridge, so that none can be built here.
            return plain in known or (scope == 'mmtrack' and not known and plain[:1].isupper())
        if name in _MMCV_NMS:
            return True
        return any(name in self.of_library(scope) for scope in [*sorted(self.scopes), 'mmengine'])


def _is_harmless_kind(value: str, names: _Names) -> bool:
    """Whether it is a component, or a word such as ``'bbox'``, which is no module."""
    return value in names or (bool(_WORD.fullmatch(value)) and find_spec(value) is None)


def _fault_of_imports(value: Any) -> str | None:
    modules = value.get('imports') if isinstance(value, Mapping) else value
    modules = [modules] if isinstance(modules, str) else modules or []
    for module in modules:
        if not isinstance(module, str) or module.split('.')[0] not in KNOWN_LIBRARIES:
            return 'imports a module of no library that mmpolar knows'
    return None


def _refusal(source: str | os.PathLike, path: str, value: Any, fault: str) -> UnsafeConfigError:
    shown = repr(value)
    shown = shown if len(shown) <= _LONGEST_VALUE else f'{shown[:_LONGEST_VALUE]}...'
    return UnsafeConfigError(
        f'the config in {source} is refused: {path} = {shown} {fault}. It may only name components '
        f'that are registered in {", ".join(KNOWN_LIBRARIES)}, as it can come from anybody; if you '
        'trust it, give the config as a file of its own, which may hold any code'
    )


def _is_named_weights(address: str) -> bool:
    """Whether this names weights in an installed package, those of a packaged tracker among them."""
    packaged = (f'mmpolar://{path.stem}' for path in PACKAGE_FOLDER.glob('*.pth'))
    return bool(_NAMED_WEIGHTS.fullmatch(address)) or address in packaged
