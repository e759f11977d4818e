import math

import pytest
import torch

from mmpolar.models.losses import PolarIoULoss, polar_iou_loss


def slow_polar_iou(pred, target, squared):
    losses = []
    for p_row, d_row in zip(pred.tolist(), target.tolist(), strict=True):
        if squared:
            p_row, d_row = [p * p for p in p_row], [d * d for d in d_row]
        longer = sum(max(p, d) for p, d in zip(p_row, d_row, strict=True))
        shorter = sum(min(p, d) for p, d in zip(p_row, d_row, strict=True))
        losses.append(math.log(longer / shorter))
    return torch.tensor(losses, dtype=torch.float64)


def random_radii(locations, n_rays, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 1 + 60 * torch.rand(2, locations, n_rays, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('squared', [False, True])
@pytest.mark.parametrize(('locations', 'n_rays'), [(1, 3), (5, 18), (7, 36), (2, 73)])
def test_polar_iou_loss_matches_loops(locations, n_rays, squared):
    pred, target = random_radii(locations, n_rays)
    expected = slow_polar_iou(pred, target, squared)
    torch.testing.assert_close(polar_iou_loss(pred, target, squared), expected)


@pytest.mark.parametrize(
    ('pred', 'target', 'squared', 'expected'),
    [
        ([2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0], False, math.log(2)),
        ([2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0], True, math.log(4)),
        ([1.0, 3.0, 2.0], [3.0, 1.0, 2.0], False, math.log(8 / 4)),
        ([1.0, 3.0, 2.0], [3.0, 1.0, 2.0], True, math.log(22 / 6)),
        ([5.0, 6.0, 7.0], [5.0, 6.0, 7.0], False, 0.0),
    ],
)
def test_polar_iou_loss_has_hand_computed_values(pred, target, squared, expected):
    loss = PolarIoULoss(squared=squared)(torch.tensor([pred]), torch.tensor([target]))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('squared', [False, True])
def test_polar_iou_loss_passes_gradcheck(squared):
    pred, target = random_radii(4, 6, seed=1)
    pred.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: polar_iou_loss(p, target, squared), pred)


@pytest.mark.parametrize('squared', [False, True])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('pred_value', [0.0, 1e-7, 1e-3, 1.0, 6e4, 3e38])
@pytest.mark.parametrize('target_value', [0.0, 1e-7, 1e-3, 1.0, 6e4, 3e38])
def test_polar_iou_loss_is_finite(pred_value, target_value, dtype, squared):
    largest = torch.finfo(dtype).max
    pred = torch.full((2, 36), min(pred_value, largest), dtype=dtype, requires_grad=True)
    target = torch.full((2, 36), min(target_value, largest), dtype=dtype)
    target[:, ::2] = 1.0
    loss = PolarIoULoss(squared=squared)(pred, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert loss >= 0
    assert torch.isfinite(pred.grad).all()


def test_polar_iou_loss_does_not_depend_on_scale():
    pred, target = random_radii(6, 36)
    torch.testing.assert_close(
        polar_iou_loss(100 * pred, 100 * target), polar_iou_loss(pred, target)
    )


def test_squared_loss_is_the_log_ratio_of_areas_of_concentric_discs():
    loss = polar_iou_loss(torch.full((1, 36), 3.0), torch.full((1, 36), 6.0), squared=True)
    assert loss.item() == pytest.approx(math.log(36 / 9))


def test_polar_iou_loss_reduces_as_mmdet_losses_do():
    pred, target = random_radii(4, 36)
    each = polar_iou_loss(pred, target)
    weight = torch.tensor([0.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(PolarIoULoss()(pred, target), each.mean())
    torch.testing.assert_close(PolarIoULoss(reduction='sum')(pred, target), each.sum())
    torch.testing.assert_close(PolarIoULoss(reduction='none')(pred, target, weight), each * weight)
    torch.testing.assert_close(
        PolarIoULoss(loss_weight=3.0)(pred, target, weight, avg_factor=2.0),
        3.0 * (each * weight).sum() / 2.0,
    )
    torch.testing.assert_close(PolarIoULoss()(pred, target, reduction_override='sum'), each.sum())


def test_polar_iou_loss_of_no_location_is_zero_with_avg_factor():
    pred = torch.zeros(0, 36, requires_grad=True)
    loss = PolarIoULoss()(pred, torch.zeros(0, 36), avg_factor=1.0)
    loss.backward()
    assert loss.item() == 0


def test_polar_iou_loss_rejects_unlike_shapes_and_unknown_reductions():
    with pytest.raises(ValueError, match=r'\(2, 36\) and \(2, 18\)'):
        PolarIoULoss()(torch.ones(2, 36), torch.ones(2, 18))
    with pytest.raises(ValueError, match='avg'):
        PolarIoULoss(reduction='avg')
