"""Binary cross entropy in which positives and negatives weigh the same."""

import torch
import torch.nn.functional as F  # noqa: N812
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from mmpolar.registry import MODELS


@MODELS.register_module()
class BalancedBCELoss(nn.Module):
    """Half the mean over positive locations plus half the mean over negative ones.

    The classification loss of Ocean's regular-region branch, as published. Both means run over
    the whole batch, over all processes; a kind that does not occur adds nothing.

    Args:
        loss_weight: Factor on the result.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

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
        counts = reduce_mean(torch.stack([labels.sum(), (1 - labels).sum()]))
        # A count of zero comes with a sum of zero; the floor only avoids the division 0 / 0.
        positive, negative = counts.clamp(min=torch.finfo(counts.dtype).tiny)
        weight = 0.5 * (labels / positive + (1 - labels) / negative)
        return self.loss_weight * (loss * weight).sum()
