"""Entries of a config that nothing reads, found before a training runs with the default instead."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Set
from difflib import get_close_matches
from functools import cache
from typing import Any

from mmengine.config import Config

#: Top-level entries that MMEngine or these programs read besides the parameters of the runner.
_READ_BESIDES = frozenset(
    [
        'runner_type',
        'custom_imports',
        'model_wrapper_cfg',
        'sync_bn',
        'find_unused_parameters',
        'compile',
        'tta_model',
        'tta_pipeline',
        'efficient_conv_bn_eval',
        'activation_checkpointing',
        'strategy',
    ]
)
#: What MMEngine takes out of a component's config before it builds it, by the entry it is in.
_TAKEN_OUT = {
    'hooks': {'priority'},
    'optim_wrapper': {'optimizer', 'constructor', 'paramwise_cfg'},
    'param_scheduler': {'convert_to_iter_based'},
    'loop': {'by_epoch'},
    'dataloader': {
        'dataset',
        'sampler',
        'batch_sampler',
        'collate_fn',
        'worker_init_fn',
        'num_batch_per_epoch',
    },
}
_ENV = frozenset(('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'))
_DEFAULT_HOOKS = frozenset(
    ['runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint']
)
#: How alike two names are that are taken for a slip, in 0..1: within a component, and on top, where
#: a config may have variables of any name.
_ALIKE, _ALIKE_ON_TOP = 0.85, 0.9
#: How alike a name is that a message proposes.
_PROPOSED = 0.6
_OWN = 'mmpolar'


class UnknownEntryError(ValueError):
    """A config has an entry that nothing reads."""


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuse changes of a config that would add an entry on top that nothing reads.

    Args:
        cfg: The config without the changes.
        options: The changes, as ``{'train_dataloader.batch_size': 8}``.

    Raises:
        UnknownEntryError: With the nearest name.
    """
    known = _top_level() | set(cfg.keys())
    for option in options:
        name = option.split('.')[0]
        if name not in known:
            raise UnknownEntryError(
                f'{option} is an unknown entry: the config has no {name}{_nearest(name, known)}'
            )


def check_entries(cfg: Config) -> None:
    """Refuse entries that no component reads, and such on top as look like a slip.

    Components of this package are held to the parameters they have; of those of other libraries, whose
    builders take entries out, only a name that is near to a parameter is refused.

    Args:
        cfg: The config, with all that it inherits and all changes.

    Raises:
        UnknownEntryError: With the nearest name.
    """
    top = _top_level()
    for name in cfg:
        alike = get_close_matches(name, top, 1, _ALIKE_ON_TOP)
        if name not in top and alike and name.rstrip('0123456789_') != alike[0]:
            raise UnknownEntryError(f'{name} is an unknown entry; did you mean {alike[0]}?')
    scope = cfg.get('default_scope') or _OWN
    for name in sorted(top & set(cfg.keys())):
        for path, part, kind in _parts(cfg[name], name, _kind(name)):
            _check_part(path, part, kind, scope)


def _check_part(path: str, part: Mapping[str, Any], kind: str | None, scope: str) -> None:
    """Compare the entries of a component, or of a section of MMEngine, with what is read."""
    readers, is_own = _readers(part, kind, scope)
    accepted = [_parameters(reader) for reader in readers]
    if not readers or None in accepted:
        return
    known = frozenset().union(*accepted, _TAKEN_OUT.get(kind, ()), ('type', '_scope_'))
    for name in part:
        if name in known:
            continue
        if is_own or get_close_matches(str(name), known, 1, _ALIKE):
            owner = getattr(readers[0], '__name__', str(part.get('type')))
            raise UnknownEntryError(
                f'{path}.{name} is an unknown entry: {owner} has no {name}{_nearest(name, known)}'
            )


def _kind(name: str) -> str | None:
    """What a top-level entry configures."""
    if name.endswith('_dataloader'):
        return 'dataloader'
    if name in ('train_cfg', 'val_cfg', 'test_cfg'):
        return 'loop'
    return 'hooks' if name.endswith('_hooks') else name


