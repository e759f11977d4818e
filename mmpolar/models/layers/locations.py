"""Reads maps at some of their locations."""

import torch
from torch import Tensor


def pick_coordinates(locations: tuple[Tensor, Tensor], chosen: Tensor) -> Tensor:
    """Where some locations lie.

    Args:
        locations: x of shape (S,) and y of shape (S, 1) in pixels of the search crop.
        chosen: Locations counted row by row, shape (N, P).

    Returns:
        x, y in pixels of the search crop, shape (N, P, 2).
    """
    x, y = locations
    size = x.size(0)  # len() would become a constant of an exported graph
    return torch.stack([x[chosen % size], y[chosen // size, 0]], -1)


def pick_locations(maps: Tensor, chosen: Tensor) -> Tensor:
    """Values of maps at some locations.

    Args:
        maps: Shape (N, C, S, S).
        chosen: Locations counted row by row, shape (N, P).

    Returns:
        Shape (N, P, C).
    """
    flat = maps.flatten(2)
    return flat.gather(2, chosen[:, None].expand(-1, flat.size(1), -1)).transpose(1, 2)


def cut_windows(maps: Tensor, chosen: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Windows of maps around some locations.

    Args:
        maps: Shape (N, C, S, S).
        chosen: Locations counted row by row, shape (N, P).
        reach: Cells r to each side.

    Returns:
        Windows, shape (N * P, C, 2 r + 1, 2 r + 1), in which cells outside of the map repeat its
        border; and which cells are inside, shape (N * P, 1, 2 r + 1, 2 r + 1), 1 or 0.
    """
    size, side = maps.size(-1), 2 * reach + 1
    steps = torch.arange(-reach, reach + 1, device=maps.device)
    rows = (chosen // size)[..., None, None] + steps[:, None]
    cols = (chosen % size)[..., None, None] + steps
    is_inside = (rows >= 0) & (rows < size) & (cols >= 0) & (cols < size)
    cells = rows.clamp(0, size - 1) * size + cols.clamp(0, size - 1)
    windows = pick_locations(maps, cells.flatten(1)).reshape(-1, side, side, maps.size(1))
    return windows.permute(0, 3, 1, 2), is_inside.reshape(-1, 1, side, side).to(maps)
