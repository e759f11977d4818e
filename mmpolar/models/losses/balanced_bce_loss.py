"""Binary cross entropy in which positives and negatives weigh the same."""

import torch
import torch.nn.functional as F  # noqa: N812
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from mmpolar.registry import MODELS
from mmpolar.utils.checks import check_at_least


@MODELS.register_module()
class BalancedBCELoss(nn.Module):
    """Half the mean over positive locations plus half the mean over negative ones.

    The classification loss of Ocean's regular-region branch, as published. Both means run over
    the whole batch, over all processes; a kind that does not occur adds nothing.

    A search region has some ten positive and six hundred negative locations. Nearly all negative
    ones are easy, and the one peak of a hard negative is lost among them.
    With ``focus`` the mean over the negative ones is weighted by ``sigmoid(logit) ** focus``, the
    modulating factor of the focal loss (Lin et al., ICCV 2017, eq. 4) without a gradient of its
    own.

    Args:
        loss_weight: Factor on the result.
        focus: Exponent, at least 0; 0 as published.

    Raises:
        ValueError: If ``focus`` is negative.
    """

    def __init__(self, loss_weight: float = 1.0, focus: float = 0.0) -> None:
        super().__init__()
        check_at_least(0, focus=focus)
        self.loss_weight = loss_weight
        self.focus = focus

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: Scores before the sigmoid, any shape.
            labels: 1 for positive and 0 for negative locations, same shape.

        Returns:
            A scalar.
        """
        logits = logits.float()
        labels = labels.to(logits)
        loss = F.binary_cross_entropy_with_logits(logits, labels, reduction='none')
        negatives = (1 - labels) * logits.detach().sigmoid() ** self.focus
        counts = reduce_mean(torch.stack([labels.sum(), negatives.sum()]))
        # A count of zero comes with a sum of zero; the floor only avoids the division 0 / 0.
        positive, negative = counts.clamp(min=torch.finfo(counts.dtype).tiny)
        weight = 0.5 * (labels / positive + negatives / negative)
        return self.loss_weight * (loss * weight).sum()