def _parts(node: Any, path: str, kind: str | None) -> Iterator[tuple[str, Mapping, str | None]]:
    """All dictionaries in an entry, where they are, and for the first what they configure."""
    if isinstance(node, Mapping):
        if path == 'default_hooks':
            _check_default_hooks(node)
        else:
            yield path, node, kind
        for key, value in node.items():
            yield from _parts(value, f'{path}.{key}', kind if path == 'default_hooks' else None)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _parts(value, f'{path}.{index}', kind)


def _check_default_hooks(hooks: Mapping[str, Any]) -> None:
    for name, hook in hooks.items():
        if name not in _DEFAULT_HOOKS and isinstance(hook, Mapping) and 'type' not in hook:
            raise UnknownEntryError(
                f'default_hooks.{name} is an unknown entry: there is no hook {name}'
                f'{_nearest(name, _DEFAULT_HOOKS | (set(hooks) - {name}))}'
            )


def _readers(part: Mapping[str, Any], kind: str | None, scope: str) -> tuple[list[Callable], bool]:
    """What is called with the entries of a dictionary, and whether it has to know them all."""
    from mmengine import runner
    from torch.utils.data import DataLoader

    if kind == 'dataloader':
        return [DataLoader], True
    if kind == 'randomness':
        return [runner.Runner.set_randomness], True
    if kind == 'env_cfg':
        return [_takes('env_cfg', _ENV)], True
    if 'type' in part:
        found = _components(part['type'], scope)
        return found, bool(found) and all(one.__module__.startswith(_OWN) for one in found)
    if kind == 'loop' and 'by_epoch' in part:
        name = 'EpochBasedTrainLoop' if part['by_epoch'] else 'IterBasedTrainLoop'
        return [getattr(runner, name)], True
    if kind == 'optim_wrapper':
        return _components('OptimWrapper', scope), False
    return [], False


def _components(name: Any, default_scope: str) -> list[Callable]:
    """Registered components of a name, of whichever registry."""
    if not isinstance(name, str):
        return [name] if callable(name) else []
    from mmengine import registry

    import mmpolar.registry  # noqa: F401  (fills the registries)

    scope, _, plain = name.rpartition('.')
    found = []
    for parent in vars(registry).values():
        if not isinstance(parent, registry.Registry):
            continue
        children = [parent._search_child(scope or default_scope), parent]
        for child in children[:1] if scope else children:
            if child is None:
                continue
            child.import_from_location()
            if plain in child.module_dict:
                found.append(child.module_dict[plain])
                break
    return found


@cache
def _parameters(reader: Callable) -> frozenset[str] | None:
    """Names of the parameters of a class or function; None if it takes any."""
    if not inspect.isclass(reader):
        return _named(reader) if _forwards(reader) is None else None
    names: frozenset[str] = frozenset()
    for base in reader.__mro__[:-1]:
        if '__init__' not in vars(base):
            continue
        if hasattr(base.__init__, '__wrapped__') and not hasattr(base.__init__, 'old_keywords'):
            return None  # another library's wrapper, which may know other names
        names |= _named(base.__init__)
        forwards = _forwards(base.__init__)
        if forwards is not True:
            return names if forwards is None else None
    return names


def _named(function: Callable) -> frozenset[str]:
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return frozenset(named - {'self'}) | getattr(function, 'old_keywords', frozenset())


def _forwards(function: Callable) -> bool | None:
    """Whether further keywords go to the base class alone; None if there can be none."""
    rest = [p for p in inspect.signature(function).parameters.values() if p.kind == p.VAR_KEYWORD]
    if not rest:
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError):
        return False
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == rest[0].name]
    passed_on = [
        keyword.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == 'super().__init__'
        for keyword in call.keywords
        if keyword.arg is None
    ]
    return bool(uses) and all(use in passed_on for use in uses)


@cache
def _top_level() -> frozenset[str]:
    from mmengine.runner import Runner

    return _named(Runner.__init__) | _READ_BESIDES


def _takes(owner: str, names: Set[str]) -> Callable:
    """A function of this name with these parameters."""

    def section() -> None: ...

    keyword_only = inspect.Parameter.KEYWORD_ONLY
    section.__signature__ = inspect.Signature([inspect.Parameter(n, keyword_only) for n in names])
    section.__name__ = owner
    return section


def _nearest(name: Any, known: Set[str]) -> str:
    alike = get_close_matches(str(name), known, 1, _PROPOSED)
    return f'; did you mean {alike[0]}?' if alike else ''
