"""Neck that brings backbone features to one width and one resolution."""

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpolar.registry import MODELS


@MODELS.register_module()
class AdjustNeck(BaseModule):
    """A 1x1 convolution with batch norm per level; coarser levels are enlarged and added.

    With one level this is Ocean's neck. The cells at the border of a template, which have seen
    padding and context more than target, are cut away by :meth:`crop_template`.

    Args:
        in_channels: Channels of each level, finest first.
        out_channels: Channels of the output.
        template_cells: Side of the template's centre that is kept, in cells. It must be odd or even
            as the template's feature map is.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        template_cells: int = 7,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.template_cells = template_cells
        self.laterals = nn.ModuleList(
            ConvModule(channels, out_channels, 1, norm_cfg=dict(type='BN'), act_cfg=None)
            for channels in in_channels
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Merge the levels.

        Args:
            features: Maps of shape (N, C_i, H_i, W_i), finest first. The last ones are the levels;
                finer ones before them, which another head reads, are passed over.

        Returns:
            Shape (N, C, H_0, W_0).
        """
        levels = features[-len(self.laterals) :]
        merged = self.laterals[0](levels[0])
        for lateral, feature in zip(self.laterals[1:], levels[1:], strict=True):
            enlarged = F.interpolate(
                lateral(feature), size=merged.shape[-2:], mode='bilinear', align_corners=False
            )
            merged = merged + enlarged
        return merged

    def crop_template(self, template: Tensor) -> Tensor:
        """Keep the centre of a template's features.

        Args:
            template: Shape (N, C, H, W).

        Returns:
            Shape (N, C, template_cells, template_cells).

        Raises:
            ValueError: If the centre cannot be cut out evenly.
        """
        margin = template.size(-1) - self.template_cells
        if margin < 0 or margin % 2:
            raise ValueError(
                f'cannot cut the {self.template_cells} central cells out of a template of '
                f'{template.size(-1)}: set template_cells to a smaller number of the same parity'
            )
        cut = slice(margin // 2, margin // 2 + self.template_cells)
        return template[..., cut, cut]
