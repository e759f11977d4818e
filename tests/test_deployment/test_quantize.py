"""Quantised folders: integer convolutions, nearly the same maps, and calibration data checked."""

import numpy as np
import onnx
import onnxruntime
import pytest
from small_export import small_model_folder, small_tracker

from mmpolar.datasets import SyntheticDataset
from mmpolar.deployment import export_onnx
from mmpolar.deployment.quantize import CalibrationError, quantize_folder, record_feeds
from mmpolar.evaluation.metrics import TrackSegMetric
from mmpolar.evaluation.track_benchmarks import evaluate_tracks
from mmpolar.runtime import ModelManifest, OnnxEngine
from mmpolar.tracking import SingleTargetTracker


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    root = str(tmp_path_factory.mktemp('videos'))
    return SyntheticDataset(data_root=root, num_train=2, frames=5, size=(160, 120))


@pytest.fixture(scope='module')
def quantized(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp('int8') / 'model'
    quantize_folder(small_model_folder(), folder, dataset, crops=8)
    return folder


def kinds(path):
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.mark.parametrize('refined', [False, True])
def test_convolutions_take_integers_but_those_of_the_answers(refined, quantized, dataset, tmp_path):
    source = small_model_folder(refined)
    if refined:  # feature maps of the backbone are outputs too
        quantized = tmp_path / 'refined'
        quantize_folder(source, quantized, dataset, crops=2)
    graph = onnx.load(quantized / 'search.onnx').graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == 'Conv']
    plain = [node for node in convolutions if made_by.get(node.input[1]) != 'DequantizeLinear']
    assert len(plain) == 3  # scores, boxes, aligned scores
    assert len(convolutions) > 20
    weights = {entry.name: entry.data_type for entry in graph.initializer}
    assert list(weights.values()).count(onnx.TensorProto.INT8) >= len(convolutions) - len(plain)
    assert kinds(quantized / 'template.onnx') == kinds(source / 'template.onnx')


def test_a_separable_head_and_the_neck_before_it_stay_float32(dataset, tmp_path):
    export_onnx(small_tracker(head=dict(depthwise=True)).model, tmp_path / 'float32')
    quantize_folder(tmp_path / 'float32', tmp_path / 'int8', dataset, crops=2)
    graph = onnx.load(tmp_path / 'int8/search.onnx').graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    convolutions = {
        node.name: made_by.get(node.input[1]) for node in graph.node if node.op_type == 'Conv'
    }
    backbone = {name: kind for name, kind in convolutions.items() if '/backbone/' in name}
    assert set(backbone.values()) == {'DequantizeLinear'}
    others = {name: kind for name, kind in convolutions.items() if name not in backbone}
    assert len(others) > 10
    assert 'DequantizeLinear' not in others.values()


def test_no_activation_comes_between_integer_convolutions(quantized):
    graph = onnx.load(quantized / 'search.onnx').graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    activations = [node for node in graph.node if node.op_type in ('Relu', 'Clip')]
    assert all(made_by[node.input[0]] != 'DequantizeLinear' for node in activations)


def test_maps_stay_close_to_float32(quantized, dataset):
    [feeds] = record_feeds(small_model_folder(), dataset, crops=4).values()
    graphs = [
        onnxruntime.InferenceSession(folder / 'search.onnx')
        for folder in (small_model_folder(), quantized)
    ]
    for feed in feeds:
        exact, rounded = (graph.run(['scores'], feed)[0] for graph in graphs)
        assert np.abs(exact - rounded).max() > 0
        assert np.corrcoef(exact.ravel(), rounded.ravel())[0, 1] > 0.9


def test_quantised_folder_is_tracked_with_and_says_so(quantized, dataset):
    tracker = SingleTargetTracker(OnnxEngine(quantized))
    assert tracker.engine.manifest.precision == 'int8'
    source = ModelManifest.read(small_model_folder())
    assert tracker.engine.manifest.weights_sha256 == source.weights_sha256
    reports, mean = evaluate_tracks(tracker, dataset, TrackSegMetric())
    assert len(reports) == 2
    assert 0 < mean['iou'] <= 1
    assert 0 < mean['J'] <= 1


def test_feeds_are_what_tracking_gives_the_search_graph(dataset):
    [feeds] = record_feeds(small_model_folder(), dataset, crops=6).values()
    assert 6 <= len(feeds) <= 10
    assert all(feed['search'].shape[0] == 1 for feed in feeds)
    assert any((feed['kernel_0'] != feeds[0]['kernel_0']).any() for feed in feeds)


def test_a_folder_is_not_quantised_twice_or_in_place(quantized, dataset, tmp_path):
    with pytest.raises(ValueError, match='int8 already'):
        quantize_folder(quantized, tmp_path, dataset)
    with pytest.raises(ValueError, match='in place'):
        quantize_folder(quantized, quantized, dataset)


def test_calibration_without_a_target_is_named(dataset, monkeypatch):
    monkeypatch.setattr(type(dataset), 'read_target', lambda *_: None)
    with pytest.raises(CalibrationError, match='must show the target'):
        record_feeds(small_model_folder(), dataset, crops=4)
