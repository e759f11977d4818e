import numpy as np
import pytest
import torch

from mmpolar.models.layers.ray_conv_block import RayConvBlock


@pytest.fixture
def grid():
    torch.manual_seed(0)
    return torch.randn(2, 4, 10, 5)


def make_block(dilation):
    """A block whose batch norm is not the identity, in test mode."""
    torch.manual_seed(dilation)
    block = RayConvBlock(4, dilation)
    norm = block.conv.bn
    for values, low, high in (
        (norm.running_mean, -0.3, 0.3),
        (norm.running_var, 0.5, 2.0),
        (norm.weight.data, 0.5, 1.5),
        (norm.bias.data, -0.2, 0.5),
    ):
        values.uniform_(low, high)
    return block.eval()


@pytest.mark.parametrize('dilation', [1, 2, 4])
def test_block_equals_loops_over_a_closed_circle_of_rays(grid, dilation):
    block = make_block(dilation)
    norm, kernel = block.conv.bn, block.conv.conv.weight.detach().numpy()
    x = grid.numpy()
    sums = np.zeros_like(x)
    for ray, place in np.ndindex(10, 5):
        for across, along in np.ndindex(3, 3):
            source = place + along - 1
            if 0 <= source < 5:
                taken = x[:, :, (ray + dilation * (across - 1)) % 10, source]
                sums[:, :, ray, place] += taken @ kernel[:, :, across, along].T
    scale, shift = (p.detach().numpy()[:, None, None] for p in (norm.weight, norm.bias))
    mean, var = (b.numpy()[:, None, None] for b in (norm.running_mean, norm.running_var))
    normalised = (sums - mean) / np.sqrt(var + norm.eps) * scale + shift
    with torch.no_grad():
        np.testing.assert_allclose(block(grid), x + np.maximum(normalised, 0), atol=1e-4)


@pytest.mark.parametrize('dilation', [1, 2, 4])
@pytest.mark.parametrize('shift', [1, 3, -2])
def test_rolling_the_rays_rolls_the_output(grid, dilation, shift):
    block = make_block(dilation)
    with torch.no_grad():
        rolled, expected = block(grid.roll(shift, 2)), block(grid).roll(shift, 2)
    torch.testing.assert_close(rolled, expected, atol=1e-5, rtol=1e-5)


def test_the_two_ends_of_a_ray_do_not_touch(grid):
    block = make_block(1)
    changed = grid.clone()
    changed[..., -1] += 5
    with torch.no_grad():
        difference = (block(changed) - block(grid)).abs().amax((0, 1, 2))
    assert difference[0] == 0
    assert (difference[-2:] > 0).all()
