"""The correlation in the form that ONNX Runtime computes fast, for any number of targets at once.

ONNX has no convolution whose number of groups follows the batch. Matrix products and slices say the
same, to rounding.
"""

from collections.abc import Sequence

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
        return correlate([encode(search) for encode in encoders], kernels)


def correlate(maps: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
    """Sum of depth-wise correlations as one matrix product, and a sum of its rows, each shifted by a cell.

    Args:
        maps: Search features, shapes (N, C, H_i, W_i).
        kernels: Transposed kernels, shapes (N, C, w_i, h_i), whose responses are equal in size.

    Returns:
        Shape (N, C, H_i - h_i + 1, W_i - w_i + 1), the sum of what :func:`depthwise_xcorr` gives for
        the kernels (N, C, h_i, w_i).
    """
    # As plain numbers these sides cost nothing in the graph; each open one takes several nodes.
    widths, heights = ([int(kernel.size(axis)) for kernel in kernels] for axis in (2, 3))
    channels, kernel_width = int(kernels[0].size(1)), max(widths)
    # A narrow kernel is continued by zeros, and so is its map.
    missing = [kernel_width - width for width in widths]
    maps = [_pad(one, (0, count)) for one, count in zip(maps, missing, strict=True)]
    kernels = [_pad(one, (0, 0, 0, count)) for one, count in zip(kernels, missing, strict=True)]
    joined = torch.cat(maps, 2)
    n, width = joined.size(0), joined.size(3)
    rows = joined.index_select(2, _rows_to_meet(maps, heights))
    product = torch.cat(kernels, 3) @ rows.reshape(n, channels, sum(heights), -1)
    # Row j of the product is to be moved j cells to the left before the rows are added up. Cut
    # into rows that are one longer, its values lie there.
    partial = product.reshape(n, channels, -1)
    sheared = F.pad(partial, (0, kernel_width)).reshape(n, channels, kernel_width, -1)
    total = sheared.sum(2)[..., :-1].reshape(n, channels, -1, width)
    return total[..., : (1 - kernel_width) or None]


def _rows_to_meet(maps: Sequence[Tensor], heights: Sequence[int]) -> Tensor:
    """Rows of the maps, one below the other, that each row of the kernels meets, all at once."""
    positions = torch.arange(maps[0].size(2) + 1 - heights[0])
    first, met = 0, []
    for one, height in zip(maps, heights, strict=True):
        met.append((first + torch.arange(height)[:, None] + positions).flatten())
        first = first + one.size(2)
    return torch.cat(met)


def _pad(maps: Tensor, sides: tuple[int, ...]) -> Tensor:
    return F.pad(maps, sides) if any(sides) else maps
