import math

import numpy as np
import pytest
import torch
from plain_sampling import slow_sample

from mmpolar.models.layers.ray_sampling import reach_in_box, sample_points
from mmpolar.structures.polar import ray_directions


def directions_of(n_rays):
    return torch.tensor(ray_directions(n_rays), dtype=torch.float32)


def march(ltrb, direction, step=0.005):
    """How far one can walk from a location before one leaves the box."""
    left, top, right, bottom = ltrb
    lengths = np.arange(0, 2 * sum(ltrb), step)
    x, y = lengths * direction[0], lengths * direction[1]
    inside = (x >= -left) & (x <= right) & (y >= -top) & (y <= bottom)
    return lengths[inside].max()


@pytest.mark.parametrize('n_rays', [3, 4, 7, 12, 36])
def test_reach_ends_where_a_march_leaves_the_box(n_rays):
    rng = np.random.default_rng(n_rays)
    for ltrb in np.exp(rng.uniform(-1, 3, (6, 4))):
        got = reach_in_box(torch.tensor(ltrb, dtype=torch.float32), directions_of(n_rays))
        expected = [march(ltrb, direction) for direction in ray_directions(n_rays)]
        np.testing.assert_allclose(got, expected, atol=0.006)


def test_reach_of_eight_rays_by_hand():
    # Right, right and down, down, ...; the nearer one of two sides ends a diagonal ray.
    got = reach_in_box(torch.tensor([3.0, 4.0, 5.0, 6.0]), directions_of(8))
    diagonals = [5, 3, 3, 4]
    expected = [5, 6, 3, 4]
    for ray in range(4):
        assert got[2 * ray].item() == pytest.approx(expected[ray])
        assert got[2 * ray + 1].item() == pytest.approx(diagonals[ray] * math.sqrt(2), rel=1e-5)


def test_reach_follows_mirrored_and_resized_boxes():
    torch.manual_seed(0)
    ltrb = torch.rand(5, 2, 4) * 60 + 1
    directions = directions_of(12)
    got = reach_in_box(ltrb, directions)
    assert got.shape == (5, 2, 12)
    mirrored = reach_in_box(ltrb[..., [2, 1, 0, 3]], directions)
    torch.testing.assert_close(mirrored, got[..., (6 - torch.arange(12)) % 12])
    torch.testing.assert_close(reach_in_box(3 * ltrb, directions), 3 * got)


@pytest.mark.parametrize(('height', 'width'), [(2, 2), (5, 9), (33, 17)])
def test_samples_equal_bilinear_loops_inside_and_outside(height, width):
    generator = torch.Generator().manual_seed(width)
    features = torch.randn(2, 3, height, width, generator=generator)
    cells = (
        torch.rand(2, 4, 6, 2, generator=generator) * torch.tensor([width + 4, height + 4]) - 2.5
    )
    cells[0, 0, 0] = torch.tensor([0.0, 0.0])
    cells[0, 0, 1] = torch.tensor([width - 1.0, height - 1.0])
    cells[0, 0, 2] = torch.tensor([width - 0.5, height / 2])
    cells[0, 0, 3] = torch.tensor([-300.0, 4000.0])
    got = sample_points(features, cells)
    assert got.shape == (2, 3, 4, 6)
    for n, row, col in np.ndindex(2, 4, 6):
        expected = slow_sample(features[n], *cells[n, row, col].tolist())
        np.testing.assert_allclose(got[n, :, row, col], expected, atol=1e-4)


def test_samples_of_cells_are_the_cells():
    features = torch.arange(12.0).reshape(1, 1, 3, 4)
    x, y = torch.meshgrid(torch.arange(4.0), torch.arange(3.0), indexing='xy')
    got = sample_points(features, torch.stack([x, y], -1)[None])
    torch.testing.assert_close(got, features)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_does_not_move_the_places(dtype):
    """On a ramp a sample is its place, which 8 bits could not tell apart from the next cell's."""
    ramp = torch.arange(256.0).expand(1, 1, 2, 256)
    cells = torch.stack([torch.linspace(200, 210, 41), torch.full((41,), 0.5)], -1)[None, None]
    with torch.autocast('cpu', dtype):
        got = sample_points(ramp.to(dtype), cells)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got[0, 0, 0], cells[0, 0, :, 0], atol=1e-3, rtol=0)


def test_gradient_reaches_the_four_cells_around_a_place():
    features = torch.zeros(1, 1, 4, 4, requires_grad=True)
    sample_points(features, torch.tensor([[[[1.25, 2.5]]]])).sum().backward()
    expected = torch.zeros(4, 4)
    expected[2, 1] = expected[3, 1] = 0.75 * 0.5
    expected[2, 2] = expected[3, 2] = 0.25 * 0.5
    torch.testing.assert_close(features.grad[0, 0], expected)
