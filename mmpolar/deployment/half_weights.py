"""Store the weights of a model folder as float16 without changing what it computes."""

import copy
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpolar.deployment.ocean_graphs import prepare
from mmpolar.models.trackers import Ocean
from mmpolar.runtime.model_folder import ModelManifest, file_sha256, new_model_folder

#: Smaller tensors stay as they are: two more nodes in the graph would outweigh them.
MIN_VALUES = 512


@dataclass(frozen=True)
class _Half:
    """A tensor of the export, as what it was made of.

    Attributes:
        values: The model's own values, float16.
        factor: What batch norm multiplies each output channel by, float32, of a shape that
            broadcasts; None for 1.
    """

    values: NDArray[np.float16]
    factor: NDArray[np.float32] | None


def halve_folder(
    source: str | os.PathLike, folder: str | os.PathLike, model: Ocean
) -> ModelManifest:
    """Write a copy of a model folder of half the size that gives the same results, bit by bit.

    The export folds batch norm, so that weights which are float16 numbers in the checkpoint are so
    no longer in the graph: ``w * factor``, with one factor for each output channel. The copy stores
    ``w`` as float16 and the factor as float32; the graph casts and multiplies them. ONNX Runtime
    does that once, when it loads the graph, with the same rounding as the export, and runs what the
    original runs.

    Args:
        source: Folder that ``export_onnx`` wrote of ``model``.
        folder: Folder to write to, not the same; it is made.
        model: The tracker, with weights that are float16 numbers but for some.

    Returns:
        What the new ``model.json`` says.

    Raises:
        ValueError: If both folders are the same, or the model's weights are no float16 numbers.
    """
    source, folder = Path(source), Path(folder)
    manifest = ModelManifest.read(source)
    if source.resolve() == folder.resolve():
        raise ValueError(f'cannot halve {source} in place; give another folder to write to')
    folded = _folded_weights(model)
    if not folded:
        raise ValueError(
            'the weights of the model are no float16 numbers: publish its checkpoint first, with '
            'tools/model_converters/publish_model.py'
        )
    with new_model_folder(folder) as written:
        for name in manifest.file_sha256:
            if Path(name).suffix == '.onnx':
                graph = onnx.load(source / name)
                _halve_graph(graph.graph, folded)
                onnx.checker.check_model(graph)
                onnx.save(graph, written / name)
            else:
                shutil.copyfile(source / name, written / name)
        hashes = {name: file_sha256(written / name) for name in manifest.file_sha256}
        manifest = replace(manifest, file_sha256=hashes)
        manifest.write(written)
    return manifest


def _folded_weights(model: Ocean) -> dict[bytes, _Half]:
    """What the folded weights of an export are made of, by their bytes."""
    exported, raw, factors = (
        prepare(variant).state_dict()
        for variant in (model, _without_batch_norm(model), _with_weights_of_one(model))
    )
    found = {}
    for name, value in exported.items():
        if value.ndim == 4 and value.numel() >= MIN_VALUES:
            half = _Half(
                raw[name].half().numpy(), np.ascontiguousarray(factors[name][:, :1, :1, :1])
            )
            if np.array_equal(_restore(half), value.numpy()):
                found[value.numpy().tobytes()] = half
    return found


def _without_batch_norm(model: Ocean) -> Ocean:
    """A copy whose batch norm changes nothing: folding leaves its weights as they are."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, _BatchNorm):
            module.eps = 0.0
            module.reset_parameters()  # statistics of mean 0 and variance 1, and no affine map
    return copied


def _with_weights_of_one(model: Ocean) -> Ocean:
    """A copy in which folding leaves nothing but its factors."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    return copied


def _restore(half: _Half) -> NDArray[np.float32]:
    values = half.values.astype(np.float32)
    return values if half.factor is None else values * half.factor


def _halve_graph(graph: onnx.GraphProto, folded: dict[bytes, _Half]) -> None:
    """Replace initialisers by the nodes that restore them, in front of all others."""
    nodes, kept = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        half = folded.get(values.tobytes()) or _exact_half(values)
        if half is None:
            kept.append(tensor)
        else:
            tensors, restoring = _restoring_nodes(tensor.name, half)
            kept += tensors
            nodes += restoring
    nodes += graph.node
    for field, entries in (('initializer', kept), ('node', nodes)):
        graph.ClearField(field)
        getattr(graph, field).extend(entries)


def _exact_half(values: NDArray) -> _Half | None:
    """A large tensor whose values are float16 numbers already."""
    if values.dtype != np.float32 or values.size < MIN_VALUES:
        return None
    half = _Half(values.astype(np.float16), None)
    return half if np.array_equal(_restore(half), values) else None


def _restoring_nodes(name: str, half: _Half) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """What is stored instead of a tensor, and the nodes that make it of that."""
    stored, whole = f'{name}.half', f'{name}.whole'
    tensors = [numpy_helper.from_array(half.values, stored)]
    to_float = onnx.TensorProto.FLOAT
    if half.factor is None:
        return tensors, [onnx.helper.make_node('Cast', [stored], [name], to=to_float)]
    tensors.append(numpy_helper.from_array(half.factor, f'{name}.factor'))
    return tensors, [
        onnx.helper.make_node('Cast', [stored], [whole], to=to_float),
        onnx.helper.make_node('Mul', [whole, f'{name}.factor'], [name]),
    ]
