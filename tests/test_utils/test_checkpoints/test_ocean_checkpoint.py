"""Published weights of Ocean fit exactly, or the misfit is named."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from plain_ocean import PlainOcean

from mmpolar.registry import MODELS
from mmpolar.utils.checkpoints.ocean_checkpoint import (
    OceanConversionError,
    convert_ocean_weights,
    unwrap_ocean_weights,
)

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / 'configs/ocean_polar/ocean-polar_r50_natural.py'


@pytest.fixture(scope='module')
def published_weights():
    torch.manual_seed(0)
    weights = PlainOcean(align=True).state_dict()
    for name in weights:
        if name.endswith(('running_mean', '.bias')):
            weights[name].normal_()
    return weights


@pytest.fixture(scope='module')
def model_weights():
    return MODELS.build(Config.fromfile(CONFIG).model).state_dict()


@pytest.fixture
def published(published_weights):
    return dict(published_weights)


def without(weights, *beginnings):
    return {name: value for name, value in weights.items() if not name.startswith(beginnings)}


def test_every_published_tensor_is_used_and_every_tensor_of_ours_has_an_origin(
    published, model_weights
):
    conversion = convert_ocean_weights(published, model_weights)
    assert sorted(conversion.used + conversion.folded) == sorted(published)
    assert list(conversion.weights) == list(model_weights)
    assert conversion.initialised == [n for n in model_weights if n.startswith('mask_head.')]
    assert (conversion.left_out, conversion.counters) == ([], [])
    for name, value in model_weights.items():
        assert conversion.weights[name].shape == value.shape
        assert conversion.weights[name].dtype == value.dtype


def test_without_the_aligned_branch_and_without_a_mask_head(published, model_weights):
    published = without(published, 'align_head.')
    model = without(model_weights, 'mask_head.', 'head.align_')
    conversion = convert_ocean_weights(published, model)
    assert sorted(conversion.used + conversion.folded) == sorted(published)
    assert conversion.initialised == []


def test_biases_of_the_towers_move_into_the_running_means(published, model_weights):
    conversion = convert_ocean_weights(published, model_weights)
    assert len(conversion.folded) == 8
    for ours, theirs in (('cls_tower', 'cls_tower'), ('reg_tower', 'bbox_tower')):
        for index in range(4):
            start = f'connect_model.{theirs}.{3 * index}'
            mean = published[f'connect_model.{theirs}.{3 * index + 1}.running_mean']
            got = conversion.weights[f'head.{ours}.{index}.bn.running_mean']
            torch.testing.assert_close(got, mean - published[f'{start}.bias'], rtol=0, atol=0)
            assert f'{start}.bias' in conversion.folded


def test_the_source_is_left_as_it_is(published, model_weights):
    before = {name: value.clone() for name, value in published.items()}
    conversion = convert_ocean_weights(published, model_weights)
    for value in conversion.weights.values():
        value.zero_()
    for name, value in before.items():
        torch.testing.assert_close(published[name], value, rtol=0, atol=0)


def test_missing_surplus_and_reshaped_tensors_are_all_named_with_their_shapes(
    published, model_weights
):
    del published['connect_model.cls_tower.3.bias']
    del published['features.features.layer3.5.bn3.running_var']
    published['features.features.layer4.0.conv1.weight'] = torch.zeros(512, 1024, 1, 1)
    published['neck.downsample.0.weight'] = torch.zeros(256, 2048, 1, 1)
    with pytest.raises(OceanConversionError) as caught:
        convert_ocean_weights(published, model_weights)
    message = str(caught.value)
    for part in (
        '2 missing: features.features.layer3.5.bn3.running_var 1024, '
        'connect_model.cls_tower.3.bias 256',
        '1 unknown to the model: features.features.layer4.0.conv1.weight 512x1024x1x1',
        '1 of another shape: neck.downsample.0.weight '
        '(256x2048x1x1 in the file, 256x1024x1x1 in the model)',
    ):
        assert part in message


def test_a_model_without_the_aligned_branch_does_not_drop_it_silently(published, model_weights):
    with pytest.raises(OceanConversionError, match=r'3 unknown to the model.*align_head\.rpn_conv'):
        convert_ocean_weights(published, without(model_weights, 'head.align_'))


def test_long_lists_of_faults_are_counted(published, model_weights):
    with pytest.raises(OceanConversionError, match=r'339 missing: .* and 329 more'):
        convert_ocean_weights({'fc.weight': torch.zeros(3)}, model_weights)


def test_parts_can_be_left_out_by_name_but_not_by_mistake(published, model_weights):
    online = 'features.features.layeronline.0.conv1.weight'
    published[online] = torch.zeros(256, 512, 1, 1)
    conversion = convert_ocean_weights(published, model_weights, ['features.features.layeronline.'])
    assert conversion.left_out == [online]
    assert online not in conversion.used
    with pytest.raises(OceanConversionError, match=r"no tensor begins with 'layeronline\.'"):
        convert_ocean_weights(published, model_weights, ['layeronline.'])


def test_old_files_without_step_counters_start_at_zero(published, model_weights):
    old = {n: v for n, v in published.items() if not n.endswith('num_batches_tracked')}
    conversion = convert_ocean_weights(old, model_weights)
    assert len(conversion.counters) == len(published) - len(old) > 0
    assert all(conversion.weights[name] == 0 for name in conversion.counters)
    assert sorted(conversion.used + conversion.folded) == sorted(old)


def test_half_precision_becomes_single(published, model_weights):
    half = {n: v.half() if v.is_floating_point() else v for n, v in published.items()}
    conversion = convert_ocean_weights(half, model_weights)
    got = conversion.weights['head.cls_tower.0.bn.running_mean']
    mean = half['connect_model.cls_tower.1.running_mean'].float()
    torch.testing.assert_close(got, mean - half['connect_model.cls_tower.0.bias'].float())


def test_a_model_of_another_layout_is_refused(published):
    model = {'neck.laterals.1.conv.weight': torch.zeros(8, 40, 1, 1)}
    with pytest.raises(OceanConversionError, match=r'neck\.laterals\.1.* no counterpart'):
        convert_ocean_weights(published, model)


WEIGHTS = {'neck.downsample.0.weight': torch.ones(2), 'connect_model.bias': torch.zeros(1)}


def prefixed(prefix):
    return {prefix + name: value for name, value in WEIGHTS.items()}


@pytest.mark.parametrize(
    ('checkpoint', 'beside'),
    [
        (WEIGHTS, []),
        (prefixed('module.'), []),
        (prefixed('module.feature_extractor.'), []),
        (
            dict(epoch=20, arch='Ocean', state_dict=prefixed('module.'), optimizer={'state': {}}),
            ['epoch', 'arch', 'optimizer'],
        ),
        (dict(model=WEIGHTS, lr=0.1), ['lr']),
        (dict(state_dict=dict(model=WEIGHTS, step=1), epoch=3), ['epoch', 'step']),
        (dict(net=prefixed('feature_extractor.')), []),
    ],
)
def test_wrappers_are_removed_and_what_lies_beside_is_named(checkpoint, beside):
    weights, others = unwrap_ocean_weights(checkpoint)
    assert list(weights) == list(WEIGHTS)
    assert all(weights[name] is WEIGHTS[name] for name in WEIGHTS)
    assert others == beside


def test_names_that_hold_a_prefix_inside_keep_it():
    name = 'connect_model.module.weight'
    assert list(unwrap_ocean_weights({name: torch.zeros(1)})[0]) == [name]


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ({}, 'found nothing'),
        (dict(state_dict={}), 'found nothing'),
        (dict(epoch=3, weights=WEIGHTS), 'no tensors: epoch, weights'),
        (WEIGHTS | prefixed('module.'), 'mixes two models'),
    ],
)
def test_what_holds_no_single_state_dict_is_refused(checkpoint, message):
    with pytest.raises(OceanConversionError, match=message):
        unwrap_ocean_weights(checkpoint)
