"""Depth-wise cross-correlation of search features with template features."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor


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
    groups = kernel.size(0) * kernel.size(1)
    flat = search.reshape(1, groups, *search.shape[2:])
    response = F.conv2d(flat, kernel.reshape(groups, 1, *kernel.shape[2:]), groups=groups)
    return response.reshape(*kernel.shape[:2], *response.shape[2:])
