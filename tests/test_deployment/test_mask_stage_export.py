"""The mask stage in a model folder: the same masks as in PyTorch, float16 weights, 8 bits."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from small_export import REFINED, small_tracker, video

from mmpolar.datasets import SyntheticDataset
from mmpolar.deployment import export_onnx
from mmpolar.deployment.half_weights import halve_folder
from mmpolar.deployment.quantize import quantize_folder
from mmpolar.runtime import ModelFolderError, ModelManifest, OnnxEngine
from mmpolar.tracking import SingleTargetTracker

STAGE = dict(
    mask_stage=dict(
        type='mmpolar.MaskStage',
        params=dict(crop_size=64, box_share=0.25, memory_quality=0.0),
        backbone=dict(type='mmpolar.EfficientNetLite0', out_indices=(0, 1, 2, 4, 6)),
        match_channels=8,
    )
)
BOX = [100, 80, 180, 160]


@pytest.fixture(scope='module')
def tracker():
    made = small_tracker(**REFINED, **STAGE)
    torch.nn.init.normal_(made.model.mask_stage.mask_pred.weight, std=3.0)
    with torch.no_grad():
        for value in made.model.parameters():
            value.copy_(value.half().float())
    return made


@pytest.fixture(scope='module')
def folder(tracker, tmp_path_factory):
    path = tmp_path_factory.mktemp('folder')
    export_onnx(tracker.model, path)
    return path


def track(tracker, target=BOX):
    frames = video()
    return [tracker.init(frames[0], target), *(tracker.step(frame) for frame in frames[1:])]


def test_both_engines_find_the_same_masks(tracker, folder):
    expected = track(tracker)
    got = track(SingleTargetTracker(OnnxEngine(folder, threads=1)))
    assert any(0 < result.mask.mean() < 1 for result in expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=0.5)
        assert (one.mask != other.mask).mean() < 0.005
        assert one.polygon.shape == other.polygon.shape


def test_model_description_names_the_graph_and_how_it_is_used(folder):
    manifest = ModelManifest.read(folder)
    assert manifest.masks == 'masks.onnx'
    assert (manifest.mask_params.crop_size, manifest.mask_params.box_share) == (64, 0.25)
    assert manifest.mask_params.key_channels == 8


def test_folders_written_before_there_was_a_mask_stage_are_read(folder, tmp_path):
    old = shutil.copytree(folder, tmp_path / 'old')
    content = json.loads((old / 'model.json').read_text())
    del content['masks'], content['mask_params'], content['file_sha256']['masks.onnx']
    (old / 'model.json').write_text(json.dumps(content))
    engine = OnnxEngine(old, threads=1)
    assert engine.mask_params is None
    assert track(SingleTargetTracker(engine))[-1].mask.any()


def test_a_missing_or_damaged_graph_is_named(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / 'broken')
    (broken / 'masks.onnx').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks masks\.onnx'):
        OnnxEngine(broken)
    (broken / 'masks.onnx').write_bytes(b'no graph')
    with pytest.raises(ModelFolderError, match=r'masks\.onnx is not the file'):
        OnnxEngine(broken)


@pytest.mark.parametrize('value', [dict(crop_size=33), dict(context='wide'), dict(unknown=1)])
def test_bad_parameters_in_the_description_are_one_error(folder, tmp_path, value):
    broken = shutil.copytree(folder, tmp_path / 'broken')
    content = json.loads((broken / 'model.json').read_text())
    content['mask_params'] |= value
    (broken / 'model.json').write_text(json.dumps(content))
    with pytest.raises(ModelFolderError, match=r'model\.json is incomplete or was edited'):
        OnnxEngine(broken)


def test_float16_weights_give_the_same_bits(tracker, folder, tmp_path):
    halve_folder(folder, tmp_path / 'half', tracker.model)
    assert (tmp_path / 'half/masks.onnx').stat().st_size < 0.6 * (
        folder / 'masks.onnx'
    ).stat().st_size
    one, other = (
        track(SingleTargetTracker(OnnxEngine(path, threads=1)))
        for path in (folder, tmp_path / 'half')
    )
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.mask, second.mask)
        np.testing.assert_array_equal(first.box, second.box)


def test_8_bit_stage_computes_in_integers_and_stays_close(folder, tmp_path):
    dataset = SyntheticDataset(data_root=tmp_path, num_train=2, frames=5, size=(160, 120))
    manifest = quantize_folder(folder, tmp_path / 'int8', dataset, crops=8)
    graph = onnx.load(tmp_path / 'int8' / manifest.masks).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count('QuantizeLinear') > 40
    engine = OnnxEngine(tmp_path / 'int8', threads=1)
    exact = track(SingleTargetTracker(OnnxEngine(folder, threads=1)))
    close = track(SingleTargetTracker(engine))
    differing = [np.mean(a.mask != b.mask) for a, b in zip(exact, close, strict=True)]
    assert np.mean(differing) < 0.1
