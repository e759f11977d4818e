"""Turn the convolutions of an exported tracker into 8-bit integers."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from mmpolar.datasets import BaseTrackDataset
from mmpolar.runtime.graph_inputs import ANSWERS, MASK_OUTPUTS
from mmpolar.runtime.model_folder import ModelManifest, file_sha256, new_model_folder
from mmpolar.runtime.onnx_engine import OnnxEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.image import read_image

#: Search crops that ranges are measured on if nothing is said. Ten times fewer, the first frames of 54 videos,
#: cut off what later frames give: box IoU of the tiny tracker fell by .012 instead of .003.
CALIBRATION_CROPS = 640

Feeds = dict[str, list[dict[str, NDArray]]]


class CalibrationError(ValueError):
    """The calibration data show too little."""


def quantize_folder(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    dataset: BaseTrackDataset,
    crops: int = CALIBRATION_CROPS,
) -> ModelManifest:
    """Write an 8-bit copy of a model folder.

    The convolutions of the search branch and of the mask stage, and the sums between them become integer operations, with
    one scale for each output channel of the weights; the range of each activation is measured while
    the tracker tracks the targets of the calibration data. The convolutions that give scores and
    distances, the correlation and the sampling of the aligned branch stay float32, and so do the
    depth-wise separable convolutions of a head with the neck in front of them, the template branch,
    which runs once a target, and the graph that measures one contour.

    Args:
        source: Model folder in float32.
        folder: Folder to write to; not the same.
        dataset: Sequences to calibrate with.
        crops: Search crops to calibrate with, spread over the sequences.

    Returns:
        What the new ``model.json`` says.

    Raises:
        CalibrationError: If the sequences give no search crop.
        ValueError: If both folders are the same, or the source is quantised already.
    """
    source, folder = Path(source), Path(folder)
    manifest = ModelManifest.read(source)
    if source.resolve() == folder.resolve():
        raise ValueError(f'cannot quantise {source} in place; give another folder to write to')
    if manifest.precision != 'float32':
        raise ValueError(f'{source} is in {manifest.precision} already; give the float32 folder')
    feeds = record_feeds(source, dataset, crops)
    quantized = _quantized_graphs(manifest)
    with new_model_folder(folder) as written:
        for name in set(manifest.file_sha256) - set(quantized):
            shutil.copyfile(source / name, written / name)
        for name in quantized:
            _quantize(source / name, written / name, feeds[name])
        hashes = {name: file_sha256(written / name) for name in manifest.file_sha256}
        manifest = replace(manifest, precision='int8', file_sha256=hashes)
        manifest.write(written)
    return manifest


def record_feeds(folder: str | os.PathLike, dataset: BaseTrackDataset, crops: int) -> Feeds:
    """Inputs of each search graph while a tracker tracks the targets of a dataset.

    Args:
        folder: Model folder.
        dataset: Sequences.
        crops: Search crops wanted.

    Raises:
        CalibrationError: If a search graph was given nothing.
    """
    engine = _RecordingEngine(folder)
    tracker = SingleTargetTracker(engine)
    share = max(1, crops // max(1, dataset.num_videos))
    for track_id in range(min(crops, dataset.num_videos)):
        track = dataset.get_track(track_id)
        paths = track.frames[: share + 1]
        target = dataset.read_target(track, 0)
        if target is None:
            continue
        tracker.init(read_image(paths[0]), target.box)
        for path in paths[1:]:
            tracker.step(read_image(path))
    graphs = _quantized_graphs(engine.manifest)
    unseen = [name for name in graphs if name not in engine.feeds]
    if unseen:
        raise CalibrationError(
            f'dataset "{dataset.name}" gives no crop to calibrate {", ".join(unseen)} with: its '
            'sequences must show the target in the first frame, and for a graph of the larger '
            'search crop some targets must be small'
        )
    return {name: engine.feeds[name] for name in graphs}


def _quantized_graphs(manifest: ModelManifest) -> list[str]:
    """Files of the search graphs and of the mask stage's."""
    return [*manifest.search.values(), *filter(None, [manifest.masks])]


