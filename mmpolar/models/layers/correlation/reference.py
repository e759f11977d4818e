"""Ocean's feature combination: three dilated encodings, correlated depth-wise and summed.

On a CPU PyTorch runs this form as it is.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from mmpolar.models.layers.conv_block import conv_block

# Dilations (height, width) of the three parallel branches: the first keeps the shape, the others
# take in twice the height or twice the width (Ocean, section 3.1).
DILATIONS = ((1, 1), (2, 1), (1, 2))


class FeatureCombination(BaseModule):
    """Combine template and search features into one map.

    Each branch encodes template and search features with a 3x3 convolution of its own dilation
    and correlates them depth-wise; the three responses, equal in size, are summed with
    softmax-normalised learned weights (Ocean, eq. 5).

    Args:
        in_channels: Channels of both inputs.
        out_channels: Channels of the combined map.
        depthwise: Whether the encoders are depth-wise, for speed.
    """

    def __init__(self, in_channels: int, out_channels: int, depthwise: bool = False) -> None:
        super().__init__()
        self.template_encoders = _encoders(in_channels, out_channels, depthwise)
        self.search_encoders = _encoders(in_channels, out_channels, depthwise)
        self.weight = nn.Parameter(torch.ones(len(DILATIONS)))

    def encode_template(self, template: Tensor) -> tuple[Tensor, ...]:
        """Correlation kernels of a template.

        Args:
            template: Template features, shape (N, C, h, w).

        Returns:
            One kernel per branch: (N, C', h-2, w-2), (N, C', h-4, w-2) and (N, C', h-2, w-4).
        """
        return tuple(encode(template) for encode in self.template_encoders)

    def forward(self, kernels: tuple[Tensor, ...], search: Tensor) -> Tensor:
        """Correlate search features with the kernels of a template.

        Args:
            kernels: What :meth:`encode_template` returned.
            search: Search features, shape (N, C, H, W).

        Returns:
            Combined features, shape (N, C', H - h + 1, W - w + 1).
        """
        shares = self.weight.softmax(0)
        responses = [
            share * depthwise_xcorr(encode(search), kernel)
            for share, encode, kernel in zip(shares, self.search_encoders, kernels, strict=True)
        ]
        return sum(responses)


def depthwise_xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of every sample with a kernel of its own.

    SiamRPN++ (Li et al., CVPR 2019, section 3.4).

    Args:
        search: Search features, shape (N, C, H, W).
        kernel: Template features, shape (N, C, h, w), or (1, C, h, w) for one template.

    Returns:
        Shape (N, C, H - h + 1, W - w + 1).
    """
    if kernel.size(0) == 1:
        return F.conv2d(search, kernel.transpose(0, 1), groups=search.size(1))
    if search.device.type == 'cpu' and torch.is_grad_enabled():
        return _TrainedXcorr.apply(search, kernel)
    return _xcorr(search, kernel)


class _TrainedXcorr(torch.autograd.Function):
    """The correlation, whose gradients are correlations too.

    PyTorch's CPU kernels (2.13) for the gradients of a convolution with a group for each channel take
    seven times as long, and give one in another memory format than the features have, which slows
    the layers before.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, search: Tensor, kernel: Tensor) -> Tensor:
        response = _xcorr(search, kernel)
        ctx.save_for_backward(search, kernel)
        return response

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        search, kernel = ctx.saved_tensors
        of_search = of_kernel = None
        if ctx.needs_input_grad[0]:
            height, width = kernel.size(2) - 1, kernel.size(3) - 1
            padded = F.pad(gradient, (width, width, height, height))
            of_search = _xcorr(padded, kernel.flip(2, 3).to(gradient.dtype))
            channels_last = search.is_contiguous(memory_format=torch.channels_last)
            layout = torch.channels_last if channels_last else torch.contiguous_format
            of_search = of_search.to(search.dtype).contiguous(memory_format=layout)
        if ctx.needs_input_grad[1]:
            of_kernel = _xcorr(search.to(gradient.dtype), gradient).to(kernel.dtype)
        return of_search, of_kernel


def _xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    groups = kernel.size(0) * kernel.size(1)
    flat = search.reshape(1, groups, *search.shape[2:])
    response = F.conv2d(flat, kernel.reshape(groups, 1, *kernel.shape[2:]), groups=groups)
    return response.reshape(*kernel.shape[:2], *response.shape[2:])


def _encoders(in_channels: int, out_channels: int, depthwise: bool) -> nn.ModuleList:
    return nn.ModuleList(
        conv_block(in_channels, out_channels, dilation=dilation, depthwise=depthwise)
        for dilation in DILATIONS
    )
