"""Polar IoU loss between predicted and true radii."""

import torch
from mmdet.models.losses import weight_reduce_loss
from torch import Tensor, nn

from mmpolar.registry import MODELS
from mmpolar.structures.polar import MIN_RADIUS


@MODELS.register_module()
class PolarIoULoss(nn.Module):
    """``log(sum_i max(d_i, p_i) / sum_i min(d_i, p_i))`` over the n rays of a location.

    The loss of PolarMask (Xie et al., CVPR 2020, eq. 9): zero for equal radii, and unchanged when
    prediction and target are scaled alike. With ``squared=True`` the radii are squared first; the
    ratio is then that of the areas of the two star shapes, union to intersection.

    The loss is evaluated in at least float32 whatever the type of the input, and it is finite, with
    finite gradients, for every finite non-negative input.

    Args:
        squared: Whether to square the radii first.
        reduction: ``'none'``, ``'mean'`` or ``'sum'`` over the locations.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If ``reduction`` is none of the three.
    """

    def __init__(
        self, squared: bool = False, reduction: str = 'mean', loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        _check_reduction(reduction)
        self.squared = squared
        self.reduction = reduction
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: Predicted radii in pixels, shape (P, n), not negative.
            target: True radii in pixels, shape (P, n), not negative.
            weight: Weight of each location, shape (P,).
            avg_factor: What the sum over locations is divided by, instead of their number.
            reduction_override: Replaces ``reduction``.

        Returns:
            A scalar, or shape (P,) with reduction ``'none'``.

        Raises:
            ValueError: If the shapes differ or the reduction is unknown.
        """
        if pred.shape != target.shape:
            raise ValueError(
                f'predicted and true radii differ in shape: {tuple(pred.shape)} and '
                f'{tuple(target.shape)}'
            )
        reduction = reduction_override or self.reduction
        _check_reduction(reduction)
        loss = polar_iou_loss(pred, target, self.squared)
        return self.loss_weight * weight_reduce_loss(loss, weight, reduction, avg_factor)


def polar_iou_loss(pred: Tensor, target: Tensor, squared: bool = False) -> Tensor:
    """The loss of each location.

    Args:
        pred: Predicted radii in pixels, shape (..., n).
        target: True radii in pixels, shape (..., n).
        squared: Whether to square the radii first.

    Returns:
        Losses of shape (...), not negative, in at least float32.
    """
    dtype = torch.promote_types(torch.promote_types(pred.dtype, target.dtype), torch.float32)
    # Shorter radii count as this long, which bounds the gradient at 1 / MIN_RADIUS.
    pred = pred.to(dtype).clamp(min=MIN_RADIUS)
    target = target.to(dtype).clamp(min=MIN_RADIUS)
    longer, shorter = torch.maximum(pred, target), torch.minimum(pred, target)
    # The ratio does not depend on the unit of length; this one keeps the sums from overflowing.
    unit = longer.detach().amax(dim=-1, keepdim=True)
    longer, shorter = longer / unit, shorter / unit
    if squared:
        longer, shorter = longer.square(), shorter.square()
    floor = torch.finfo(dtype).tiny
    return longer.sum(-1).log() - shorter.sum(-1).clamp(min=floor).log()


def _check_reduction(reduction: str) -> None:
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
