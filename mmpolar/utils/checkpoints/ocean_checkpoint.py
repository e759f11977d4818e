"""Weights of Ocean's published code (researchmm/TracKit, model "Ocean") in mmpolar's naming.

The networks are the same, layer by layer, but for two things. The published tower convolutions have
a bias before batch norm, which subtracts it again: a converter moves it into the running mean. And
the polar contour head does not exist there: it keeps its initial values.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mmpolar.utils.abridged import abridged
from mmpolar.utils.checkpoints.weights import listed_misfits, other_shapes, shape_text

ALIGN_PREFIX = 'align_head.'

# What training scripts and wrappers put around a state dict and in front of its names: data
# parallelism, and the published code's trainer of an online classifier.
_WRAPPER_KEYS = ('state_dict', 'model', 'net')
_WRAPPER_PREFIXES = ('module.', 'feature_extractor.')
# Parts of ours without a counterpart.
_OWN_PREFIX = 'mask_head.'
_TOWER_CONVS = 4


class OceanConversionError(ValueError):
    """The weights are not those of the published network that the model expects."""


@dataclass(frozen=True)
class OceanConversion:
    """Weights in mmpolar's naming, and where each of them came from.

    Attributes:
        weights: A state dict that fits the model.
        used: Published tensors that were taken over, in the order of the model.
        folded: Published biases that went into the running mean of the batch norm behind them.
        left_out: Published tensors that the caller wanted left out.
        initialised: Tensors of ours that keep their initial values: those of the contour head.
        counters: Step counters of batch norm that the file lacks and that start at zero.
    """

    weights: dict[str, Tensor]
    used: list[str]
    folded: list[str]
    left_out: list[str]
    initialised: list[str]
    counters: list[str]


def unwrap_ocean_weights(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Find the state dict in what a training script saved.

    Args:
        checkpoint: A state dict, or a dict that holds one as ``state_dict``, ``model`` or ``net``
            beside counters, optimizer and the like. Names may begin with ``module.`` and
            ``feature_extractor.``.

    Returns:
        Tensors by their published names, and the names of the entries beside the state dict.

    Raises:
        OceanConversionError: If there are no tensors, something among them is none, or two names
            differ in their prefix alone.
    """
    weights, beside = checkpoint, []
    while inner := [key for key in _WRAPPER_KEYS if isinstance(weights.get(key), Mapping)]:
        beside += [str(key) for key in weights if key != inner[0]]
        weights = weights[inner[0]]
    others = [str(name) for name, value in weights.items() if not isinstance(value, Tensor)]
    if others or not weights:
        found = f'entries that are no tensors: {abridged(others)}' if others else 'nothing'
        raise OceanConversionError(
            'expected a state dict, by itself or as '
            f'{", ".join(_WRAPPER_KEYS[:-1])} or {_WRAPPER_KEYS[-1]}; found {found}'
        )
    unwrapped: dict[str, Tensor] = {}
    for name, value in weights.items():
        short = _without_prefixes(str(name))
        if short in unwrapped:
            raise OceanConversionError(
                f'two tensors are called {short} once wrappers are removed from their names, one '
                f'of them {name}: the file mixes two models, save one of them alone'
            )
        unwrapped[short] = value
    return unwrapped, beside


def convert_ocean_weights(
    weights: Mapping[str, Tensor], model: Mapping[str, Tensor], leave_out: Iterable[str] = ()
) -> OceanConversion:
    """Rename published weights to fit a model of ours; nothing may be missing or left over.

    Args:
        weights: Tensors by their published names, see :func:`unwrap_ocean_weights`.
        model: State dict of the model to fill, with the published layout: backbone
            ``SiamResNet50``, towers of four, and the object-aware branch if the weights have it.
            Its mask head, if it has one, keeps its values.
        leave_out: Beginnings of published names that shall not be converted.

    Returns:
        The weights with the types of the model's, and what became of every tensor.

    Raises:
        OceanConversionError: If a tensor is missing, is unknown or has another shape; all are
            counted, up to ten of each are named, with the shapes. Also if a beginning in
            ``leave_out`` fits no name.
    """
    left_out = _select(weights, tuple(leave_out))
    sources = {name: _published_name(name) for name in model if not name.startswith(_OWN_PREFIX)}
    biases = {name: _folded_bias(source) for name, source in sources.items()}
    biases = {name: bias for name, bias in biases.items() if bias is not None}
    offered = {name: value for name, value in weights.items() if name not in left_out}
    counters = [
        name
        for name, source in sources.items()
        if source.endswith('.num_batches_tracked') and source not in offered
    ]
    _check_fit(offered, model, {n: s for n, s in sources.items() if n not in counters}, biases)

    converted: dict[str, Tensor] = {}
    for name, initial in model.items():
        source = sources.get(name)
        if source is None:
            converted[name] = initial.detach().clone()
        elif name in counters:
            converted[name] = torch.zeros_like(initial)
        else:
            value = offered[source].detach().to('cpu', initial.dtype, copy=True).contiguous()
            if name in biases:
                value -= offered[biases[name]].to(value)
            converted[name] = value
    return OceanConversion(
        weights=converted,
        used=[source for name, source in sources.items() if name not in counters],
        folded=list(biases.values()),
        left_out=left_out,
        initialised=[name for name in model if name not in sources],
        counters=counters,
    )


