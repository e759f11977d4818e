"""Ocean as its authors published it, in plain PyTorch: the yardstick for equality and for speed.

Written from the facts of the published code (researchmm/TracKit, model "Ocean", MIT licence): the
modules bear its names, so that a published state dict loads here as it is, and layers, their order
and the steps around the network are those that its users run. It shares nothing with ``mmpolar``.

Positions here are those of pixel edges, as the published code has them: the first pixel spans 0 to
1, where OpenCV and ``mmpolar`` let it span -.5 to .5.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.ops import DeformConv2d
from torch import Tensor, nn

STRIDE = 8
TEMPLATE_SIZE = 127
CHANNELS = 256


class Bottleneck(nn.Module):
    """Residual block; the 3x3 convolution pads only where it does not stride."""

    def __init__(self, in_channels, width, stride, dilation, downsample=None):
        super().__init__()
        padding = 0 if stride == 2 else dilation
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """Three stages of ResNet-50 at stride 8."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        shortcuts = (
            nn.Conv2d(64, 256, 1, bias=False),
            nn.Conv2d(256, 512, 3, stride=2, bias=False),
            nn.Conv2d(512, 1024, 3, padding=1, bias=False),
        )
        self.layer1 = stage(shortcuts[0], 3, 64, stride=1, dilation=1)
        self.layer2 = stage(shortcuts[1], 4, 128, stride=2, dilation=1)
        self.layer3 = stage(shortcuts[2], 6, 256, stride=1, dilation=2)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer3(self.layer2(self.layer1(x)))


def stage(shortcut, blocks, width, stride, dilation):
    """Blocks of one stage; the first, which has the shortcut, is never dilated."""
    downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))
    first = Bottleneck(shortcut.in_channels, width, stride, 1, downsample)
    rest = (Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


class Backbone(nn.Module):
    """Gives the names their second ``features``."""

    def __init__(self):
        super().__init__()
        self.features = ResNet()

    def forward(self, x):
        return self.features(x)


class Neck(nn.Module):
    """Narrow the features; of a template keep the middle 7x7 cells."""

    def __init__(self):
        super().__init__()
        self.downsample = nn.Sequential(
            nn.Conv2d(1024, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS)
        )

    def forward(self, x, crop=False):
        x = self.downsample(x)
        return x[:, :, 4:-4, 4:-4] if crop else x


class Encoder(nn.Module):
    """Three encodings of the template (``_k``) and of the search region (``_s``)."""

    def __init__(self):
        super().__init__()
        self.matrix11_k = encoding((1, 1))
        self.matrix11_s = encoding((1, 1))
        self.matrix12_k = encoding((2, 1))
        self.matrix12_s = encoding((2, 1))
        self.matrix21_k = encoding((1, 2))
        self.matrix21_s = encoding((1, 2))

    def forward(self, template, search):
        kernels = [self.matrix11_k(template), self.matrix12_k(template), self.matrix21_k(template)]
        regions = [self.matrix11_s(search), self.matrix12_s(search), self.matrix21_s(search)]
        return kernels, regions


def encoding(dilation):
    return nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 3, dilation=dilation, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(inplace=True),
    )


