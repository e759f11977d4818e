"""Bilinear sampling of a map as a weighted sum of four rows of channels."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


class BilinearRows(NamedTuple):
    """Which rows to add up for each position.

    Attributes:
        pixels: The map with a border of zeros, a row of channels a cell, shape (R, C).
        rows: Numbers of the four neighbours' rows, each of shape (N * M,).
        weights: Their weights, each of shape (N * M,); they add up to 1.
    """

    pixels: Tensor
    rows: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]


def bilinear_rows(x: Tensor, y_pos: Tensor, x_pos: Tensor) -> BilinearRows:
    """Where to find what a map has at given positions, bilinear, zero outside.

    Args:
        x: Map, shape (N, C, H, W).
        y_pos: Rows, shape (N, M), in cells.
        x_pos: Columns, shape (N, M), in cells.
    """
    n, channels, height, width = x.shape
    # With a border of zeros, a position outside is moved onto it and its four neighbours all exist.
    pitch = width + 2
    pixels = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, channels)
    y_pos, x_pos = y_pos.clamp(-1, height), x_pos.clamp(-1, width)
    top, left = y_pos.floor().clamp(max=height - 1), x_pos.floor().clamp(max=width - 1)
    below, right = (y_pos - top).reshape(-1), (x_pos - left).reshape(-1)
    first = ((top + 1) * pitch + left + 1).long()
    first = (first + torch.arange(n)[:, None] * (height + 2) * pitch).reshape(-1)
    return BilinearRows(
        pixels,
        rows=(first, first + 1, first + pitch, first + pitch + 1),
        weights=(
            (1 - below) * (1 - right),
            (1 - below) * right,
            below * (1 - right),
            below * right,
        ),
    )


def sample_rows(x: Tensor, y_pos: Tensor, x_pos: Tensor) -> Tensor:
    """Sample all channels of a map at given positions, bilinear, zero outside.

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
