"""Values that the model, the transforms and the metric of a config must agree on, written once.

========================================  ======================================================
written in the model                      taken from there by
========================================  ======================================================
``mask_head.n_rays``                      ``ContourRefineHead``, ``GeneratePolarTarget``,
                                          ``TrackSegMetric``
``head.stride``                           ``GeneratePolarTarget``
``head.search_size`` (px)                 ``CropPair``, ``GeneratePolarTarget``,
                                          ``NegativePairDataset``, the model's ``test_cfg``
``test_cfg.template_size`` (px)           ``CropPair``, ``NegativePairDataset``
========================================  ======================================================

The seed of a run, ``randomness.seed``, becomes that of the datasets that sample its training data, and
of the mining hook, unless they have one of their own: another seed then shows other samples too.

A config inherits before MMEngine evaluates it, so one file of a chain cannot change a value in all
the parts that another file has copied it to. Here the copies are made when all files are read.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from mmpolar.utils.config_entries import check_options

_IN_MODEL = dict(
    n_rays=('mask_head', 'n_rays'),
    stride=('head', 'stride'),
    search_size=('head', 'search_size'),
    template_size=('test_cfg', 'template_size'),
)
# Sections that other types of the same name do not occur in.
_SECTIONS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'val_evaluator',
    'test_evaluator',
    'custom_hooks',
)
_READERS = dict(
    ContourRefineHead=('n_rays',),
    CropPair=('template_size', 'search_size'),
    GeneratePolarTarget=('n_rays', 'stride', 'search_size'),
    NegativePairDataset=('template_size', 'search_size'),
    TrackSegMetric=('n_rays',),
)
#: What samples training data by a seed of its own.
SEEDED = (
    'CompositeDataset',
    'HardNegativeMiningHook',
    'MaskCropDataset',
    'NegativePairDataset',
    'TrackPairDataset',
)
# May differ: the metric can measure the bound of another number of rays.
_FREE = ('TrackSegMetric',)


class SharedValueError(ValueError):
    """Two parts of a config that must agree on a value have different ones."""


def load_config(path: str | os.PathLike, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, and give every part the values of the model that it must share.

    Args:
        path: The file.
        options: Changes to the config, for example ``{'model.mask_head.n_rays': 18}``.

    Raises:
        SharedValueError: If the config says a shared value twice, and differently.
        UnknownEntryError: If a change would add an entry on top that nothing reads.
    """
    cfg = Config.fromfile(path)
    check_options(cfg, options or {})
    cfg.merge_from_dict(dict(options or {}))
    share_values(cfg)
    share_seed(cfg)
    return cfg


def share_seed(cfg: Config) -> None:
    """Let all that samples the training data of a config have the run's seed, in place.

    Does nothing to parts that have a seed, nor where the run has none.
    """
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is None:
        return
    for section in ('train_dataloader', 'custom_hooks'):
        for _, part in parts_of(cfg.get(section), section):
            if type_of(part) in SEEDED:
                part.setdefault('seed', seed)


def share_values(cfg: Config) -> None:
    """Give every part of a config the values of its model that it must share, in place.

    What the model leaves to its classes' defaults is left to the defaults of the other classes too,
    which are the same. Does nothing to a config without ``model``.

    Args:
        cfg: The config, with all that it inherits and all changes.

    Raises:
        SharedValueError: If a part has a value of its own that differs from the model's.

    Example:
        >>> cfg = Config(dict(
        ...     model=dict(type='Ocean', mask_head=dict(type='PolarContourHead', n_rays=18)),
        ...     val_evaluator=dict(type='TrackSegMetric')))
        >>> share_values(cfg)
        >>> cfg.val_evaluator.n_rays
        18
    """
    values = _values_of(cfg.get('model') or {})
    if not values:
        return
    if 'search_size' in values and 'test_cfg' in cfg.model:
        cfg.model.test_cfg.setdefault('search_size', values['search_size'])
    for section in _SECTIONS:
        for path, part in parts_of(cfg.get(section), section):
            name = type_of(part)
            for key in _READERS.get(name, ()):
                if key in values:
                    _share(part, key, values[key], path, name)


def parts_of(node: Any, path: str = '') -> Iterator[tuple[str, ConfigDict]]:
    """Every dictionary with a ``type`` in a config, at whatever depth, and where it is.

    Args:
        node: The config or a part of it.
        path: Where the part is, in the words of ``--cfg-options``.
    """
    if isinstance(node, Mapping | Config):
        if 'type' in node:
            yield path, node
        for key, value in node.items():
            yield from parts_of(value, f'{path}.{key}')
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from parts_of(value, f'{path}.{index}')


def type_of(part: Mapping[str, Any]) -> str:
    """Class name of a part of a config, without its scope; empty if it has none."""
    return str(part.get('type', '')).rpartition('.')[2]


def _values_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """The shared values that a model's config says."""
    found = {key: (model.get(part) or {}).get(name) for key, (part, name) in _IN_MODEL.items()}
    return {key: value for key, value in found.items() if value is not None}


def _share(part: ConfigDict, key: str, value: Any, path: str, name: str) -> None:
    own = part.setdefault(key, value)
    if own != value and name not in _FREE:
        source = '.'.join(('model', *_IN_MODEL[key]))
        raise SharedValueError(
            f'{source} is {value} but {path}.{key} ({name}) is {own}: leave the second out, and '
            'it takes the value of the first'
        )