class Correlation(nn.Module):
    """Sum of the three depth-wise correlations with softmax weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, kernels, regions):
        shares = F.softmax(self.weight, 0)
        total = 0
        for share, kernel, region in zip(shares, kernels, regions, strict=True):
            total = total + share * correlate(region, kernel)
        return total


def correlate(region, kernel):
    """Every channel of every sample with its own kernel, as one grouped convolution."""
    samples, channels = kernel.shape[:2]
    groups = samples * channels
    out = F.conv2d(
        region.view(1, groups, *region.shape[2:]),
        kernel.view(groups, 1, *kernel.shape[2:]),
        groups=groups,
    )
    return out.view(samples, channels, *out.shape[2:])


class BoxTower(nn.Module):
    """Distances to the sides of the box and the regular-region score."""

    def __init__(self):
        super().__init__()
        self.cls_encode = Encoder()
        self.reg_encode = Encoder()
        self.cls_dw = Correlation()
        self.reg_dw = Correlation()
        self.bbox_tower = tower()
        self.cls_tower = tower()
        self.bbox_pred = nn.Conv2d(CHANNELS, 4, 3, padding=1)
        self.cls_pred = nn.Conv2d(CHANNELS, 1, 3, padding=1)
        self.adjust = nn.Parameter(torch.full((1,), 0.1))
        self.bias = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, search, template):
        cls = self.cls_dw(*self.cls_encode(template, search))
        reg = self.reg_dw(*self.reg_encode(template, search))
        reg = self.bbox_tower(reg)
        ltrb = torch.exp(self.adjust * self.bbox_pred(reg) + self.bias)
        score = 0.1 * self.cls_pred(self.cls_tower(cls))
        return ltrb, score, reg


def tower():
    layers = []
    for _ in range(4):
        layers += [
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class AdaptiveConv(nn.Module):
    """Deformable convolution; offsets come as (N, locations, 18)."""

    def __init__(self):
        super().__init__()
        self.conv = DeformConv2d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x, offsets):
        n, _, height, width = x.shape
        offsets = offsets.permute(0, 2, 1).reshape(n, -1, height, width)
        return self.conv(x, offsets.contiguous())


class AlignHead(nn.Module):
    """Object-aware score from features sampled inside the predicted box."""

    def __init__(self):
        super().__init__()
        self.rpn_conv = AdaptiveConv()
        self.rpn_cls = nn.Conv2d(CHANNELS, 1, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x, offsets):
        return self.rpn_cls(self.relu(self.rpn_conv(x, offsets)))


class PlainOcean(nn.Module):
    """The published network in test mode.

    Args:
        align: Whether to have the object-aware branch.
    """

    def __init__(self, align: bool = True) -> None:
        super().__init__()
        self.features = Backbone()
        self.neck = Neck()
        self.connect_model = BoxTower()
        self.align_head = AlignHead() if align else None
        self.template_features: Tensor | None = None

    def template(self, crop: Tensor) -> None:
        """Remember a template crop (1, 3, 127, 127), BGR in 0..255."""
        self.template_features = self.neck(self.features(crop), crop=True)

    def track(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits (1, 1, S, S), distances (1, 4, S, S) and aligned logits of a search crop."""
        search = self.neck(self.features(crop))
        ltrb, score, reg = self.connect_model(search, self.template_features)
        if self.align_head is None:
            return score, ltrb, None
        return score, ltrb, self.align_head(reg, align_offsets(ltrb, crop.size(-1)))


