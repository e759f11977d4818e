"""What is written equals the tracker, for any number of targets and both sizes, or is refused."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_export import small_model_folder, small_tracker

from mmpolar.deployment import ExportMismatchError, export_onnx
from mmpolar.deployment.export_onnx import check_graphs, largest_difference
from mmpolar.deployment.ocean_graphs import to_input
from mmpolar.runtime import ModelManifest
from mmpolar.runtime.graph_inputs import contour_feed, run_graph
from mmpolar.utils.checkpoints import weights_sha256


def run_folder(folder, template, search):
    """Maps that the graphs in a folder give for crops (T, X, X, 3) uint8, and radii somewhere."""
    manifest = ModelManifest.read(folder)
    graph = onnxruntime.InferenceSession(folder / manifest.template)
    kernels = graph.run(list(manifest.kernels), {'template': template})
    graph = onnxruntime.InferenceSession(folder / manifest.search_file(search.shape[1]))
    feed = dict(zip(manifest.kernels, kernels, strict=True))
    maps = run_graph(graph, {'search': search, **feed})
    found = [maps['scores'], maps['ltrb']]
    if manifest.contour is not None:
        graph = onnxruntime.InferenceSession(folder / manifest.contour)
        locations = some_locations(maps['scores'])
        [radii] = graph.run(None, contour_feed(maps, None, locations, search.shape[1]))
        found.append(radii)
    return found


def some_locations(scores):
    """Another one for each target: the last one, which lies in a corner, to begin with."""
    return scores[0].size - 1 - 17 * np.arange(len(scores))


@torch.no_grad()
def run_tracker(model, template, search):
    crops = (to_input(model, torch.from_numpy(crops)) for crops in (template, search))
    maps, radii = model.correlate(*crops)
    scores = maps.scores(model.params.score_ratio)
    found = [scores.numpy(), maps.ltrb.numpy()]
    if radii is not None:
        rows, cols = np.divmod(some_locations(found[0]), scores.shape[-1])
        found.append(radii.numpy()[np.arange(len(scores)), :, rows, cols])
    return found


def noise(targets, side):
    return np.random.default_rng(side).integers(0, 256, (targets, side, side, 3), dtype=np.uint8)


def assert_equal_maps(folder, model, *shapes):
    for side, count in shapes:
        crops = noise(count, 127), noise(count, side)
        for got, expected in zip(
            run_folder(folder, *crops), run_tracker(model, *crops), strict=True
        ):
            assert got.shape == expected.shape
            assert largest_difference(got, expected) < 1e-4


def test_graphs_equal_the_tracker_for_any_targets_and_sizes():
    assert_equal_maps(small_model_folder(), small_tracker().model, (255, 1), (287, 3), (271, 2))


def test_maps_depend_on_template_and_search():
    one, other = noise(2, 127), noise(2, 255)
    [scores, *_] = run_folder(small_model_folder(), one, other)
    [changed, *_] = run_folder(small_model_folder(), 255 - one, other)
    assert np.abs(scores - changed).max() > 0.01
    assert scores.std() > 0.01


def test_static_export_of_a_tracker_of_boxes_has_a_graph_for_each_size(tmp_path):
    model = small_tracker(head=dict(with_align=False), mask_head=None).model
    manifest = export_onnx(model, tmp_path, static=True)
    assert manifest.search == {'255': 'search_255.onnx', '287': 'search_287.onnx'}
    assert manifest.n_rays is None
    graph = onnx.load(tmp_path / 'search_255.onnx').graph
    sizes = [axis.dim_value for axis in graph.input[0].type.tensor_type.shape.dim]
    assert sizes[1:] == [255, 255, 3]
    assert [output.name for output in graph.output] == ['scores', 'ltrb']
    assert_equal_maps(tmp_path, model, (255, 1), (287, 3))


def test_graphs_hold_standard_operators_and_no_batch_norm_but_that_of_the_images():
    for path in small_model_folder().glob('*.onnx'):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {entry.domain for entry in model.opset_import} == {''}
        kinds = [node.op_type for node in model.graph.node]
        assert 'GridSample' not in kinds
        assert kinds.count('BatchNormalization') == (path.stem != 'contour')


def test_description_says_what_was_exported():
    model = small_tracker().model
    content = json.loads((small_model_folder() / 'model.json').read_text())
    assert content['params']['window_influence'] == model.params.window_influence
    assert content['n_rays'] == 36
    assert content['stride'] == 8
    assert content['normalization'] == dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True)
    assert content['weights_sha256'] == weights_sha256(model.state_dict())


def test_hash_of_weights_changes_with_one_value():
    model = small_tracker().model
    before = weights_sha256(model.state_dict())
    with torch.no_grad():
        model.head.bbox_bias[0, 0] += 1e-3
    assert weights_sha256(model.state_dict()) != before


def test_graphs_of_other_weights_are_refused():
    other = small_tracker().model
    with torch.no_grad():
        other.head.bbox_bias += 0.01
    manifest = ModelManifest.read(small_model_folder())
    with pytest.raises(
        ExportMismatchError, match=r'search\.onnx differs from the tracker: (scores|ltrb) by'
    ):
        check_graphs(other, small_model_folder(), manifest)


def test_tracker_is_left_as_it_was():
    tracker = small_tracker()
    before = weights_sha256(tracker.model.state_dict())
    check_graphs(tracker.model, small_model_folder(), ModelManifest.read(small_model_folder()))
    assert weights_sha256(tracker.model.state_dict()) == before


@pytest.mark.parametrize(
    ('got', 'expected', 'difference'),
    [([0.5], [0.7], 0.2), ([110.0], [100.0], 0.1), ([1.0, 2.0], [1.0], np.inf)],
)
def test_largest_difference_is_absolute_below_one_and_relative_above(got, expected, difference):
    assert largest_difference(np.array(got), np.array(expected)) == pytest.approx(difference)
