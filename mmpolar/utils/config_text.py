"""A config as text that says nothing about a machine, and is read without running anything."""

import ast
import re
from collections.abc import Mapping
from pathlib import PureWindowsPath
from typing import Any

from mmengine.config import Config

#: Entries that say how and where a config was run, not what it is.
OF_A_RUN = ('work_dir', 'load_from', 'resume', 'launcher')
#: Folder that stands for those of the machine, as in the configs that come with mmpolar.
_NEUTRAL_FOLDER = 'data'
_ADDRESS = re.compile(r'[a-z][a-z0-9+.-]+://')
# At the start, or as a word within a text: /x, ~/x, C:\\x.
_ABSOLUTE = re.compile(r"""(?<![^\s=,;"'(])(?:~?/|[A-Za-z]:[\\/])[^\s,;"')]+""")


class ConfigTextError(ValueError):
    """A text is no config of plain values."""


def to_portable_text(cfg: Config) -> str:
    """A resolved config as text, without paths of the machine.

    Absolute paths, also within a longer text, and relative ones that leave the folder keep their
    last part alone, behind ``data/``. The entries that belong to a run (``work_dir`` and so on) and
    ``custom_imports``, which names modules of the machine, are left out.

    Args:
        cfg: The config, of plain values: numbers, texts, lists, tuples and dictionaries.

    Returns:
        Python source of assignments, which :func:`read_config_text` and MMEngine read.

    Raises:
        ConfigTextError: If it holds values that are not plain.
    """
    left_out = {*OF_A_RUN, 'custom_imports'}
    plain = {key: value for key, value in cfg.to_dict().items() if key not in left_out}
    plain = _map_texts(plain, _without_machine_path)
    text = Config(plain).pretty_text
    read_config_text(text)  # refuses what is not plain
    return text


def read_config_text(text: str) -> Config:
    """Read a config of plain values; unlike MMEngine's own reading it runs no code.

    Args:
        text: Python source of assignments ``name = value``, in which ``dict`` is the only call, as :func:`to_portable_text` and MMEngine's checkpoints have it.

    Raises:
        ConfigTextError: If there is anything else in it.
    """
    try:
        statements = ast.parse(text).body
        return Config(dict(map(_assignment, statements)))
    # Keys that are no text or are reserved by MMEngine, and nesting without end, raise the others.
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise ConfigTextError(
            f'this is no config of plain values ({error}); expected assignments of numbers, texts, '
            'lists, tuples and dictionaries'
        ) from error


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, ast.literal_eval(_CallsAsDicts().visit(value))
    raise ValueError(f'line {statement.lineno} is no assignment')


class _CallsAsDicts(ast.NodeTransformer):
    """Turns ``dict(key=value)`` and ``dict({'key': value})`` into ``{'key': value}``, a literal."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
                keys = [ast.Constant(keyword.arg) for keyword in keywords]
                return ast.Dict(keys, [self.visit(keyword.value) for keyword in keywords])
            case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as mapping], keywords=[]):
                return self.visit(mapping)
        raise ValueError(f'line {node.lineno} has a call')


def _map_texts(value: Any, change) -> Any:
    """A value of containers, with another text in place of each."""
    if isinstance(value, Mapping):
        return {key: _map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map_texts(item, change) for item in value)
    return change(value) if isinstance(value, str) else value


def _without_machine_path(text: str) -> str:
    if _ADDRESS.match(text):
        return text
    if _ABSOLUTE.match(text) or '..' in PureWindowsPath(text).parts:
        return _neutral(text)
    return _ABSOLUTE.sub(lambda found: _neutral(found[0]), text)


def _neutral(path: str) -> str:
    ending = '/' if path.endswith(('/', '\\')) else ''
    return f'{_NEUTRAL_FOLDER}/{PureWindowsPath(path).name}{ending}'
