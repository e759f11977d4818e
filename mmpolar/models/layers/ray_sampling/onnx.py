"""Ray sampling in the form that ONNX Runtime computes fast: its ``GridSample`` is slow on a CPU."""

from torch import Tensor

from mmpolar.models.layers.bilinear_rows import sample_rows


def onnx_sample_points(features: Tensor, cells: Tensor) -> Tensor:
    """What :func:`~mmpolar.models.layers.ray_sampling.sample_points` gives, by gathering rows.

    Args:
        features: Map of shape (N, C, H, W).
        cells: Positions x, y in cells of the map, shape (N, R, M, 2).

    Returns:
        Shape (N, C, R, M).
    """
    n, rays, samples, _ = cells.shape
    x_pos, y_pos = cells.flatten(1, 2).unbind(-1)
    rows = sample_rows(features, y_pos, x_pos)
    return rows.reshape(n, rays, samples, -1).permute(0, 3, 1, 2)
