"""A convolution whose weights lie in memory as oneDNN wants them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PackedConv2d(nn.Module):
    """A convolution that rearranges its weights once, not in every call, and fuses the activation.

    PyTorch's own convolution copies its weights into oneDNN's layout each time it runs, and every
    activation and sum around it is another pass over memory. This one calls the operators with
    which ``torch.compile`` does without that. It computes the same, to rounding, and has no
    gradient. The search branches of the packaged trackers take 1.16 (lite0) and 1.28 (tiny) times
    as long without it.

    Args:
        conv: The layer to compute, float32, on the CPU; see :func:`has_plain_padding`.
        activation: What follows it: None, ``nn.ReLU`` or ``nn.ReLU6``.
        input_size: Shape (N, C, H, W) of the usual input, for which the layout is chosen. Other
            sizes are computed as well.

    Raises:
        TypeError: If the activation is another one.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        activation: nn.Module | None = None,
        input_size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.out_channels = conv.out_channels
        self._activation, self._bounds = _post_operation(activation)
        self._options = (
            list(conv.padding),
            list(conv.stride),
            list(conv.dilation),
            conv.groups,
        )
        # Neither is registered: a layout of oneDNN's can be neither saved nor moved.
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            conv.weight.detach(), *self._options, None if input_size is None else list(input_size)
        )
        self._bias = None if conv.bias is None else conv.bias.detach()

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Convolve and activate.

        Args:
            x: Shape (N, C, H, W).
            shortcut: Added before the activation, of the output's shape. A clipping activation
                cannot follow it.

        Returns:
            Shape (N, C', H', W').
        """
        convolve = torch.ops.mkldnn._convolution_pointwise
        operands = (self._weight, self._bias, *self._options)
        if shortcut is None:
            return convolve(x, *operands, self._activation, self._bounds, '')
        after = None if self._activation == 'none' else self._activation
        return convolve(x, shortcut, *operands, 'add', 1.0, after, self._bounds, '')


def has_packed_convolution() -> bool:
    """Whether this build of PyTorch has what :class:`PackedConv2d` needs."""
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name)
        for name in ('_reorder_convolution_weight', '_convolution_pointwise')
    )


def has_plain_padding(conv: nn.Conv2d) -> bool:
    """Whether a convolution is padded with zeros, by numbers given."""
    return conv.padding_mode == 'zeros' and not isinstance(conv.padding, str)


def _post_operation(activation: nn.Module | None) -> tuple[str, list[float]]:
    """oneDNN's name and numbers of an activation.

    Raises:
        TypeError: If it is not known here.
    """
    if activation is None:
        return 'none', []
    if isinstance(activation, nn.ReLU6):
        return 'hardtanh', [0.0, 6.0]
    if isinstance(activation, nn.ReLU):
        return 'relu', []
    raise TypeError(f'activation must be ReLU, ReLU6 or None, got {type(activation).__name__}')
