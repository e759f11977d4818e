"""ResNet-50 as Ocean changed it: no padding in the stem, stride 8, a dilated third stage."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpolar.models.backbones.freezing import keep_frozen
from mmpolar.registry import MODELS

EXPANSION = 4
# Stages of ResNet-50: blocks, channels inside a block, stride, dilation.
STAGES = ((3, 64, 1, 1), (4, 128, 2, 1), (6, 256, 1, 2))


@MODELS.register_module()
class SiamResNet50(BaseModule):
    """The backbone of Ocean's published code.

    A crop of 127 px gives a map of 15x15 cells, 255 px give 31x31, 287 px give 35x35, at stride 8:
    the first convolution and the first block of the second stage do not pad. The parameters bear
    torchvision's names, so that its ImageNet weights load, save for the shortcut convolutions of
    the second and third stage, which are 3x3 here.

    Args:
        out_indices: Stages, from 0 to 2, whose output is returned.
        frozen_stages: The stem and the stages before this number do not train; -1 trains all,
            0 freezes the stem alone.
        norm_eval: Whether batch norm keeps its running statistics in training.
        init_cfg: MMEngine's initialisation config, for example
            ``dict(type='Pretrained', checkpoint='resnet50.pth')``.

    Raises:
        ValueError: If a stage does not exist.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not set(out_indices) <= set(range(len(STAGES))):
            raise ValueError(f'out_indices must lie in 0..{len(STAGES) - 1}, got {out_indices}')
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for index, (blocks, width, stride, dilation) in enumerate(STAGES):
            stage = _make_stage(channels, blocks, width, stride, dilation)
            self.add_module(f'layer{index + 1}', stage)
            channels = width * EXPANSION
        # Freezes: a wrapper for distributed training asks at once which parameters train.
        self.train()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Images, shape (N, 3, H, W).

        Returns:
            One map per entry of ``out_indices``; the last stage's has 1024 channels at stride 8.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        outputs = []
        for index in range(len(STAGES)):
            x = getattr(self, f'layer{index + 1}')(x)
            outputs.append(x)
        return tuple(outputs[index] for index in self.out_indices)

    def train(self, mode: bool = True) -> 'SiamResNet50':
        """Set the mode, keeping frozen parts frozen."""
        super().train(mode)
        frozen = [self.conv1, self.bn1] if self.frozen_stages >= 0 else []
        frozen += [getattr(self, f'layer{i + 1}') for i in range(self.frozen_stages)]
        keep_frozen(self, frozen, self.norm_eval)
        return self


class SiamBottleneck(nn.Module):
    """Bottleneck block whose 3x3 convolution does not pad when it strides.

    Args:
        in_channels: Channels of the input.
        width: Channels of the 3x3 convolution; the output has four times as many.
        stride: Stride of the 3x3 convolution, 1 or 2.
        dilation: Dilation of the 3x3 convolution.
        downsample: Shortcut for inputs that differ from the output in size or channels.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        padding = dilation if stride == 1 else 0
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride=stride, padding=padding, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * EXPANSION)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 4 * width, H', W')."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + shortcut)


def _make_stage(
    in_channels: int, blocks: int, width: int, stride: int, dilation: int
) -> nn.Sequential:
    # The published code halves the dilation of a stage's first block.
    first_dilation = max(dilation // 2, 1)
    if stride == 1 and dilation == 1:
        kernel, padding = 1, 0
    else:
        kernel, padding = 3, first_dilation if stride == 1 else 0
    downsample = nn.Sequential(
        nn.Conv2d(
            in_channels,
            width * EXPANSION,
            kernel,
            stride=stride,
            padding=padding,
            dilation=first_dilation,
            bias=False,
        ),
        nn.BatchNorm2d(width * EXPANSION),
    )
    first = SiamBottleneck(in_channels, width, stride, first_dilation, downsample)
    rest = [SiamBottleneck(width * EXPANSION, width, 1, dilation) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)
