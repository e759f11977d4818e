import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmpolar.apis import init_engine, init_tracker, track_frames
from mmpolar.apis.load_model import load_model, optimize_model
from mmpolar.models.layers.conv import PackedConv2d
from mmpolar.registry import MODELS
from mmpolar.runtime import OnnxEngine
from mmpolar.utils.checkpoints import CheckpointMismatchError

CONFIG = """
model = dict(
    type='Ocean',
    backbone=dict(
        type='EfficientNetLite0',
        out_indices=(1,),
        init_cfg=dict(type='Pretrained', checkpoint='no/such/file.pth')),
    neck=dict(type='AdjustNeck', in_channels=[24], out_channels=8, template_cells=16),
    head=dict(type='OceanHead', in_channels=8, feat_channels=8, num_convs=1, box_bias=3.5),
    mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1, n_rays={n_rays}),
    refine_head={refine_head},
    test_cfg=dict(lr=0.5))
default_scope = 'mmpolar'
"""

REFINE_HEAD = dict(
    type='ContourRefineHead',
    in_channels=[24],
    strides=[4],
    combined_channels=8,
    feat_channels=8,
    n_rays=12,
    n_samples=8,
)


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A folder with a config of a small tracker and a checkpoint that fits it."""
    root = tmp_path_factory.mktemp('tracker')
    (root / 'config.py').write_text(CONFIG.format(n_rays=12, refine_head=None))
    (root / 'other.py').write_text(CONFIG.format(n_rays=24, refine_head=None))
    (root / 'refined.py').write_text(CONFIG.format(n_rays=12, refine_head=REFINE_HEAD))
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(root / 'config.py').model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), root / 'weights.pth')
    return root


@pytest.fixture(scope='module')
def tracker(project):
    return init_tracker(project / 'config.py', project / 'weights.pth')


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (120, 160, 3), dtype=np.uint8) for _ in range(3)]


BOX = [60, 40, 100, 80]


def test_tracker_steps_through_frames(tracker, frames):
    first = tracker.init(frames[0], BOX)
    np.testing.assert_allclose(first.box, BOX)
    result = tracker.step(frames[1])
    assert result.box.shape == (4,)
    assert result.polygon.shape == (12, 2)
    assert result.mask.shape == (120, 160)
    assert 0 <= result.score <= 1


def test_weights_come_from_the_checkpoint(project):
    tracker = init_tracker(project / 'config.py', project / 'weights.pth', optimize='none')
    weights = torch.load(project / 'weights.pth', weights_only=True)['state_dict']
    for name, value in tracker.model.state_dict().items():
        torch.testing.assert_close(value, weights[name])
    assert not tracker.model.training


def randomize_statistics(model):
    """Give every batch norm statistics and an affine map that a folding must reckon with."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.8, 1.2)
            torch.nn.init.normal_(module.weight, 1.0, 0.1)
            torch.nn.init.normal_(module.bias, 0.0, 0.1)


@pytest.fixture(scope='module')
def lively(project):
    """A checkpoint whose batch norms are not the identity."""
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(project / 'config.py').model)
    randomize_statistics(model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), project / 'lively.pth')
    return project / 'lively.pth'


