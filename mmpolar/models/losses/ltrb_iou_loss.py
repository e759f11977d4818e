"""IoU loss between boxes given as distances from one location."""

from mmdet.models.losses import weight_reduce_loss
from torch import Tensor, nn, stack

from mmpolar.registry import MODELS


@MODELS.register_module()
class LTRBIoULoss(nn.Module):
    """``-log((intersection + 1) / (union + 1))`` of boxes that share a location.

    The box loss of Ocean's published code (Zhang et al., ECCV 2020, eq. 2). mmdet's IoU losses
    take boxes and lack the added 1, which bounds the loss of tiny boxes.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'`` over the locations.
        loss_weight: Factor on the result; 1.2 in the published code.
    """

    def __init__(self, reduction: str = 'mean', loss_weight: float = 1.2) -> None:
        super().__init__()
        self.reduction = reduction
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: Predicted l, t, r, b in pixels, shape (P, 4), positive.
            target: True l, t, r, b in pixels, shape (P, 4), positive.
            weight: Weight of each location, shape (P,).
            avg_factor: What the sum over locations is divided by, instead of their number.

        Returns:
            A scalar, or shape (P,) with reduction ``'none'``.
        """
        loss = -ltrb_iou(pred, target).log()
        return self.loss_weight * weight_reduce_loss(loss, weight, self.reduction, avg_factor)


def ltrb_iou(pred: Tensor, target: Tensor) -> Tensor:
    """IoU, with 1 square pixel added to both areas, of boxes that share a location.

    Args:
        pred: l, t, r, b in pixels, shape (..., 4), positive.
        target: l, t, r, b in pixels, shape (..., 4), positive where the result matters.

    Returns:
        Shape (...), in (0, 1] where the target is positive.
    """

    def area(ltrb: Tensor) -> Tensor:
        left, top, right, bottom = ltrb.unbind(-1)
        return (left + right) * (top + bottom)

    intersection = area(stack([pred, target]).amin(0))
    union = area(pred) + area(target) - intersection
    return (intersection + 1.0) / (union + 1.0)
