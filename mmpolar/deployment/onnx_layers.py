"""Layers in the form that ONNX Runtime computes fast, for any number of targets at once.

ONNX has neither a convolution whose number of groups follows the batch, nor, on a CPU, a fast
``GridSample`` (ONNX Runtime's takes longer for the nine taps of Ocean's aligned branch than the
whole backbone). Matrix products, slices and row gathers say the same, to rounding.
"""

import torch
from torch import Tensor, nn

from mmpolar.models.layers import AlignedConv, FeatureCombination, bilinear_rows
from mmpolar.models.layers.aligned_conv import KERNEL_SIZE


def correlate(search: Tensor, kernel: Tensor) -> Tensor:
    """Depth-wise correlation as one matrix product, and shifts of its result.

    Args:
        search: Search features, shape (N, C, H, W).
        kernel: Transposed kernels, shape (N, C, w, h).

    Returns:
        Shape (N, C, H - h + 1, W - w + 1), what
        :func:`mmpolar.models.layers.depthwise_xcorr` gives for the kernels (N, C, h, w).
    """
    n, channels, height, width = search.shape
    kernel_width, kernel_height = kernel.shape[2:]
    out_height, out_width = height - kernel_height + 1, width - kernel_width + 1
    flat = search.flatten(2)
    # A shift by a row is a slice of the flat map: (N, C, h, (H - h + 1) * W).
    rows = torch.stack(
        [flat[..., i * width : (i + out_height) * width] for i in range(kernel_height)], 2
    )
    partial = (kernel @ rows).reshape(n, channels, kernel_width, out_height, width)
    return sum(partial[:, :, j, :, j : j + out_width] for j in range(kernel_width))


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
