"""3x3 convolutions with fewer multiplications: Winograd's minimal filtering."""

import math
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmpolar.models.layers.conv.packed import has_plain_padding

KERNEL_SIZE = 3
#: Sides of an output tile that there are: 2.25, 3.24 and 4 times fewer multiplications.
TILES = (2, 3, 4)
# Where the polynomials are evaluated, besides at infinity: of small numbers these lose few digits
# (Barabasz et al., ACM TOMS 2020, "Error Analysis and Improving the Accuracy of Winograd
# Convolution for Deep Neural Networks").
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
_POINT_ONE = _POINTS.index(1.0)
# Costs in multiplications of the matrix products: of transforming one value of a tile; of a
# product's weights, as rows; and of one multiplication in a direct convolution. Fitted to the
# layers of ResNet-50 and of Ocean's head on a processor with AVX-512.
_TRANSFORM_COST = 120
_LEAST_ROWS = 72
_DIRECT_COST = 1 / 1.2
# Direct sums round less and take less memory: what is hardly cheaper is not worth it.
_WORTHWHILE = 0.9


class WinogradMatrices(NamedTuple):
    """Transforms of Winograd's algorithm along one axis.

    The convolution of a signal d with a filter g is ``output @ ((weight @ g) * (input @ d))``.

    Attributes:
        output: Shape (m, m + 2).
        weight: Shape (m + 2, 3).
        input: Shape (m + 2, m + 2).
    """

    output: NDArray[np.float64]
    weight: NDArray[np.float64]
    input: NDArray[np.float64]