def align_offsets(ltrb: Tensor, search_size: int) -> Tensor:
    """Offsets (N, S * S, 18) in cells that spread nine taps over each predicted box."""
    n, _, height, width = ltrb.shape
    rows, cols = torch.meshgrid(
        torch.arange(height, dtype=ltrb.dtype, device=ltrb.device),
        torch.arange(width, dtype=ltrb.dtype, device=ltrb.device),
        indexing='ij',
    )
    place_x = (cols - width // 2) * STRIDE + search_size // 2
    place_y = (rows - height // 2) * STRIDE + search_size // 2
    x1, y1 = place_x - ltrb[:, 0], place_y - ltrb[:, 1]
    x2, y2 = place_x + ltrb[:, 2], place_y + ltrb[:, 3]

    shift_x = ((x1 + x2) * 0.5 - search_size * 0.5) / STRIDE + width // 2 - cols
    shift_y = ((y1 + y2) * 0.5 - search_size * 0.5) / STRIDE + height // 2 - rows
    stretch_x = (x2 - x1 + 1) / STRIDE / 2 - 1
    stretch_y = (y2 - y1 + 1) / STRIDE / 2 - 1
    offsets = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            offsets += [shift_y + down * stretch_y, shift_x + right * stretch_x]
    return torch.stack(offsets, -1).reshape(n, height * width, -1)


@dataclass(frozen=True)
class PlainParams:
    """Published settings of tracking; the numbers are those for VOT2019."""

    penalty_k: float = 0.062
    window_influence: float = 0.38
    lr: float = 0.765
    ratio: float = 0.94
    small_size: int = 255
    big_size: int = 271


Cropper = Callable[[np.ndarray, np.ndarray, int, int, np.ndarray], np.ndarray]


def crop_window(
    frame: np.ndarray, position: np.ndarray, out_size: int, side: int, color: np.ndarray
) -> np.ndarray:
    """Whole-pixel window of a frame, padded with a colour, at ``out_size`` pixels."""
    x1, y1 = (round(p - (side + 1) / 2) for p in position)
    height, width, channels = frame.shape
    left, top = max(0, -x1), max(0, -y1)
    right, bottom = max(0, x1 + side - width), max(0, y1 + side - height)
    if left or top or right or bottom:
        padded = np.zeros((height + top + bottom, width + left + right, channels), np.uint8)
        padded[top : top + height, left : left + width] = frame
        padded[:top, left : left + width] = color
        padded[top + height :, left : left + width] = color
        padded[:, :left] = color
        padded[:, left + width :] = color
        frame = padded
    window = frame[y1 + top : y1 + top + side, x1 + left : x1 + left + side]
    return cv2.resize(window, (out_size, out_size)) if side != out_size else window


class PlainTracker:
    """The published tracking step: crop, network, penalties, window, smoothing.

    Args:
        net: The network, in test mode.
        params: Settings.
        crop: How windows are cut out.
    """

    def __init__(
        self, net: PlainOcean, params: PlainParams | None = None, crop: Cropper = crop_window
    ) -> None:
        self.net = net
        self.params = params or PlainParams()
        self.crop = crop

    @torch.no_grad()
    def init(self, frame: np.ndarray, position: np.ndarray, size: np.ndarray) -> None:
        """Take on a target by its centre and its width and height."""
        self.frame_size = np.array([frame.shape[1], frame.shape[0]])
        self.position, self.size = np.array(position, float), np.array(size, float)
        small = self.size.prod() / self.frame_size.prod() < 0.004
        self.search_size = self.params.big_size if small else self.params.small_size
        score_size = (self.search_size - TEMPLATE_SIZE) // STRIDE + 9
        axis = (np.arange(score_size) - score_size // 2) * STRIDE + self.search_size // 2
        self.grid_x, self.grid_y = np.meshgrid(axis, axis)
        self.window = np.outer(np.hanning(score_size), np.hanning(score_size))
        self.color = np.mean(frame, axis=(0, 1))
        side = round(padded_size(*self.size))
        template = self.crop(frame, self.position, TEMPLATE_SIZE, side, self.color)
        self.net.template(to_input(template))

    @torch.no_grad()
    def track(self, frame: np.ndarray) -> np.ndarray:
        """Find the target; x1, y1, x2, y2 in coordinates of pixel edges."""
        side = padded_size(*self.size)
        scale = TEMPLATE_SIZE / side
        side += self.search_size / scale - side
        crop = self.crop(frame, self.position, self.search_size, math.floor(side + 0.5), self.color)
        self._update(to_input(crop), scale)
        self.position = np.clip(self.position, 0, self.frame_size)
        self.size = np.clip(self.size, 10, self.frame_size)
        return np.concatenate([self.position - self.size / 2, self.position + self.size / 2])

    def _update(self, crop: Tensor, scale: float) -> None:
        params = self.params
        score, ltrb, aligned = self.net.track(crop)
        score = score.sigmoid().squeeze().numpy()
        if aligned is not None:
            aligned = aligned.sigmoid().squeeze().numpy()
            score = params.ratio * score + (1 - params.ratio) * aligned
        left, top, right, bottom = ltrb.squeeze().numpy()
        x1, y1 = self.grid_x - left, self.grid_y - top
        x2, y2 = self.grid_x + right, self.grid_y + bottom

        size = self.size * scale
        size_change = worse(padded_size(x2 - x1, y2 - y1) / padded_size(*size))
        ratio_change = worse((size[0] / size[1]) / ((x2 - x1) / (y2 - y1)))
        penalty = np.exp(-(ratio_change * size_change - 1) * params.penalty_k)
        ranking = penalty * score * (1 - params.window_influence)
        ranking = ranking + self.window * params.window_influence
        best = np.unravel_index(ranking.argmax(), ranking.shape)

        x1, y1, x2, y2 = x1[best], y1[best], x2[best], y2[best]
        middle = self.search_size // 2
        shift = np.array([(x1 + x2) / 2 - middle, (y1 + y2) / 2 - middle]) / scale
        predicted = np.array([x2 - x1, y2 - y1]) / scale
        rate = penalty[best] * score[best] * params.lr
        once = predicted * rate + (1 - rate) * self.size
        self.position = self.position + shift
        self.size = self.size * (1 - rate) + rate * once


def padded_size(width, height):
    """Side of the square with the area of a box and its context."""
    pad = (width + height) * 0.5
    return np.sqrt((width + pad) * (height + pad))


def worse(ratio):
    return np.maximum(ratio, 1 / ratio)


def to_input(crop: np.ndarray) -> Tensor:
    return torch.from_numpy(crop.transpose(2, 0, 1)).float().unsqueeze(0)


@torch.no_grad()
def randomize(net: PlainOcean, template: Tensor, search: Tensor, seed: int = 0) -> PlainOcean:
    """Random weights under which no map is flat: the statistics of batch norm come from real crops.

    Args:
        net: Network to change.
        template: Crop (1, 3, 127, 127), BGR in 0..255.
        search: Crop (1, 3, 255, 255), likewise.
        seed: Seed of the weights.

    Returns:
        The network, in test mode.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, std, mean=0.0):
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * std + mean)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | DeformConv2d):
            normal(module.weight, math.sqrt(2 / module.weight[0].numel()))
            if getattr(module, 'bias', None) is not None:
                normal(module.bias, 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            normal(module.weight, 0.2, mean=1.0)
            normal(module.bias, 0.2)
            module.momentum = None  # the mean over all forward passes
        elif isinstance(module, Correlation):
            normal(module.weight, 0.5, mean=1.0)
    head = net.connect_model
    # Boxes of about 64 px that differ by some ten pixels, logits of about -3 to 3.
    normal(head.bias, 0.1, mean=math.log(32))
    head.cls_pred.weight *= 12
    net.train()
    net.template(template)
    net.track(search)
    return net.eval()
