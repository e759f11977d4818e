"""A halved model folder is half as large and computes the same, to the last bit."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_export import REFINED, small_tracker, video

from mmpolar.deployment import export_onnx
from mmpolar.deployment.half_weights import halve_folder
from mmpolar.runtime import ModelManifest, OnnxEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.checkpoints import halve


def halved_tracker(**options):
    """The small tracker, with weights as a published checkpoint has them."""
    model = small_tracker(**options).model
    norms = (torch.nn.modules.batchnorm._BatchNorm,)
    exact = {
        f'{module_name}.{name}'
        for module_name, module in model.named_modules()
        if isinstance(module, norms)
        for name in module.state_dict()
    }
    model.load_state_dict(halve(model.state_dict(), exact))
    return model


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """The float32 export of a tracker with a refinement head, and the halved copy."""
    root = tmp_path_factory.mktemp('halved')
    model = halved_tracker(**REFINED)
    export_onnx(model, root / 'whole')
    halve_folder(root / 'whole', root / 'half', model)
    return root / 'whole', root / 'half'


def random_feed(session, generator):
    """Inputs of a graph for two targets."""
    open_sizes = dict(targets=2, side=255, cells=25)
    feed = {}
    for node in session.get_inputs():
        shape = [open_sizes.get(size, 32) if isinstance(size, str) else size for size in node.shape]
        if node.type == 'tensor(uint8)':
            feed[node.name] = generator.integers(0, 2, shape, dtype=np.uint8) * 255
        elif node.type == 'tensor(int64)':
            feed[node.name] = np.full(shape, 127)
        else:
            feed[node.name] = generator.uniform(1, 30, shape).astype(np.float32)
    return feed


@pytest.mark.parametrize('name', ['template.onnx', 'search.onnx', 'contour.onnx'])
def test_graphs_compute_the_same_bits(folders, name):
    whole, half = (onnxruntime.InferenceSession(folder / name) for folder in folders)
    feed = random_feed(whole, np.random.default_rng(0))
    for got, expected in zip(half.run(None, feed), whole.run(None, feed), strict=True):
        assert expected.std() > 0
        np.testing.assert_array_equal(got, expected)


def test_trackers_give_the_same_answers(folders):
    one, other = (SingleTargetTracker(OnnxEngine(folder)) for folder in folders)
    for tracker in (one, other):
        tracker.init(video()[0], [100, 80, 160, 130])
    for frame in video()[1:4]:
        expected, got = one.step(frame), other.step(frame)
        np.testing.assert_array_equal(got.box, expected.box)
        np.testing.assert_array_equal(got.polygon, expected.polygon)
        assert got.score == expected.score


def test_every_large_tensor_is_stored_as_float16(folders):
    for path in folders[1].glob('*.onnx'):
        graph = onnx.load(path).graph
        large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) >= 512]
        assert large
        assert {tensor.data_type for tensor in large} == {onnx.TensorProto.FLOAT16}, path.name


def test_description_says_the_same_of_other_files(folders):
    whole, half = (ModelManifest.read(folder) for folder in folders)
    assert half.weights_sha256 == whole.weights_sha256
    assert half.params == whole.params
    assert set(half.file_sha256) == set(whole.file_sha256)
    assert not set(half.file_sha256.values()) & set(whole.file_sha256.values())


def test_weights_that_are_no_float16_numbers_are_refused(folders, tmp_path):
    with pytest.raises(ValueError, match=r'publish_model\.py'):
        halve_folder(folders[0], tmp_path, small_tracker(**REFINED).model)
    assert not (tmp_path / 'model.json').exists()


def test_a_folder_is_not_halved_in_place(folders):
    with pytest.raises(ValueError, match='another folder'):
        halve_folder(folders[0], folders[0], small_tracker(**REFINED).model)
