"""The layers that are exported against those that are trained."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import fuse_conv_bn

from mmpolar.models.layers.aligned_conv import AlignedConv, OnnxAlignedConv
from mmpolar.models.layers.bilinear_rows import sample_rows
from mmpolar.models.layers.correlation import (
    FeatureCombination,
    OnnxCombination,
    correlate,
    depthwise_xcorr,
)
from mmpolar.models.layers.joined_convs import JoinedConvs, OnnxJoinedConvs


@pytest.mark.parametrize(('kernel', 'side'), [((6, 6), 32), ((4, 6), 30), ((6, 4), 9), ((5, 5), 5)])
@pytest.mark.parametrize('targets', [1, 3])
def test_correlation_equals_the_grouped_convolution(kernel, side, targets):
    torch.manual_seed(0)
    search = torch.randn(targets, 7, side, side + 2)
    kernel = torch.randn(targets, 7, *kernel)
    got = correlate([search], [kernel.transpose(2, 3)])
    torch.testing.assert_close(got, depthwise_xcorr(search, kernel), atol=1e-4, rtol=1e-5)


def test_sampled_rows_equal_grid_sample_inside_across_and_far_outside():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 6, 9)
    y_pos, x_pos = torch.rand(2, 400) * 12 - 3, torch.rand(2, 400) * 15 - 3
    y_pos[:, :4] = torch.tensor([0.0, 5.0, -1.0, 1e4])
    x_pos[:, :4] = torch.tensor([8.0, 0.0, 9.0, -1e4])
    grid = torch.stack([2 * x_pos / 8 - 1, 2 * y_pos / 5 - 1], -1)[:, None]
    expected = F.grid_sample(x, grid, align_corners=True)[:, :, 0].transpose(1, 2)
    got = sample_rows(x, y_pos, x_pos).reshape(2, 400, 5)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_aligned_convolution_equals_the_trained_one():
    torch.manual_seed(0)
    conv = AlignedConv(6, 4)
    x, offset = torch.randn(3, 6, 11, 11), 3 * torch.randn(3, 18, 11, 11)
    got = OnnxAlignedConv(conv)(x, offset)
    torch.testing.assert_close(got, conv(x, offset), atol=1e-4, rtol=1e-5)


def test_combination_equals_the_trained_one_with_unequal_shares():
    torch.manual_seed(0)
    combination = FeatureCombination(5, 6).eval()
    combination.weight.data = torch.tensor([0.3, -1.0, 2.0])
    template, search = torch.randn(2, 5, 8, 8), torch.randn(2, 5, 20, 20)
    expected = combination(combination.encode_template(template), search)
    exported = OnnxCombination(combination)
    got = exported(exported.encode_template(template), search)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('channels', [(5,), (8, 3), (8, 9, 12)])
def test_joined_convolutions_equal_those_of_the_joined_map_up_to_its_border(channels):
    torch.manual_seed(0)
    layer = JoinedConvs(channels, 6).eval()
    for conv in layer:
        torch.nn.init.normal_(conv.bn.running_mean)
        torch.nn.init.normal_(conv.bn.bias)
    maps = [torch.randn(2, count, 7, 9) for count in channels]
    expected = layer(maps)
    got = OnnxJoinedConvs(fuse_conv_bn(layer))(maps)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
