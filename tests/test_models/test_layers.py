import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.ops import DeformConv2d

from mmpolar.models.layers import (
    AlignedConv,
    FeatureCombination,
    box_offsets,
    conv_block,
    depthwise_xcorr,
)
from mmpolar.models.layers.conv_block import DepthwiseConv


@pytest.mark.parametrize(('size', 'spread'), [(5, 0.0), (9, 0.7), (25, 3.0), (7, 30.0)])
def test_aligned_conv_equals_deform_conv(size, spread):
    torch.manual_seed(size)
    ours = AlignedConv(6, 10)
    theirs = DeformConv2d(6, 10, 3, padding=1)
    theirs.weight.data.copy_(ours.weight.data)
    x = torch.randn(2, 6, size, size)
    offset = torch.randn(2, 18, size, size) * spread
    inputs = [(x.clone().requires_grad_(), offset.clone().requires_grad_()) for _ in range(2)]
    outputs = [conv(*pair) for conv, pair in zip((ours, theirs), inputs, strict=True)]
    upstream = torch.randn_like(outputs[0])
    for output in outputs:
        output.backward(upstream)
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(inputs[0][0].grad, inputs[1][0].grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, atol=1e-4, rtol=1e-3)
    if spread > 0:  # On the grid itself the derivative by the offset is one-sided.
        torch.testing.assert_close(inputs[0][1].grad, inputs[1][1].grad, atol=1e-4, rtol=1e-3)


def test_aligned_conv_without_offsets_is_a_convolution():
    torch.manual_seed(0)
    conv = AlignedConv(4, 5)
    x = torch.randn(3, 4, 11, 8)
    expected = torch.nn.functional.conv2d(x, conv.weight, padding=1)
    torch.testing.assert_close(conv(x, torch.zeros(3, 18, 11, 8)), expected, atol=1e-5, rtol=1e-5)


def test_aligned_conv_names_the_shape_it_wants():
    with pytest.raises(ValueError, match=r'\(1, 18, 5, 5\)'):
        AlignedConv(2, 2)(torch.zeros(1, 2, 5, 5), torch.zeros(1, 9, 5, 5))


