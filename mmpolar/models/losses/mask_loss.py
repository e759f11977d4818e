"""Loss of masks: every pixel, their overlap, and the pixels at the boundary."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmpolar.registry import MODELS


@MODELS.register_module()
class MaskLoss(nn.Module):
    """Cross entropy of all cells, Dice, and cross entropy of the cells near the true boundary.

    Dice is ``1 - (2 sum(p t) + 1) / (sum(p^2) + sum(t^2) + 1)`` (Milletari et al., 3DV 2016,
    section 3, smoothed so that empty masks have a loss).

    Args:
        pixel_weight: Weight of the cross entropy of all cells.
        dice_weight: Weight of Dice.
        boundary_weight: Weight of the cross entropy near the boundary.
        boundary_width: Cells within this distance of the boundary count as near it.
    """

    def __init__(
        self,
        pixel_weight: float = 1.0,
        dice_weight: float = 1.0,
        boundary_weight: float = 0.5,
        boundary_width: int = 2,
    ) -> None:
        super().__init__()
        self.pixel_weight = pixel_weight
        self.dice_weight = dice_weight
        self.boundary_weight = boundary_weight
        self.boundary_width = boundary_width

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss terms by name.

        Args:
            logits: Logits of shape (N, h, w).
            target: Share of the target in each cell, (N, h, w) in [0, 1].

        Returns:
            ``loss_pixel``, ``loss_dice`` and ``loss_boundary``, scalars.
        """
        logits = logits.float()
        cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
        share = logits.sigmoid()
        overlap = 2 * (share * target).sum((1, 2)) + 1
        dice = 1 - overlap / (share.square().sum((1, 2)) + target.square().sum((1, 2)) + 1)
        near = near_boundary(target, self.boundary_width)
        boundary = (cross_entropy * near).sum((1, 2)) / near.sum((1, 2)).clamp(min=1)
        return dict(
            loss_pixel=self.pixel_weight * cross_entropy.mean(),
            loss_dice=self.dice_weight * dice.mean(),
            loss_boundary=self.boundary_weight * boundary.mean(),
        )


def near_boundary(target: Tensor, width: int) -> Tensor:
    """1 for cells within ``width`` cells of the boundary of masks (N, h, w), 0 elsewhere."""
    kernel = 2 * width + 1
    inside = (target > 0.5).float()[:, None]
    grown = F.max_pool2d(inside, kernel, 1, width)
    shrunk = -F.max_pool2d(-inside, kernel, 1, width)
    return (grown - shrunk)[:, 0].to(torch.float32)