def _without_prefixes(name: str) -> str:
    while True:
        short = name
        for prefix in _WRAPPER_PREFIXES:
            short = short.removeprefix(prefix)
        if short == name:
            return name
        name = short


def _select(weights: Mapping[str, Tensor], beginnings: tuple[str, ...]) -> list[str]:
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in weights):
            raise OceanConversionError(
                f'nothing to leave out: no tensor begins with {beginning!r}; the first is '
                f'{next(iter(weights))!r}'
            )
    return [name for name in weights if beginnings and name.startswith(beginnings)]


def _module_pairs() -> Iterator[tuple[str, str]]:
    """Beginnings of names: ours, then the published one."""
    yield 'backbone.', 'features.features.'
    yield 'neck.laterals.0.conv.', 'neck.downsample.0.'
    yield 'neck.laterals.0.bn.', 'neck.downsample.1.'
    for branch, tower in (('cls', 'cls'), ('reg', 'bbox')):
        encoders = product((('template', 'k'), ('search', 's')), enumerate(('11', '12', '21')))
        for (side, letter), (index, matrix) in encoders:
            ours = f'head.{branch}_combination.{side}_encoders.{index}.'
            theirs = f'connect_model.{branch}_encode.matrix{matrix}_{letter}.'
            yield ours + 'conv.', theirs + '0.'
            yield ours + 'bn.', theirs + '1.'
        yield f'head.{branch}_combination.weight', f'connect_model.{branch}_dw.weight'
        for index in range(_TOWER_CONVS):
            ours, theirs = f'head.{branch}_tower.{index}.', f'connect_model.{tower}_tower.'
            yield ours + 'conv.', f'{theirs}{3 * index}.'
            yield ours + 'bn.', f'{theirs}{3 * index + 1}.'
        yield f'head.{tower}_pred.', f'connect_model.{tower}_pred.'
    yield 'head.bbox_scale', 'connect_model.adjust'
    yield 'head.bbox_bias', 'connect_model.bias'
    yield 'head.align_conv.', ALIGN_PREFIX + 'rpn_conv.conv.'
    yield 'head.align_pred.', ALIGN_PREFIX + 'rpn_cls.'


_MODULES = dict(_module_pairs())


def _published_name(name: str) -> str:
    for ours, theirs in _MODULES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise OceanConversionError(
        f'{name} of the model has no counterpart in the published network: use a config with its '
        'layout, such as configs/ocean_polar/ocean-polar_r50_natural.py'
    )


def _folded_bias(source: str) -> str | None:
    """The bias, if there is one, that this running mean takes in."""
    for tower, index in product(('cls', 'bbox'), range(_TOWER_CONVS)):
        start = f'connect_model.{tower}_tower.'
        if source == f'{start}{3 * index + 1}.running_mean':
            return f'{start}{3 * index}.bias'
    return None


def _check_fit(
    weights: Mapping[str, Tensor],
    model: Mapping[str, Tensor],
    sources: Mapping[str, str],
    biases: Mapping[str, str],
) -> None:
    wanted = {source: model[name] for name, source in sources.items()}
    wanted.update({bias: model[name] for name, bias in biases.items()})
    missing = [f'{n} {shape_text(value)}' for n, value in wanted.items() if n not in weights]
    unused = [f'{n} {shape_text(value)}' for n, value in weights.items() if n not in wanted]
    faults = listed_misfits(
        {
            'missing': missing,
            'unknown to the model': unused,
            'of another shape': other_shapes(weights, wanted),
        }
    )
    if faults:
        raise OceanConversionError(
            f'the weights are not those of the published Ocean: {faults}. Tensors that '
            'tracking does not need, such as those of an online classifier, can be left out by the '
            'beginning of their names'
        )
