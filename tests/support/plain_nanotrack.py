"""NanoTrackV2's network with random weights, as the two ONNX files that OpenCV's TrackerNano reads.

A yardstick for speed where the published files are not at hand: layers and their order are those of
the published code (HonglinChu/SiamTrackers, "NanoTrackV2", Apache-2.0 licence), from its facts; what
it finds is nothing. It shares nothing with ``mmpolar``.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn

TEMPLATE_CELLS = 8
TOWER_LAYERS = 6
TOWER_CHANNELS = 96
#: Distances in pixels of the search crop that every location predicts to the left, upper, right and
#: lower side of its box: those of a target of the usual size around the middle of the crop, seen from
#: the location that the window prefers. So the target keeps its size and its place.
LTRB = (16.0, 16.0, 48.0, 48.0)


class Block(NamedTuple):
    """Inverted residual block: kernel, expanded and output channels, and what else it has."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    hard_swish: bool
    stride: int


BLOCKS = (
    Block(3, 16, 16, True, False, 2),
    Block(3, 72, 24, False, False, 2),
    Block(3, 88, 24, False, False, 1),
    Block(5, 96, 40, True, True, 2),
    Block(5, 240, 40, True, True, 1),
    Block(5, 240, 40, True, True, 1),
    Block(5, 120, 48, True, True, 1),
    Block(5, 144, 48, True, True, 1),
)
CHANNELS = BLOCKS[-1].channels


class Squeeze(nn.Module):
    """Squeeze and excitation with a quarter of the channels, in multiples of eight."""

    def __init__(self, channels):
        super().__init__()
        hidden = round_to_eight(channels // 4)
        self.layers = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.ReLU(),
            nn.Linear(hidden, channels),
            nn.Hardsigmoid(),
        )

    def forward(self, x):
        weights = self.layers(x.mean((2, 3)))
        return x * weights[:, :, None, None]


class InvertedResidual(nn.Module):
    """One block of MobileNetV3."""

    def __init__(self, in_channels, block):
        super().__init__()
        self.is_residual = block.stride == 1 and in_channels == block.channels
        expands = in_channels != block.expanded
        layers = []
        if expands:
            layers += [*conv(in_channels, block.expanded, 1), activation(block)]
        layers += conv(
            block.expanded, block.expanded, block.kernel, block.stride, groups=block.expanded
        )
        squeeze = [Squeeze(block.expanded)] if block.squeeze else []
        # Blocks that expand squeeze before they activate.
        order = [*squeeze, activation(block)] if expands else [activation(block), *squeeze]
        self.layers = nn.Sequential(*layers, *order, *conv(block.expanded, block.channels, 1))

    def forward(self, x):
        return x + self.layers(x) if self.is_residual else self.layers(x)


class Backbone(nn.Module):
    """MobileNetV3-Small up to stride 16, 48 channels."""

    def __init__(self):
        super().__init__()
        layers = [*conv(3, 16, 3, 2), nn.Hardswish()]
        channels = 16
        for block in BLOCKS:
            layers.append(InvertedResidual(channels, block))
            channels = block.channels
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class PixelwiseCorrelation(nn.Module):
    """Every cell of the template with every cell of the search region, then channel attention."""

    def __init__(self):
        super().__init__()
        cells = TEMPLATE_CELLS**2
        self.template = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))
        self.search = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(cells, cells, 1),
            nn.ReLU(),
            nn.Conv2d(cells, cells, 1),
            nn.Sigmoid(),
        )

    def forward(self, template, search):
        kernels = self.template(template).flatten(2).transpose(1, 2)
        height, width = search.shape[2:]
        response = kernels @ self.search(search).flatten(2)
        response = response.reshape(-1, TEMPLATE_CELLS**2, height, width)
        return response * self.attention(response)


class Head(nn.Module):
    """Two correlations, two towers of depth-wise separable convolutions, logits and distances."""

    def __init__(self):
        super().__init__()
        self.reg_correlation, self.cls_correlation = PixelwiseCorrelation(), PixelwiseCorrelation()
        self.reg_tower, self.cls_tower = tower(), tower()
        self.cls_pred = nn.Conv2d(TOWER_CHANNELS, 2, 1)
        self.bbox_pred = nn.Conv2d(TOWER_CHANNELS, 4, 1)

    def forward(self, template, search):
        logits = self.cls_pred(self.cls_tower(self.cls_correlation(template, search)))
        distances = self.bbox_pred(self.reg_tower(self.reg_correlation(template, search)))
        return logits, distances.exp()


def round_to_eight(channels: int) -> int:
    """Nearest multiple of eight, at least eight and not a tenth less than asked for."""
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def conv(in_channels, out_channels, kernel, stride=1, groups=1):
    return [
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
    ]


def activation(block):
    return nn.Hardswish() if block.hard_swish else nn.ReLU()


def tower():
    layers, channels = [], TEMPLATE_CELLS**2
    for _ in range(TOWER_LAYERS):
        layers += [
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, TOWER_CHANNELS, 1, bias=False),
            nn.BatchNorm2d(TOWER_CHANNELS),
            nn.ReLU6(),
        ]
        channels = TOWER_CHANNELS
    return nn.Sequential(*layers)


class PlainNanoTrack(nn.Module):
    """The whole network in test mode; its weights make a target stay where it is."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.backbone, self.head = Backbone(), Head()
        with torch.no_grad():
            for pred in (self.head.cls_pred, self.head.bbox_pred):
                pred.weight *= 1e-3
                pred.bias.zero_()
            self.head.bbox_pred.bias += torch.tensor(LTRB).log()
        self.eval()

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (1, 2, 16, 16) and distances (1, 4, 16, 16) of crops of 127 and 255 px."""
        return self.head(self.backbone(template), self.backbone(search))


def export(folder: Path, seed: int = 0) -> tuple[str, str]:
    """Write backbone and head as ONNX files, batch norm folded as in the published ones.

    Returns:
        Their paths.
    """
    net = PlainNanoTrack(seed)
    features = [net.backbone(torch.zeros(1, 3, size, size)) for size in (127, 255)]
    fuse_conv_bn(net)
    folder.mkdir(parents=True, exist_ok=True)
    paths = str(folder / 'nanotrack_backbone.onnx'), str(folder / 'nanotrack_head.onnx')
    options = dict(dynamo=False, opset_version=14)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            net.backbone,
            (torch.zeros(1, 3, 255, 255),),
            paths[0],
            input_names=['input'],
            output_names=['output'],
            **options,
        )
        torch.onnx.export(
            net.head,
            tuple(features),
            paths[1],
            input_names=['input1', 'input2'],
            output_names=['output1', 'output2'],
            **options,
        )
    return paths