def test_folded_batch_norm_gives_the_same_maps(project, lively):
    plain, folded = (
        optimize_model(load_model(project / 'config.py', lively), fold, pack=False)
        for fold in (False, True)
    )
    norms = [sum(isinstance(m, torch.nn.BatchNorm2d) for m in x.modules()) for x in (plain, folded)]
    assert norms[0] > 10
    assert norms[1] == 0
    template, search = torch.randn(1, 3, 127, 127), torch.randn(1, 3, 255, 255)
    with torch.no_grad():
        expected, got = (model.correlate(template, search) for model in (plain, folded))
    torch.testing.assert_close(got[0].cls_logits, expected[0].cls_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got[0].ltrb, expected[0].ltrb, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(got[1], expected[1], atol=1e-3, rtol=1e-4)


def test_fast_layers_give_the_same_boxes_and_can_be_left_out(project, lively, frames):
    plain, fast = (
        init_tracker(project / 'config.py', lively, optimize=optimize)
        for optimize in ('none', 'auto')
    )
    counts = [
        sum(isinstance(layer, PackedConv2d) for layer in tracker.model.modules())
        for tracker in (plain, fast)
    ]
    assert counts[0] == 0
    assert counts[1] > 10
    for tracker in (plain, fast):
        tracker.init(frames[0], BOX)
    shown = [tracker.step(frames[1]) for tracker in (plain, fast)]
    np.testing.assert_allclose(shown[1].box, shown[0].box, atol=1 / 64)
    np.testing.assert_allclose(shown[1].polygon, shown[0].polygon, atol=1e-2)


def test_bfloat16_tracks_nearly_the_same(project, lively, frames):
    exact, half = (
        init_tracker(project / 'config.py', lively, dtype=dtype)
        for dtype in ('float32', torch.bfloat16)
    )
    shown = [tracker.init(frames[0], BOX) for tracker in (exact, half)]
    assert shown[1].polygon.dtype == np.float32
    # Random weights make some radii so long that the eighth digit is many pixels.
    distance = np.abs(shown[0].polygon - shown[1].polygon)
    assert distance.any()
    assert np.median(distance) < 1
    assert half.step(frames[1]).box.shape == (4,)


@pytest.mark.slow
def test_compiled_tracker_gives_the_same_boxes(project, lively, frames):
    plain, compiled = (
        init_tracker(project / 'config.py', lively, optimize=optimize)
        for optimize in ('none', 'compile')
    )
    for tracker in (plain, compiled):
        tracker.init(frames[0], BOX)
    np.testing.assert_allclose(plain.step(frames[1]).box, compiled.step(frames[1]).box, atol=1e-2)


def test_options_leave_the_config_of_the_caller_as_it_is(project):
    config = Config.fromfile(project / 'config.py')
    tracker = init_tracker(
        config, cfg_options={'model.test_cfg.lr': 0.25, 'model.backbone.init_cfg': None}
    )
    assert tracker.model.params.lr == 0.25
    assert config.model.test_cfg.lr == 0.5


def test_a_mask_gives_the_same_target_as_its_box(tracker, frames):
    mask = np.zeros((120, 160), np.uint8)
    mask[40:80, 60:100] = 255
    from_mask = tracker.init(frames[0], mask)
    np.testing.assert_allclose(from_mask.box, [59.5, 39.5, 99.5, 79.5])
    from_box = tracker.init(frames[0], [59.5, 39.5, 99.5, 79.5])
    np.testing.assert_allclose(from_mask.polygon, from_box.polygon)


def test_mask_tells_a_refining_tracker_more_than_its_box(project, frames):
    torch.manual_seed(0)
    tracker = init_tracker(project / 'refined.py')
    mask = np.zeros((120, 160), np.uint8)
    mask[40:80, 60:70] = mask[70:80, 60:100] = 255
    from_mask = tracker.init(frames[0], mask)
    from_box = tracker.init(frames[0], from_mask.box)
    np.testing.assert_array_equal(from_box.box, from_mask.box)
    assert np.abs(from_box.polygon - from_mask.polygon).max() > 1e-3
    full = tracker.init(frames[0], (mask > 0).astype(np.uint16) * 500)
    np.testing.assert_array_equal(full.polygon, from_mask.polygon)


def test_refining_tracker_gives_the_same_with_folded_batch_norm(project, frames):
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(project / 'refined.py').model)
    randomize_statistics(model)
    path = project / 'refined.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    shown = []
    for optimize in ('none', 'auto'):
        tracker = init_tracker(project / 'refined.py', path, optimize=optimize)
        shown.append(tracker.init(frames[0], BOX).polygon)
    assert np.ptp(shown[0], axis=0).min() > 1
    np.testing.assert_allclose(shown[1], shown[0], atol=0.02)


def test_init_forgets_the_last_target(tracker, frames):
    tracker.init(frames[0], BOX)
    expected = tracker.step(frames[1])
    tracker.init(frames[2], [10, 10, 40, 30])
    tracker.step(frames[0])
    tracker.init(frames[0], BOX)
    got = tracker.step(frames[1])
    np.testing.assert_array_equal(got.box, expected.box)


def test_track_frames_yields_every_frame(tracker, frames):
    tracked = list(track_frames(tracker, iter(frames), BOX))
    assert len(tracked) == 3
    assert all(frame is given for (frame, _), given in zip(tracked, frames, strict=True))
    with pytest.raises(ValueError, match='no frames'):
        list(track_frames(tracker, [], BOX))