class _RecordingEngine(OnnxEngine):
    """An engine that keeps what its graphs were given, by file."""

    def __init__(self, model_folder: str | os.PathLike) -> None:
        super().__init__(model_folder)
        self.feeds: Feeds = {}

    def _session(self, name: str) -> '_RecordingSession':
        return _RecordingSession(super()._session(name), self.feeds.setdefault(name, []))


class _RecordingSession:
    def __init__(self, session, feeds: list[dict[str, NDArray]]) -> None:
        self._run = session.run
        self._feeds = feeds
        self.get_outputs = session.get_outputs

    def run(self, outputs: list[str] | None, feed: dict[str, NDArray]) -> list[NDArray]:
        self._feeds.append(feed)
        return self._run(outputs, feed)


class _Reader(CalibrationDataReader):
    def __init__(self, feeds: list[dict[str, NDArray]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray] | None:
        return next(self._feeds, None)


def _quantize(source: Path, target: Path, feeds: list[dict[str, NDArray]]) -> None:
    prepared = target.with_suffix('.prepared')
    level = logging.root.level
    try:
        logging.root.setLevel(logging.ERROR)  # the library advises what is done here
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            # Of activations nothing is left: the range of what they give cuts off the rest.
            op_types_to_quantize=['Conv', 'Add', 'Relu', 'Clip'],
            nodes_to_exclude=_excluded_nodes(onnx.load(prepared).graph),
            per_channel=True,
            # Processors without VNNI add pairs of 8-bit products in 16 bits, which 8-bit weights overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.root.setLevel(level)
        prepared.unlink(missing_ok=True)


def _excluded_nodes(graph: onnx.GraphProto) -> list[str]:
    """Convolutions that give the answers, separable ones, and sums of anything but convolutions."""
    answers = [output.name for output in graph.output if output.name in (*ANSWERS, *MASK_OUTPUTS)]
    sums = {node.name for node in graph.node if node.op_type == 'Add'}
    in_float = _last_convolutions(graph, answers) | _separable_convolutions(graph)
    return sorted(in_float | (sums - _shortcut_sums(graph)))


def _last_convolutions(graph: onnx.GraphProto, values: Sequence[str]) -> set[str]:
    """Convolutions whose outputs reach some values past no other one and no product."""
    made_by = {output: node for node in graph.node for output in node.output}
    waiting = list(values)
    found, seen = set(), set()
    while waiting:
        node = made_by.get(waiting.pop())
        if node is None or node.name in seen or node.op_type in ('MatMul', 'Shape'):
            continue
        seen.add(node.name)
        if node.op_type == 'Conv':
            found.add(node.name)
        else:
            waiting.extend(node.input)
    return found


def _separable_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Depth-wise convolutions without an activation, those that mix their channels, and those that feed them.

    A head's are so, for speed. They take a small part of a step, but in 8 bits they cost boxes.
    """
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    mixed = {node.input[0]: node.name for node in convolutions}
    depthwise = [
        node
        for node in convolutions
        if node.output[0] in mixed and any(a.name == 'group' and a.i > 1 for a in node.attribute)
    ]
    mixing = {mixed[node.output[0]] for node in depthwise}
    feeding = _last_convolutions(graph, [node.input[0] for node in depthwise])
    return {node.name for node in depthwise} | mixing | feeding


def _shortcut_sums(graph: onnx.GraphProto) -> set[str]:
    """Sums of convolutions' outputs, activated or not: the shortcuts of a backbone."""
    from_convolution: set[str] = set()
    found = set()
    for node in graph.node:
        joins = all(name in from_convolution for name in node.input)
        if node.op_type == 'Add' and joins:
            found.add(node.name)
        activates = node.op_type in ('Relu', 'Clip') and node.input[0] in from_convolution
        if node.op_type == 'Conv' or activates or node.name in found:
            from_convolution.update(node.output)
    return found
