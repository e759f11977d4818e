"""Layers in the form that ONNX Runtime computes fast, for any number of targets at once.

ONNX has neither a convolution whose number of groups follows the batch, nor, on a CPU, a fast
``GridSample`` (ONNX Runtime's takes longer for the nine taps of Ocean's aligned branch than the
whole backbone). Matrix products, slices and row gathers say the same, to rounding.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mmpolar.models.layers import AlignedConv, FeatureCombination, bilinear_rows
from mmpolar.models.layers.aligned_conv import KERNEL_SIZE


def correlate(search: Tensor, kernel: Tensor) -> Tensor:
    """Depth-wise correlation as one matrix product, and a sum of its rows, each shifted by one cell.

    Args:
        search: Search features, shape (N, C, H, W).
        kernel: Transposed kernels, shape (N, C, w, h).

    Returns:
        Shape (N, C, H - h + 1, W - w + 1), what
        :func:`mmpolar.models.layers.depthwise_xcorr` gives for the kernels (N, C, h, w).
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


def sample_rows(x: Tensor, y_pos: Tensor, x_pos: Tensor) -> Tensor:
    """Sample all channels of a map at given places, bilinear, zero outside.

    Args:
        x: Map, shape (N, C, H, W).
        y_pos: Rows, shape (N, M), in cells.
        x_pos: Columns, shape (N, M), in cells.

    Returns:
        Shape (N * M, C).
    """
    pixels, rows, weights = bilinear_rows(x, y_pos, x_pos)
    return sum(
        pixels.index_select(0, row) * weight[:, None]
        for row, weight in zip(rows, weights, strict=True)
    )


def sample_points(features: Tensor, cells: Tensor) -> Tensor:
    """What :func:`mmpolar.models.layers.ray_sampling.sample_points` gives, by gathering rows.

    Args:
        features: Map of shape (N, C, H, W).
        cells: Places x, y in cells of the map, shape (N, R, M, 2).

    Returns:
        Shape (N, C, R, M).
    """
    n, rays, samples, _ = cells.shape
    x_pos, y_pos = cells.flatten(1, 2).unbind(-1)
    rows = sample_rows(features, y_pos, x_pos)
    return rows.reshape(n, rays, samples, -1).permute(0, 3, 1, 2)


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


class OnnxAlignedConv(AlignedConv):
    """An :class:`AlignedConv` that gathers whole rows of channels.

    Args:
        conv: The layer to compute.
    """

    def __init__(self, conv: AlignedConv) -> None:
        super().__init__(conv.weight.size(1), conv.weight.size(0))
        self.weight = conv.weight

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Convolve, as :meth:`AlignedConv.forward` does."""
        n, channels, height, width = x.shape
        y_pos, x_pos = (
            place.permute(0, 2, 3, 1).reshape(n, -1) for place in self.positions(offset)
        )
        columns = sample_rows(x, y_pos, x_pos).reshape(-1, KERNEL_SIZE**2 * channels)
        weight = self.weight.permute(2, 3, 1, 0).reshape(KERNEL_SIZE**2 * channels, -1)
        return (columns @ weight).reshape(n, height, width, -1).permute(0, 3, 1, 2)