def test_box_offsets_spread_the_taps_over_the_box():
    size, stride, search_size = 25, 8, 255
    boxes = torch.empty(1, 4, size, size)
    boxes[0] = torch.tensor([40.0, 60.0, 119.0, 187.0])[:, None, None]
    offsets = box_offsets(boxes, stride, search_size)[0].reshape(9, 2, size, size)
    cells = torch.arange(size, dtype=torch.float32)
    steps = torch.tensor([-1.0, 0.0, 1.0])
    tap_y = offsets[:, 0] + steps.repeat_interleave(3)[:, None, None] + cells[:, None]
    tap_x = offsets[:, 1] + steps.repeat(3)[:, None, None] + cells
    # Back to pixels: whatever the location, the taps are corners, sides' middles and the centre.
    pixel_y = (tap_y - size // 2) * stride + search_size / 2
    pixel_x = (tap_x - size // 2) * stride + search_size / 2
    height, width = 187 - 60 + 1, 119 - 40 + 1
    expected_y = 123.5 + steps.repeat_interleave(3) * height / 2
    expected_x = 79.5 + steps.repeat(3) * width / 2
    for tap in range(9):
        torch.testing.assert_close(pixel_y[tap], torch.full((size, size), expected_y[tap].item()))
        torch.testing.assert_close(pixel_x[tap], torch.full((size, size), expected_x[tap].item()))


@pytest.mark.parametrize('templates', [1, 3])
def test_depthwise_xcorr_matches_loops(templates):
    torch.manual_seed(0)
    search, kernel = torch.randn(3, 4, 9, 8), torch.randn(templates, 4, 3, 2)
    got = depthwise_xcorr(search, kernel)
    assert got.shape == (3, 4, 7, 7)
    for n in range(3):
        for c in range(4):
            for i in range(7):
                for j in range(7):
                    window = search[n, c, i : i + 3, j : j + 2]
                    expected = (window * kernel[n % templates, c]).sum()
                    torch.testing.assert_close(got[n, c, i, j], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('channels_last', [False, True])
def test_depthwise_xcorr_has_the_gradients_of_a_plain_convolution(channels_last):
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    search = torch.randn(3, 4, 9, 8, dtype=torch.float64).contiguous(memory_format=layout)
    kernel = torch.randn(3, 4, 3, 2, dtype=torch.float64)
    inputs = [search.requires_grad_(), kernel.requires_grad_()]
    assert torch.autograd.gradcheck(depthwise_xcorr, inputs)
    weight = torch.randn(3, 4, 7, 7, dtype=torch.float64)
    got = torch.autograd.grad((depthwise_xcorr(*inputs) * weight).sum(), inputs)
    plain = [
        F.conv2d(one[None], filters[:, None], groups=4)[0]
        for one, filters in zip(*inputs, strict=True)
    ]
    expected = torch.autograd.grad((torch.stack(plain) * weight).sum(), inputs)
    for gradient, wanted in zip(got, expected, strict=True):
        torch.testing.assert_close(gradient, wanted)
    assert got[0].is_contiguous(memory_format=layout)


def test_depthwise_xcorr_leaves_out_the_gradient_that_nobody_needs():
    search, kernel = torch.randn(2, 3, 6, 6), torch.randn(2, 3, 2, 2).requires_grad_()
    depthwise_xcorr(search, kernel).sum().backward()
    assert search.grad is None
    assert kernel.grad.shape == kernel.shape


def test_depthwise_xcorr_trains_in_bfloat16_with_the_types_of_its_inputs():
    torch.manual_seed(0)
    search = torch.randn(2, 3, 7, 7).requires_grad_()
    kernel = torch.randn(2, 3, 3, 3).requires_grad_()
    exact = torch.autograd.grad(depthwise_xcorr(search, kernel).sum(), [search, kernel])
    with torch.autocast('cpu', torch.bfloat16):
        response = depthwise_xcorr(search, kernel)
    assert response.dtype == torch.bfloat16
    got = torch.autograd.grad(response.sum(), [search, kernel])
    for gradient, wanted in zip(got, exact, strict=True):
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(gradient, wanted, atol=0.05, rtol=0.02)


@pytest.mark.parametrize(('template', 'search'), [(7, 31), (8, 32), (7, 35)])
def test_feature_combination_sums_three_equal_maps(template, search):
    torch.manual_seed(0)
    combination = FeatureCombination(6, 5).eval()
    kernels = combination.encode_template(torch.randn(2, 6, template, template))
    assert [tuple(kernel.shape[2:]) for kernel in kernels] == [
        (template - 2, template - 2),
        (template - 4, template - 2),
        (template - 2, template - 4),
    ]
    features = torch.randn(2, 6, search, search)
    got = combination(kernels, features)
    assert got.shape == (2, 5, search - template + 1, search - template + 1)
    responses = [
        depthwise_xcorr(encode(features), kernel)
        for encode, kernel in zip(combination.search_encoders, kernels, strict=True)
    ]
    torch.testing.assert_close(got, sum(responses) / 3, atol=1e-5, rtol=1e-5)
    combination.weight.data = torch.tensor([50.0, 0.0, 0.0])
    torch.testing.assert_close(combination(kernels, features), responses[0], atol=1e-5, rtol=1e-5)


def test_a_depthwise_convolution_trains_in_float32_and_runs_in_bfloat16():
    torch.manual_seed(0)
    conv = DepthwiseConv(4, 4, 3, padding=1, norm_cfg=dict(type='BN'), act_cfg=None)
    x = torch.randn(2, 4, 9, 10)
    expected = conv(x)
    with torch.autocast('cpu', torch.bfloat16):
        got = conv(x.bfloat16().float())
        assert got.dtype == torch.float32
        assert conv.eval().conv(x).dtype == torch.bfloat16
    torch.testing.assert_close(got, expected, atol=0.03, rtol=0.03)


@pytest.mark.parametrize('dilation', [1, (2, 1), (1, 2)])
def test_depthwise_block_filters_each_channel_and_then_mixes_them(dilation):
    torch.manual_seed(0)
    block = conv_block(4, 6, dilation=dilation, depthwise=True).eval()
    x = torch.randn(2, 4, 9, 10)
    filters, mixer = (weight for weight in block.state_dict().values() if weight.ndim == 4)
    filtered = torch.cat(
        [
            torch.nn.functional.conv2d(x[:, [channel]], filters[[channel]], dilation=dilation)
            for channel in range(4)
        ],
        1,
    )
    mixed = torch.einsum('oi,nihw->nohw', mixer[..., 0, 0], filtered)
    # Two fresh batch norms: both divide by sqrt(1 + eps).
    torch.testing.assert_close(block(x), mixed.relu() / (1 + 1e-5), atol=1e-5, rtol=1e-5)


def test_depthwise_block_keeps_shapes_with_fewer_parameters():
    x = torch.randn(1, 32, 7, 7)
    dense, light = (conv_block(32, 32, padding=1, depthwise=flag).eval() for flag in (False, True))
    assert dense(x).shape == light(x).shape == x.shape
    weights = [sum(p.numel() for p in m.parameters() if p.ndim == 4) for m in (dense, light)]
    assert weights == [9 * 32 * 32, 9 * 32 + 32 * 32]
