"""Online hard example mining of locations, by hand."""

import pytest
import torch

from mmpolar.models.losses import OHEMBCELoss


def test_all_positives_and_the_hardest_negatives_count():
    logits = torch.tensor([2.0, -1.0, 3.0, 0.5, -4.0, 1.0], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    loss = OHEMBCELoss(negatives_per_positive=2, loss_weight=0.5)(logits, labels)
    expected = torch.nn.functional.softplus(torch.tensor([-2.0, 3.0, 1.0])).sum() / 2
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert (logits.grad != 0).tolist() == [True, False, True, False, False, True]


def test_a_batch_without_positives_counts_as_one_with_one():
    logits = torch.tensor([[2.0], [1.0], [0.0]])
    loss = OHEMBCELoss(negatives_per_positive=1)(logits, torch.zeros(3, 1))
    assert loss.item() == pytest.approx(torch.nn.functional.softplus(torch.tensor(2.0)).item())
    assert OHEMBCELoss(10)(logits, torch.ones(3, 1)).item() > 0


def test_wrong_number_is_explained():
    with pytest.raises(ValueError, match='negatives_per_positive must be above 0'):
        OHEMBCELoss(0)
