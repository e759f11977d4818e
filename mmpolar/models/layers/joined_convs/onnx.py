"""The joined convolutions in the form that ONNX Runtime computes fast.

ONNX Runtime convolves in blocks of channels where a map has a multiple of four of them, and computes
the joined map, of an odd number, more slowly. A sum of convolutions, one for each map, says the same,
to rounding, and nothing is copied to join the maps.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmpolar.models.layers.joined_convs.reference import JoinedConvs


class OnnxJoinedConvs(nn.Module):
    """:class:`JoinedConvs` whose first convolution is a sum over the maps.

    Args:
        layer: The layer to compute, with batch norm folded in.
    """

    def __init__(self, layer: JoinedConvs) -> None:
        super().__init__()
        first, self.second = layer
        self.activate = first.activate
        parts = first.conv.weight.split(layer.in_channels, 1)
        self.first = nn.ModuleList(_conv(weight) for weight in parts)
        self.first[0].bias = first.conv.bias

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Convolve, as :meth:`JoinedConvs.forward` does."""
        first, *others = (conv(one) for conv, one in zip(self.first, maps, strict=True))
        return self.second(self.activate(sum(others, first)))


def _conv(weight: Tensor) -> nn.Conv2d:
    """A 3x3 convolution with these weights (C', C, 3, 3) and no bias."""
    conv = nn.Conv2d(weight.size(1), weight.size(0), 3, padding=1, bias=False)
    conv.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    return conv
