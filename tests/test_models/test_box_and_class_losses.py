import math

import pytest
import torch

from mmpolar.models.losses import BalancedBCELoss, LTRBIoULoss, ltrb_iou


def test_ltrb_iou_loss_has_hand_computed_value():
    # Boxes of 4x4 and 6x4 that share 4x4: (16 + 1) / (24 + 1).
    pred = torch.tensor([[2.0, 2.0, 2.0, 2.0]])
    target = torch.tensor([[2.0, 2.0, 4.0, 2.0]])
    assert math.isclose(ltrb_iou(pred, target).item(), 17 / 25, rel_tol=1e-6)
    loss = LTRBIoULoss(loss_weight=1.2)(pred, target)
    assert math.isclose(loss.item(), -1.2 * math.log(17 / 25), rel_tol=1e-6)


def test_ltrb_iou_matches_box_areas():
    generator = torch.Generator().manual_seed(0)
    pred, target = 30 * torch.rand(2, 50, 4, generator=generator, dtype=torch.float64)
    for p, t, got in zip(pred.tolist(), target.tolist(), ltrb_iou(pred, target), strict=True):
        width = min(p[0], t[0]) + min(p[2], t[2])
        height = min(p[1], t[1]) + min(p[3], t[3])
        areas = (p[0] + p[2]) * (p[1] + p[3]) + (t[0] + t[2]) * (t[1] + t[3])
        inter = width * height
        assert math.isclose(got.item(), (inter + 1) / (areas - inter + 1), rel_tol=1e-9)


def test_balanced_bce_weighs_positives_and_negatives_alike():
    logits = torch.tensor([0.0, 2.0, -1.0, 3.0])
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0])

    def bce(logit, label):
        probability = 1 / (1 + math.exp(-logit))
        return -math.log(probability if label else 1 - probability)

    expected = 0.5 * bce(0.0, 1) + 0.5 * (bce(2.0, 0) + bce(-1.0, 0) + bce(3.0, 0)) / 3
    assert math.isclose(BalancedBCELoss()(logits, labels).item(), expected, rel_tol=1e-6)


@pytest.mark.parametrize('focus', [0.0, 1.0, 2.0])
def test_focus_weighs_negatives_by_their_score(focus):
    logits = torch.tensor([0.5, 2.0, -1.0, 3.0], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0])
    score = logits.detach().sigmoid().tolist()
    shares = [p**focus / sum(q**focus for q in score[1:]) for p in score[1:]]
    losses = [-math.log(1 - p) for p in score[1:]]
    expected = -0.5 * math.log(score[0]) + 0.5 * sum(
        share * loss for share, loss in zip(shares, losses, strict=True)
    )
    loss = BalancedBCELoss(focus=focus)(logits, labels)
    assert math.isclose(loss.item(), expected, rel_tol=1e-6)
    loss.backward()
    # The weights are constants: what is left is the gradient of the cross entropy.
    expected = torch.tensor(
        [-0.5 * (1 - score[0])] + [0.5 * w * p for w, p in zip(shares, score[1:], strict=True)]
    )
    torch.testing.assert_close(logits.grad, expected)


def test_focus_must_not_be_negative():
    with pytest.raises(ValueError, match='got -1'):
        BalancedBCELoss(focus=-1)


def test_balanced_bce_without_positives_is_half_the_mean_over_negatives():
    logits = torch.zeros(5, requires_grad=True)
    loss = BalancedBCELoss()(logits, torch.zeros(5))
    loss.backward()
    assert math.isclose(loss.item(), 0.5 * math.log(2), rel_tol=1e-6)
    assert torch.isfinite(logits.grad).all()