class Workspace(threading.local):
    """Memory for intermediate values that layers, one after the other, use again and again.

    New memory for every value would push what is needed next out of the caches. Each thread that
    runs the layers has memory of its own.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, Tensor] = {}

    def take(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """Memory of a shape, with anything in it, of the type of another tensor and beside it.

        It is given away again with the next call that asks for the same name.
        """
        size = math.prod(shape)
        block = self._blocks.get(name)
        if (
            block is None
            or block.numel() < size
            or (block.dtype, block.device) != (like.dtype, like.device)
        ):
            block = self._blocks[name] = like.new_empty(size)
        return block[:size].view(shape)


class WinogradConv2d(nn.Module):
    """A 3x3 convolution with stride 1 by Winograd's algorithm F(m x m, 3 x 3).

    The input is cut into overlapping tiles of (m + 2) x (m + 2) cells. Tiles and filters are
    transformed so that the convolution becomes a product cell by cell, and its sum over the input
    channels a matrix product for each of the (m + 2)^2 cells (Lavin and Gray, CVPR 2016, "Fast
    Algorithms for Convolutional Neural Networks", section 4). With a dilation, the map is dealt
    out to as many smaller ones, its phases, which are convolved without. Results differ from the
    direct sum by rounding. There is no gradient. It is there for the ResNet-50 tracker
    (``ocean-polar_r50_natural``), whose search branch takes 1.26 times as long with
    :class:`PackedConv2d` alone; :func:`cheapest_tile` chooses it for no layer of the packaged ones.

    Args:
        conv: The layer to compute, see :func:`fits_winograd`.
        tile: Side m of an output tile, from ``TILES``. Large ones multiply less and round more.
        activation: What follows the convolution: None, ``nn.ReLU`` or ``nn.ReLU6``.
        workspace: Memory shared with other layers; by default the layer has its own.

    Attributes:
        product: The matrix products as a 1x1 convolution with (m + 2)^2 groups; it may be replaced
            by a faster one.

    Raises:
        ValueError: If the convolution or the tile does not fit.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        tile: int,
        activation: nn.Module | None = None,
        workspace: Workspace | None = None,
    ) -> None:
        super().__init__()
        if not fits_winograd(conv):
            raise ValueError(f'needs a 3x3 convolution with stride 1 and one group, got {conv}')
        if tile not in TILES:
            raise ValueError(f'tile must be one of {TILES}, got {tile}')
        self.tile = tile
        self.padding, self.dilation = conv.padding, conv.dilation
        self.out_channels = conv.out_channels
        self.activation = activation
        self.workspace = workspace or Workspace()
        matrices = winograd_matrices(tile)
        for name in ('input', 'output'):
            matrix = torch.from_numpy(getattr(matrices, name)).to(conv.weight)
            self.register_buffer(f'{name}_matrix', matrix, persistent=False)
        self.product = _product(conv, torch.from_numpy(matrices.weight))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Convolve and activate.

        Args:
            x: Shape (N, C, H, W).

        Returns:
            Shape (N, C', H + 2 p - 2 d, W + 2 p - 2 d), channels last.
        """
        layout = self._layout(x.shape)
        tiles = self._transform_input(self._deal_out(x, layout), layout)
        # A tile is a pixel, and the channels of one of its cells are a group.
        rows = tiles.reshape(1, layout.tiles, 1, -1).permute(0, 3, 1, 2)
        products = self.product(rows).permute(0, 2, 3, 1)
        return self._join(self._transform_output(products, layout), layout)

    def product_size(self, input_size: Sequence[int]) -> tuple[int, int, int, int]:
        """Input shape of :attr:`product` for an input of shape (N, C, H, W)."""
        return 1, self.product.in_channels, self._layout(input_size).tiles, 1

    def _layout(self, input_size: Sequence[int]) -> '_Layout':
        return _Layout.of(input_size, self.padding, self.dilation, self.tile)

    def _deal_out(self, x: Tensor, layout: '_Layout') -> Tensor:
        """The padded phases of a map (N, C, H, W): shape (N, d, d', H', W', C)."""
        n, channels, *_ = x.shape
        sides = (side * self.tile + KERNEL_SIZE - 1 for side in (layout.rows, layout.columns))
        phases = self.workspace.take('even', (n, *self.dilation, *sides, channels), like=x).zero_()
        x = x.permute(0, 2, 3, 1)
        for down in range(self.dilation[0]):
            for right in range(self.dilation[1]):
                first = [
                    (phase - pad) % step
                    for phase, pad, step in zip(
                        (down, right), self.padding, self.dilation, strict=True
                    )
                ]
                part = x[:, first[0] :: self.dilation[0], first[1] :: self.dilation[1]]
                top, left = (
                    (start + pad) // step
                    for start, pad, step in zip(first, self.padding, self.dilation, strict=True)
                )
                height, width = part.shape[1:3]
                phases[:, down, right, top : top + height, left : left + width] = part
        return phases

    def _transform_input(self, phases: Tensor, layout: '_Layout') -> Tensor:
        """Transformed tiles, column by column: (columns, N * phases * rows, m + 2, m + 2, C)."""
        side, channels = len(self.input_matrix), phases.size(-1)
        phases = phases.flatten(0, 2)
        count, _, width, _ = phases.shape
        rows = self.workspace.take('odd', (count, layout.rows, side, width * channels), phases)
        for phase, row in zip(phases, rows, strict=True):
            bands = phase.flatten(1).unfold(0, side, self.tile).transpose(1, 2)
            _transform(self.input_matrix, bands, row)
        rows = rows.view(-1, width, channels)
        shape = (layout.columns, len(rows), side, channels)
        tiles = self.workspace.take('even', shape, like=rows)
        for column, tile in enumerate(tiles):
            first = column * self.tile
            _transform(self.input_matrix, rows[:, first : first + side], tile)
        return tiles

    def _transform_output(self, products: Tensor, layout: '_Layout') -> Tensor:
        """Output tiles (tiles * m, m, C') of products (..., (m + 2)^2 C')."""
        side, channels = len(self.input_matrix), self.out_channels
        shape = (layout.tiles, self.tile, side * channels)
        rows = self.workspace.take('odd', shape, like=products)
        _transform(self.output_matrix, products.reshape(-1, side, side * channels), rows)
        shape = (layout.tiles * self.tile, self.tile, channels)
        tiles = self.workspace.take('even', shape, like=products)
        _transform(self.output_matrix, rows.view(-1, side, channels), tiles)
        return tiles

    def _join(self, tiles: Tensor, layout: '_Layout') -> Tensor:
        """The map (N, C', H', W') of output tiles, activated."""
        down, right = self.dilation
        tiles = tiles.view(
            layout.columns, -1, down, right, layout.rows, *[self.tile] * 2, tiles.size(-1)
        )
        joined = _activate(tiles.permute(1, 4, 5, 2, 0, 6, 3, 7), self.activation)
        height, width = layout.rows * self.tile * down, layout.columns * self.tile * right
        joined = joined.view(-1, height, width, self.out_channels)
        return joined[:, : layout.height, : layout.width].permute(0, 3, 1, 2)


class _Layout(NamedTuple):
    """How an output map is made of tiles.

    Attributes:
        height: Rows of the map.
        width: Columns of the map.
        maps: Phases of all maps of the batch.
        rows: Rows of tiles in a phase.
        columns: Columns of tiles in a phase.
    """

    height: int
    width: int
    maps: int
    rows: int
    columns: int

    @property
    def tiles(self) -> int:
        """Number of all tiles."""
        return self.maps * self.rows * self.columns

    @classmethod
    def of(
        cls, input_size: Sequence[int], padding: Sequence[int], dilation: Sequence[int], tile: int
    ) -> '_Layout':
        """Layout of the output for an input of shape (N, C, H, W)."""
        n, _, *sides = input_size
        size = [
            side + 2 * pad - (KERNEL_SIZE - 1) * step
            for side, pad, step in zip(sides, padding, dilation, strict=True)
        ]
        counts = [
            _ceil_divide(_ceil_divide(side, step), tile)
            for side, step in zip(size, dilation, strict=True)
        ]
        return cls(*size, n * math.prod(dilation), *counts)


def fits_winograd(conv: nn.Conv2d) -> bool:
    """Whether a convolution is 3x3 and dense, with stride 1 and zeros as padding."""
    return (
        conv.kernel_size == (KERNEL_SIZE, KERNEL_SIZE)
        and conv.stride == (1, 1)
        and conv.groups == 1
        and has_plain_padding(conv)
    )


def cheapest_tile(conv: nn.Conv2d, input_size: Sequence[int]) -> int | None:
    """Side of the output tiles with which a convolution is cheapest.

    A rule, not a measurement, so that a model rounds alike each time that it is loaded.

    Args:
        conv: The convolution.
        input_size: Shape (N, C, H, W) of its usual input.

    Returns:
        One of ``TILES``, or None if the direct sum is cheaper, or nearly so.
    """
    if not fits_winograd(conv):
        return None
    channels = conv.in_channels + conv.out_channels
    multiplications = conv.in_channels * conv.out_channels
    costs = {}
    for tile in TILES:
        layout = _Layout.of(input_size, conv.padding, conv.dilation, tile)
        products = max(layout.tiles, _LEAST_ROWS) * multiplications
        transforms = _TRANSFORM_COST * layout.tiles * channels
        costs[tile] = (tile + KERNEL_SIZE - 1) ** 2 * (products + transforms)
    cells = input_size[0] * layout.height * layout.width
    direct = _DIRECT_COST * KERNEL_SIZE**2 * cells * multiplications
    best = min(costs, key=costs.get)
    return best if costs[best] < _WORTHWHILE * direct else None


@lru_cache(maxsize=len(TILES))
def winograd_matrices(tile: int) -> WinogradMatrices:
    """Transforms for tiles of m outputs and filters of three taps, after Toom and Cook.

    Filter and signal are polynomials that the matrices evaluate at m + 1 points and at infinity,
    where values are multiplied; what interpolates the product, transposed, is the transform of the
    signal, since a network's filter slides over the signal and does not spread it (Lavin and Gray,
    section 4.1).
    """
    points = np.array(_POINTS[: tile + 1])
    others = [np.delete(points, index) for index in range(len(points))]
    scales = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    output, weight = (np.vander(points, taps, increasing=True) for taps in (tile, KERNEL_SIZE))
    data = [np.poly(rest)[::-1] for rest in others]
    return WinogradMatrices(
        output=np.vstack([output, np.eye(tile)[-1]]).T,
        weight=np.vstack([weight / scales[:, None], np.eye(KERNEL_SIZE)[-1]]),
        input=np.vstack([np.pad(data, ((0, 0), (0, 1))), np.poly(points)[::-1]]),
    )


@torch.no_grad()
def _product(conv: nn.Conv2d, matrix: Tensor) -> nn.Conv2d:
    """The products of all cells of a tile as a grouped 1x1 convolution."""
    cells = len(matrix) ** 2
    product = nn.utils.skip_init(
        nn.Conv2d,
        cells * conv.in_channels,
        cells * conv.out_channels,
        1,
        groups=cells,
        bias=conv.bias is not None,
        dtype=conv.weight.dtype,
    ).requires_grad_(False)
    weight = torch.einsum('ai,kcij,bj->abkc', matrix, conv.weight.double(), matrix)
    product.weight.copy_(weight.reshape(product.weight.shape))
    if conv.bias is not None:
        # What is added at the point 1 the output transform adds, as 1^i = 1, to every output.
        bias = torch.zeros(len(matrix), len(matrix), conv.out_channels)
        bias[_POINT_ONE, _POINT_ONE] = conv.bias
        product.bias.copy_(bias.flatten())
    return product


def _transform(matrix: Tensor, values: Tensor, out: Tensor) -> None:
    """Multiply a matrix (r, s) with each of values (B, s, K): (B, r, K)."""
    torch.bmm(matrix.expand(len(values), -1, -1), values, out=out)


def _activate(x: Tensor, activation: nn.Module | None) -> Tensor:
    """Activate a permuted map and lay it out again, in one pass."""
    out = x.new_empty(x.shape)
    if activation is None:
        return out.copy_(x)
    highest = activation.max_val if isinstance(activation, nn.ReLU6) else None
    return torch.clamp(x, min=0.0, max=highest, out=out)


def _ceil_divide(number: int, divisor: int) -> int:
    return -(-number // divisor)
