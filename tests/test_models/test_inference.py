import itertools
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import ConvModule, fuse_conv_bn
from mmengine.config import Config
from torch import nn

from mmpolar.deployment.ocean_graphs import to_input
from mmpolar.models.layers.aligned_conv import AlignedConv, PackedAlignedConv
from mmpolar.models.layers.conv import PackedConv2d, WinogradConv2d, cheapest_tile
from mmpolar.models.layers.conv.winograd import TILES, Workspace, winograd_matrices
from mmpolar.models.trackers import TorchEngine, prepare_for_inference
from mmpolar.registry import MODELS
from mmpolar.tracking import SingleTargetTracker
from tests.support.small_export import CONFIG, REFINED, fit_batch_norm, small_tracker, video

# Winograd's convolution


@pytest.mark.parametrize('tile', TILES)
def test_winograd_matrices_convolve_a_signal_with_a_filter(tile):
    rng = np.random.default_rng(tile)
    signal, taps = rng.normal(size=tile + 2), rng.normal(size=3)
    output, weight, data = winograd_matrices(tile)
    got = output @ ((weight @ taps) * (data @ signal))
    np.testing.assert_allclose(got, np.correlate(signal, taps), atol=1e-12)


SHAPES = [  # padding, dilation, and shape of the input
    (1, 1, (1, 3, 7, 9)),
    (0, 1, (2, 3, 3, 3)),
    (0, 1, (3, 2, 25, 6)),
    (2, 2, (1, 3, 11, 6)),
    ((0, 1), (2, 1), (2, 3, 9, 8)),
    ((3, 0), (1, 2), (1, 3, 4, 13)),
    (5, 3, (1, 3, 7, 1)),
    (1, (3, 2), (2, 3, 10, 31)),
]


