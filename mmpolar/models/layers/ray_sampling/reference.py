"""Features along the rays of a polar contour."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# Rays along an axis never meet the two sides beside them; a floor instead of a division by zero.
_SMALLEST_COMPONENT = 1e-6


def reach_in_box(ltrb: Tensor, directions: Tensor) -> Tensor:
    """Distance from a location inside a box to the box's border, along each ray.

    Args:
        ltrb: Distances from the location to the four sides in pixels, shape (..., 4), positive.
        directions: Unit directions (cos, sin) of the rays, shape (n, 2).

    Returns:
        Distances in pixels, shape (..., n).
    """
    left, top, right, bottom = (side[..., None] for side in ltrb.unbind(-1))
    cos, sin = directions.unbind(-1)
    along_x = torch.where(cos > 0, right, left) / cos.abs().clamp(min=_SMALLEST_COMPONENT)
    along_y = torch.where(sin > 0, bottom, top) / sin.abs().clamp(min=_SMALLEST_COMPONENT)
    return torch.minimum(along_x, along_y)


def sample_points(features: Tensor, cells: Tensor) -> Tensor:
    """Sample a map at given positions, bilinear, zero outside.

    Args:
        features: Map of shape (N, C, H, W).
        cells: Positions x, y in cells of the map, shape (N, R, M, 2).

    Returns:
        Shape (N, C, R, M), float32.
    """
    size = torch.tensor([features.size(-1), features.size(-2)], device=cells.device)
    grid = 2 * cells.float() / (size - 1).clamp(min=1) - 1
    # Half precision would move the positions: 8 bits tell 128 cells apart, but little in between.
    return F.grid_sample(features.float(), grid, padding_mode='zeros', align_corners=True)
