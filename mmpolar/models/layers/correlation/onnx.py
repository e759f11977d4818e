"""The correlation in the form that ONNX Runtime computes fast, for any number of targets at once.

ONNX has no convolution whose number of groups follows the batch. Matrix products and slices say the
same, to rounding.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmpolar.models.layers.correlation.reference import FeatureCombination


class OnnxCombination(nn.Module):
    """A :class:`FeatureCombination` whose kernels are stored ready for :func:`correlate`.

    Args:
        combination: The layer to compute, with batch norm folded in or not.
    """

    def __init__(self, combination: FeatureCombination) -> None:
        super().__init__()
        self.combination = combination

    def encode_template(self, template: Tensor) -> tuple[Tensor, ...]:
        """Kernels of a template (N, C, h, w): transposed, and weighted by their branch's share."""
        shares = self.combination.weight.softmax(0)
        kernels = self.combination.encode_template(template)
        return tuple(
            share * kernel.transpose(2, 3) for share, kernel in zip(shares, kernels, strict=True)
        )

    def forward(self, kernels: tuple[Tensor, ...], search: Tensor) -> Tensor:
        """Correlate search features (N, C, H, W) with the kernels of :meth:`encode_template`."""
        encoders = self.combination.search_encoders
        return sum(
            correlate(encode(search), kernel)
            for encode, kernel in zip(encoders, kernels, strict=True)
        )


def correlate(search: Tensor, kernel: Tensor) -> Tensor:
    """Depth-wise correlation as one matrix product, and a sum of its rows, each shifted by one cell.

    Args:
        search: Search features, shape (N, C, H, W).
        kernel: Transposed kernels, shape (N, C, w, h).

    Returns:
        Shape (N, C, H - h + 1, W - w + 1), what
        :func:`depthwise_xcorr` gives for the kernels (N, C, h, w).
    """
    # As plain numbers these sides cost nothing in the graph; each open one takes several nodes.
    channels, kernel_width, kernel_height = (int(size) for size in kernel.shape[1:])
    n, _, height, width = search.shape
    # The rows of the map that each row of the kernel meets, all of them gathered at once.
    met = torch.arange(kernel_height)[:, None] + torch.arange(height + 1 - kernel_height)
    rows = search.index_select(2, met.flatten()).reshape(n, channels, kernel_height, -1)
    partial = (kernel @ rows).reshape(n, channels, -1)
    # Row j of the product is to be moved j cells to the left before the rows are added up. Cut
    # into rows that are one longer, its values lie there.
    sheared = F.pad(partial, (0, kernel_width)).reshape(n, channels, kernel_width, -1)
    total = sheared.sum(2)[..., :-1].reshape(n, channels, -1, width)
    return total[..., : (1 - kernel_width) or None]