@pytest.mark.parametrize(('tile', 'shape', 'bias'), itertools.product(TILES, SHAPES, (True, False)))
def test_winograd_equals_the_direct_sum(tile, shape, bias):
    padding, dilation, size = shape
    torch.manual_seed(0)
    conv = nn.Conv2d(size[1], 5, 3, padding=padding, dilation=dilation, bias=bias).double()
    x = torch.randn(size, dtype=torch.float64)
    expected = conv(x)
    assert expected.numel() > 0
    torch.testing.assert_close(WinogradConv2d(conv, tile)(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize('tile', TILES)
def test_winograd_in_float32_loses_few_digits(tile):
    torch.manual_seed(tile)
    conv = nn.Conv2d(64, 16, 3, padding=1)
    x = torch.randn(1, 64, 25, 25).relu()
    exact = F.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
    layer = WinogradConv2d(conv, tile)
    layer.product = PackedConv2d(layer.product, input_size=layer.product_size(x.shape))
    error = (layer(x) - exact).abs().max() / exact.std()
    assert error < 3e-5


@pytest.mark.parametrize('activation', [nn.ReLU(inplace=True), nn.ReLU6()])
def test_winograd_activates(activation):
    conv = nn.Conv2d(3, 4, 3).double()
    x = 20 * torch.randn(2, 3, 8, 9, dtype=torch.float64)
    expected = activation(conv(x))
    assert (expected == 0).any()
    torch.testing.assert_close(WinogradConv2d(conv, 3, activation)(x), expected)


def test_layers_share_memory_without_disturbing_each_other():
    workspace = Workspace()
    convs = [nn.Conv2d(3, 6, 3, padding=1).double(), nn.Conv2d(6, 3, 3, dilation=2).double()]
    layers = [WinogradConv2d(conv, 4, workspace=workspace) for conv in convs]
    for size in (9, 21, 9):
        x = torch.randn(1, 3, size, size, dtype=torch.float64)
        between = layers[0](x)
        after = layers[1](between)
        torch.testing.assert_close(between, convs[0](x))
        torch.testing.assert_close(after, convs[1](convs[0](x)))
    as_float = WinogradConv2d(nn.Conv2d(3, 6, 3), 2, workspace=workspace)
    assert as_float(x.float()).dtype == torch.float32


def test_layers_run_in_several_threads_at_once():
    workspace = Workspace()
    convs = [nn.Conv2d(16, 16, 3, padding=1).double() for _ in range(2)]
    layers = [WinogradConv2d(conv, 3, workspace=workspace) for conv in convs]
    inputs = torch.randn(4, 1, 16, 40, 41, dtype=torch.float64)

    def run(x):
        return [[layer(x) for layer in layers] for _ in range(20)]

    with ThreadPoolExecutor(len(inputs)) as pool:
        for x, outputs in zip(inputs, pool.map(run, inputs), strict=True):
            for pair in outputs:
                for got, conv in zip(pair, convs, strict=True):
                    torch.testing.assert_close(got, conv(x))


def test_winograd_refuses_what_it_cannot_compute():
    for options in (dict(stride=2), dict(groups=4), dict(padding='same'), dict(kernel_size=1)):
        conv = nn.Conv2d(4, 4, **{'kernel_size': 3, **options})
        with pytest.raises(ValueError, match='3x3 convolution with stride 1'):
            WinogradConv2d(conv, 2)
        assert cheapest_tile(conv, (1, 4, 31, 31)) is None
    with pytest.raises(ValueError, match='tile must be one of'):
        WinogradConv2d(nn.Conv2d(4, 4, 3), 6)


def test_tiles_are_chosen_where_they_pay():
    tower = nn.Conv2d(256, 256, 3, padding=1, device='meta')
    dilated = nn.Conv2d(256, 256, 3, padding=2, dilation=2, device='meta')
    assert cheapest_tile(tower, (1, 256, 25, 25)) == 3
    assert cheapest_tile(dilated, (1, 256, 31, 31)) == 4
    assert cheapest_tile(nn.Conv2d(16, 16, 3), (1, 16, 31, 31)) is None
    # Four cells do not pay for reading so many weights; sixteen maps of them do.
    assert cheapest_tile(tower, (1, 256, 2, 2)) is None
    assert cheapest_tile(tower, (64, 256, 4, 4)) is not None


# Packed layers


@pytest.mark.parametrize(
    'options',
    [
        dict(kernel_size=1),
        dict(kernel_size=3, padding=1, bias=False),
        dict(kernel_size=3, stride=2, dilation=(2, 1)),
        dict(kernel_size=5, padding=(2, 0), groups=8),
        dict(kernel_size=(1, 3), groups=2),
    ],
)
def test_packed_convolution_equals_the_plain_one(options):
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 16, **options)
    packed = PackedConv2d(conv, input_size=(1, 8, 20, 20))
    for size in ((1, 8, 20, 20), (3, 8, 7, 12)):
        x = torch.randn(size)
        expected = conv(x)
        torch.testing.assert_close(packed(x), expected)
        channels_last = x.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(packed(channels_last), expected)
        cut_out = torch.randn(size[0], 8, size[2] + 1, size[3] + 2)[..., 1:, :-2]
        torch.testing.assert_close(packed(cut_out), conv(cut_out))


@pytest.mark.parametrize('activation', [None, nn.ReLU(), nn.ReLU6()])
def test_packed_convolution_activates(activation):
    conv = nn.Conv2d(4, 8, 3)
    x = 30 * torch.randn(1, 4, 9, 9)
    expected = conv(x) if activation is None else activation(conv(x))
    torch.testing.assert_close(PackedConv2d(conv, activation)(x), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('activation', [None, nn.ReLU()])
def test_packed_convolution_adds_a_shortcut_and_leaves_it_as_it_is(activation):
    conv = nn.Conv2d(4, 8, 1)
    x, shortcut = torch.randn(2, 4, 9, 9), torch.randn(2, 8, 9, 9)
    before = shortcut.clone()
    expected = conv(x) + shortcut
    expected = expected if activation is None else activation(expected)
    torch.testing.assert_close(PackedConv2d(conv, activation)(x, shortcut), expected)
    assert torch.equal(shortcut, before)


def test_packed_convolution_refuses_other_activations():
    with pytest.raises(TypeError, match='must be ReLU, ReLU6 or None, got Sigmoid'):
        PackedConv2d(nn.Conv2d(4, 4, 1), nn.Sigmoid())


@pytest.mark.parametrize('spread', [0.0, 0.7, 30.0])
def test_packed_aligned_convolution_equals_the_plain_one(spread):
    torch.manual_seed(0)
    conv = AlignedConv(6, 10)
    x, offset = torch.randn(2, 6, 9, 7), torch.randn(2, 18, 9, 7) * spread
    torch.testing.assert_close(
        PackedAlignedConv(conv)(x, offset), conv(x, offset), atol=1e-4, rtol=1e-4
    )


# A whole tracker


def loaded(model):
    return fuse_conv_bn(model.eval())


def maps_of(model, size, targets=1):
    frames = video()[:targets]
    crops = (
        np.stack([cv2.resize(frame, (side, side)) for frame in frames]) for side in (127, size)
    )
    template, search = (to_input(model, torch.from_numpy(images)) for images in crops)
    with torch.no_grad():
        maps, radii = model.correlate(template, search)
    return dict(maps._asdict(), radii=radii)


def assert_same_maps(got, expected):
    """The aligned branch samples beside the cells, and doubles what the boxes lose in rounding."""
    for name, values in expected.items():
        if isinstance(values, torch.Tensor):
            torch.testing.assert_close(
                got[name], values, atol=5e-4, rtol=1e-4, msg=lambda m, n=name: f'{n}: {m}'
            )


@pytest.mark.parametrize('options', [{}, REFINED, dict(mask_head=None)])
def test_a_prepared_tracker_gives_the_same_maps(options):
    model = loaded(small_tracker(**options).model)
    cases = [(255, 1), (287, 2)]
    expected = [maps_of(model, *case) for case in cases]
    assert prepare_for_inference(model) is model
    for case, maps in zip(cases, expected, strict=True):
        assert maps['cls_logits'].std() > 0.1  # flat maps would prove nothing
        assert_same_maps(maps_of(model, *case), maps)


def test_a_prepared_tracker_refines_the_same_contour():
    frame = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    plain, prepared = (loaded(small_tracker(**REFINED).model) for _ in range(2))
    prepare_for_inference(prepared)
    trackers = [SingleTargetTracker(TorchEngine(model)) for model in (plain, prepared)]
    results = [tracker.init(frame, [100, 80, 160, 150]) for tracker in trackers]
    np.testing.assert_allclose(results[1].polygon, results[0].polygon, atol=1e-2)


def test_a_prepared_resnet_tracker_gives_the_same_maps():
    config = Config.fromfile(CONFIG).model
    config.backbone = dict(type='SiamResNet50', out_indices=(1, 2))
    config.neck.update(in_channels=[512, 1024], template_cells=7)
    torch.manual_seed(0)
    model = MODELS.build(config)
    fit_batch_norm(model)
    model = loaded(model)
    expected = maps_of(model, 255)
    prepare_for_inference(model)
    layers = list(model.backbone.modules())
    assert sum(isinstance(layer, WinogradConv2d) for layer in layers) > 5
    assert not any(isinstance(layer, nn.Conv2d) for layer in layers)
    assert expected['reg_features'].std() > 0
    assert_same_maps(maps_of(model, 255), expected)


def test_layers_that_do_not_fit_stay():
    model = loaded(small_tracker().model)
    model.mask_head.tower[0] = ConvModule(
        8, 8, 3, padding=1, act_cfg=dict(type='LeakyReLU'), padding_mode='reflect'
    )
    model.head.cls_pred = nn.Conv2d(8, 1, 3, padding='same')
    expected = maps_of(model, 255)
    prepare_for_inference(model)
    assert isinstance(model.head.cls_pred, nn.Conv2d)
    assert isinstance(model.mask_head.tower[0], ConvModule)
    assert_same_maps(maps_of(model, 255), expected)


def test_only_a_float32_model_can_be_prepared():
    model = loaded(small_tracker().model).double()
    with pytest.raises(ValueError, match=r'weight is in torch.float64 on cpu'):
        prepare_for_inference(model)


def test_without_onednn_nothing_is_replaced(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    model = loaded(small_tracker().model)
    kinds = [type(layer) for layer in model.modules()]
    prepare_for_inference(model)
    assert [type(layer) for layer in model.modules()] == kinds
