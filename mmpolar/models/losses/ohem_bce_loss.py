"""Binary cross entropy over the positives and the hardest negatives of a batch."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmpolar.registry import MODELS


@MODELS.register_module()
class OHEMBCELoss(nn.Module):
    """Sum over all positives and over the hardest negatives, so many for each positive.

    Online hard example mining (Shrivastava et al., CVPR 2016) in the form of SSD (Liu et al., ECCV 2016,
    section 2.2), for heads that pass the sum of a loss, as the objectness of YOLOX does.

    Args:
        negatives_per_positive: Negatives that count for each positive of the batch, above 0. A batch
            without positives counts as one with a single one.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If ``negatives_per_positive`` is not above 0.
    """

    def __init__(self, negatives_per_positive: float = 3.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not negatives_per_positive > 0:
            raise ValueError(
                f'negatives_per_positive must be above 0, got {negatives_per_positive}'
            )
        self.negatives_per_positive = negatives_per_positive
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            logits: Scores before the sigmoid, any shape.
            labels: 1 for positive and 0 for negative ones, or between, same shape; above 0 is positive.

        Returns:
            A scalar.
        """
        logits, labels = logits.float(), labels.to(logits)
        loss = F.binary_cross_entropy_with_logits(logits, labels, reduction='none')
        is_positive = labels > 0
        count = max(int(is_positive.sum()), 1) * self.negatives_per_positive
        negatives = loss[~is_positive]
        hardest = torch.topk(negatives, min(round(count), len(negatives))).values
        return self.loss_weight * (loss[is_positive].sum() + hardest.sum())