@pytest.mark.parametrize(
    'convert',
    [
        lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY),
        lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA),
        lambda frame: frame.astype(np.uint16) * 257,
    ],
    ids=['grey', 'bgra', '16-bit'],
)
def test_frames_of_other_kinds_are_taken(tracker, frames, convert):
    tracker.init(convert(frames[0]), BOX)
    assert tracker.step(convert(frames[1])).mask.shape == (120, 160)


def test_alpha_and_depth_do_not_change_the_result(tracker, frames):
    tracker.init(frames[0], BOX)
    expected = tracker.step(frames[1])
    tracker.init(frames[0].astype(np.uint16) * 257, BOX)
    got = tracker.step(cv2.cvtColor(frames[1], cv2.COLOR_BGR2BGRA))
    np.testing.assert_allclose(got.box, expected.box, atol=1e-3)


@pytest.mark.parametrize(
    ('target', 'message'),
    [
        ([200, 40, 260, 80], 'outside the frame of 160x120'),
        ([60, 40, 50, 80], 'no positive width'),
        ([60, float('nan'), 100, 80], 'finite'),
        (np.zeros((120, 160), np.uint8), 'mask of the target is empty'),
        (np.ones((100, 160), np.uint8), 'differ in size'),
    ],
)
def test_unusable_targets_are_named(tracker, frames, target, message):
    with pytest.raises(ValueError, match=message):
        tracker.init(frames[0], target)


def test_a_box_larger_than_the_frame_is_cut_to_it(tracker, frames):
    result = tracker.init(frames[0], [-50, -50, 500, 500])
    np.testing.assert_allclose(result.box, [-0.5, -0.5, 159.5, 119.5])
    assert np.isfinite(tracker.step(frames[1]).box).all()


def test_float_frames_are_refused_with_the_remedy(tracker, frames):
    with pytest.raises(TypeError, match='uint8'):
        tracker.init(frames[0] / 255.0, BOX)


def test_a_checkpoint_of_another_config_is_named(project):
    with pytest.raises(CheckpointMismatchError, match=r'weights\.pth.*radius_pred'):
        init_tracker(project / 'other.py', project / 'weights.pth')


def test_missing_files_are_named(project):
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        init_tracker(project / 'nowhere.py')
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        init_tracker(project / 'config.py', project / 'nowhere.pth')


def test_config_options_reach_the_model(project):
    options = {'model.test_cfg.lr': 0.25}
    tracker = init_tracker(project / 'config.py', cfg_options=options)
    assert tracker.model.params.lr == 0.25


def test_old_keywords_of_speed_still_count(project, lively):
    with pytest.warns(DeprecationWarning, match='optimize'):
        tracker = init_tracker(project / 'config.py', lively, fast=False)
    kinds = {type(layer) for layer in tracker.model.modules()}
    assert torch.nn.BatchNorm2d not in kinds
    assert PackedConv2d not in kinds
    tracker = init_tracker(project / 'config.py', lively, fold=False)
    assert torch.nn.BatchNorm2d in {type(layer) for layer in tracker.model.modules()}


def test_threads_of_pytorch_are_one_unless_said_otherwise(project, lively):
    before = torch.get_num_threads()
    assert init_engine(project / 'config.py', lively).threads == 1
    assert init_engine(project / 'config.py', lively, threads=3).threads == 3
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        init_engine(project / 'config.py', lively, threads=0)


def test_onnx_engine_takes_the_packaged_model_where_none_is_named():
    assert init_engine(engine='onnx').manifest == OnnxEngine().manifest
    assert init_tracker(engine='onnx', threads=1).engine.n_rays == 72


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(engine='onnx', checkpoint='x.pth'), 'leave out checkpoint'),
        (dict(engine='onnx', device='cuda'), 'leave out device'),
        (dict(engine='tensorrt'), 'engine must be one of torch, onnx'),
        (dict(optimize='fast'), 'optimize must be one of auto, none, compile'),
        (dict(dtype='int8'), 'dtype must be'),
    ],
)
def test_arguments_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        init_tracker(**options)


def test_unknown_arguments_are_named():
    with pytest.raises(TypeError, match="no argument 'folded'"):
        init_tracker(folded=True)


def test_tracking_on_onnx_imports_no_torch():
    code = (
        'import sys; from mmpolar.apis import init_tracker; init_tracker(engine="onnx"); '
        'assert not {"torch", "mmcv", "mmengine"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
