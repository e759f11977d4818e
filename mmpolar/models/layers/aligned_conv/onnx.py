"""The aligned convolution in the form that ONNX Runtime computes fast.

ONNX Runtime's ``GridSample`` takes longer on a CPU for the nine taps than the whole backbone. Row
gathers and a matrix product say the same, to rounding.
"""

from torch import Tensor

from mmpolar.models.layers.aligned_conv.reference import KERNEL_SIZE, AlignedConv
from mmpolar.models.layers.bilinear_rows import sample_rows


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
        y_pos, x_pos = (axis.permute(0, 2, 3, 1).reshape(n, -1) for axis in self.positions(offset))
        columns = sample_rows(x, y_pos, x_pos).reshape(-1, KERNEL_SIZE**2 * channels)
        weight = self.weight.permute(2, 3, 1, 0).reshape(KERNEL_SIZE**2 * channels, -1)
        return (columns @ weight).reshape(n, height, width, -1).permute(0, 3, 1, 2)
