"""A 3x3 convolution whose taps are spread over a box, in plain PyTorch."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

KERNEL_SIZE = 3


class AlignedConv(nn.Module):
    """3x3 convolution, without bias, that samples its nine taps at given offsets.

    The same operation as ``mmcv.ops.DeformConv2d`` with padding 1, which needs a compiled
    extension and has no ONNX form; this one is differentiable in input, offsets and weight, and
    runs wherever ``grid_sample`` does.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, KERNEL_SIZE, KERNEL_SIZE))
        nn.init.kaiming_uniform_(self.weight, nonlinearity='relu')

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Convolve.

        Args:
            x: Input, shape (N, C, H, W).
            offset: Offsets of the taps from their regular positions in cells of the feature map,
                shape (N, 18, H, W), in the order y0, x0, y1, x1, ... of the taps row by row.

        Returns:
            Shape (N, C', H, W). Samples outside of the input are zero.

        Raises:
            ValueError: If the offsets do not fit the input.
        """
        n, channels, height, width = x.shape
        taps = KERNEL_SIZE**2
        if offset.shape != (n, 2 * taps, height, width):
            raise ValueError(
                f'offsets for an input of shape {tuple(x.shape)} must have shape '
                f'{(n, 2 * taps, height, width)}, got {tuple(offset.shape)}'
            )
        # One row of the sampling grid for each location, one column for each tap.
        y, x_pos = self.positions(offset)
        grid = torch.stack([2 * x_pos / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
        grid = grid.permute(0, 2, 3, 1, 4).reshape(n, height * width, taps, 2)
        # Half precision would move the taps: 8 bits tell 25 cells apart, but little in between.
        sampled = F.grid_sample(
            x.float(), grid.float(), padding_mode='zeros', align_corners=True
        ).to(x.dtype)
        columns = sampled.permute(0, 1, 3, 2).reshape(n, channels * taps, height * width)
        return (self.weight.flatten(1) @ columns).reshape(n, -1, height, width)

    @staticmethod
    def positions(offset: Tensor) -> tuple[Tensor, Tensor]:
        """Where the taps lie: rows and columns, each of shape (N, 9, H, W), in cells."""
        n, _, height, width = offset.shape
        step_y, step_x = tap_steps(offset)
        rows = torch.arange(height, device=offset.device, dtype=offset.dtype)
        cols = torch.arange(width, device=offset.device, dtype=offset.dtype)
        offset = offset.reshape(n, KERNEL_SIZE**2, 2, height, width)
        y = offset[:, :, 0] + step_y[:, None, None] + rows[:, None]
        x = offset[:, :, 1] + step_x[:, None, None] + cols
        return y, x


def tap_steps(like: Tensor) -> tuple[Tensor, Tensor]:
    """Regular positions of the nine taps around their centre, row by row.

    Returns:
        Steps down and to the right, each of shape (9,), in {-1, 0, 1}, on the device and of the
        type of ``like``.
    """
    steps = torch.arange(KERNEL_SIZE, device=like.device, dtype=like.dtype) - KERNEL_SIZE // 2
    return steps.repeat_interleave(KERNEL_SIZE), steps.repeat(KERNEL_SIZE)


def box_offsets(boxes: Tensor, stride: int, search_size: int) -> Tensor:
    """Offsets that spread the taps of :class:`AlignedConv` evenly over a box at each location.

    Ocean, eq. 3, with the details of its published code: the box is one pixel wider and higher
    than its corners say, and the origin lies at half the size of the search crop.

    Args:
        boxes: Boxes in pixels of the search crop, shape (N, 4, S, S), xyxy.
        stride: Pixels between two locations.
        search_size: Side of the search crop in pixels.

    Returns:
        Offsets in cells, shape (N, 18, S, S).
    """
    n, _, height, width = boxes.shape
    x1, y1, x2, y2 = boxes.unbind(1)
    rows = torch.arange(height, device=boxes.device, dtype=boxes.dtype)[:, None]
    cols = torch.arange(width, device=boxes.device, dtype=boxes.dtype)
    center_y = ((y1 + y2) / 2 - search_size / 2) / stride + height // 2 - rows
    center_x = ((x1 + x2) / 2 - search_size / 2) / stride + width // 2 - cols
    # A regular tap lies one cell off the centre, an aligned one half the box.
    stretch_y = (y2 - y1 + 1) / stride / (KERNEL_SIZE - 1) - 1
    stretch_x = (x2 - x1 + 1) / stride / (KERNEL_SIZE - 1) - 1
    step_y, step_x = (step[:, None, None] for step in tap_steps(boxes))
    offset_y = center_y[:, None] + stretch_y[:, None] * step_y
    offset_x = center_x[:, None] + stretch_x[:, None] * step_x
    return torch.stack([offset_y, offset_x], 2).reshape(n, -1, height, width)
