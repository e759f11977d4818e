"""Segmentation head that draws the target's contour with rays."""

import math

import torch
from mmdet.utils import reduce_mean
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpolar.models.heads.ocean_head import MAX_LOG_DISTANCE, OceanMaps, conv_tower
from mmpolar.models.layers.locations import cut_windows
from mmpolar.registry import MODELS


@MODELS.register_module()
class PolarContourHead(BaseModule):
    """Predict, for every location, the distance to the target's contour along n rays.

    A stack of convolutions over Ocean's combined features; the last has one channel per ray, and
    an exponential makes its output a radius in pixels of the search crop. The representation is
    PolarMask's (Xie et al., CVPR 2020).

    Args:
        in_channels: Channels of the combined features.
        num_convs: 3x3 convolutions before the last one.
        n_rays: Rays, at least 3.
        feature: ``'reg'`` or ``'cls'``: the branch whose combined features the head sits on.
        depthwise: Whether those convolutions are depth-wise, for speed.
        centerness_weight: Whether a location counts by its polar centerness in the loss.
        initial_radius: Radius in pixels that an untrained head predicts.
        loss_polar: Loss of the radii, called with (P, n) radii, ``weight`` and ``avg_factor``.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If ``n_rays`` or ``feature`` is out of range.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_convs: int = 4,
        n_rays: int = 36,
        feature: str = 'reg',
        depthwise: bool = False,
        centerness_weight: bool = True,
        initial_radius: float = 32.0,
        loss_polar: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if n_rays < 3:
            raise ValueError(f'n_rays must be at least 3 to enclose an area, got {n_rays}')
        if feature not in ('reg', 'cls'):
            raise ValueError(f"feature must be 'reg' or 'cls', got {feature!r}")
        self.n_rays = n_rays
        self.feature = feature
        self.centerness_weight = centerness_weight
        self.tower = conv_tower(in_channels, num_convs, depthwise)
        self.radius_pred = nn.Conv2d(in_channels, n_rays, 3, padding=1)
        nn.init.normal_(self.radius_pred.weight, std=0.01)
        nn.init.constant_(self.radius_pred.bias, math.log(initial_radius))
        self.loss_polar = MODELS.build(loss_polar or dict(type='PolarIoULoss'))

    def forward(self, maps: OceanMaps, locations: Tensor | None = None) -> Tensor:
        """Predict radii, everywhere or at some locations.

        A tracker draws one contour a frame. Its location depends on a window of a few cells of the
        features, so that the map of all of them would be mostly wasted.

        Args:
            maps: Output of the tracker's head.
            locations: Locations counted row by row, shape (N, P), in test mode only; None for all.

        Returns:
            Positive radii in pixels of the search crop, float32, of shape (N, n, S, S), or
            (N, P, n) for some locations: the same numbers to rounding.
        """
        features = maps.reg_features if self.feature == 'reg' else maps.cls_features
        if locations is None:
            log_radii = self.radius_pred(self.tower(features))
        else:
            log_radii = self._log_radii_at(features, locations)
        return log_radii.float().clamp(max=MAX_LOG_DISTANCE).exp()

    def _log_radii_at(self, features: Tensor, locations: Tensor) -> Tensor:
        """Logarithms of the radii at locations (N, P), shape (N, P, n)."""
        reach = len(self.tower) + 1
        windows, is_inside = cut_windows(features, locations, reach)
        # A window loses the ring of cells for which it lacks neighbours in every layer. What lies
        # outside of the map is zero in every layer, as in a convolution of the whole map.
        for layer in self.tower:
            windows = layer(windows * is_inside)[..., 1:-1, 1:-1]
            is_inside = is_inside[..., 1:-1, 1:-1]
        log_radii = self.radius_pred(windows * is_inside)[..., 1, 1]
        return log_radii.reshape(*locations.shape, -1)

    def loss(
        self, radii: Tensor, target: Tensor, positive: Tensor, centerness: Tensor
    ) -> dict[str, Tensor]:
        """Loss of a batch; samples without a mask come with no positive location.

        Args:
            radii: What :meth:`forward` returned, shape (N, n, S, S).
            target: True radii in pixels, shape (N, n, S, S).
            positive: Locations that count, boolean, shape (N, S, S).
            centerness: Polar centerness in [0, 1], shape (N, S, S).

        Returns:
            ``loss_polar``, a scalar; zero, but with a gradient, when no location counts.
        """
        pred = radii.permute(0, 2, 3, 1)[positive]
        true = target.permute(0, 2, 3, 1)[positive]
        weight = centerness[positive] if self.centerness_weight else None
        total = positive.sum().to(pred) if weight is None else weight.sum()
        avg_factor = reduce_mean(total).clamp(min=torch.finfo(pred.dtype).eps)
        # The tie to all radii gives every parameter a gradient in every step, as data-parallel
        # training wants it.
        tie = 0.0 * radii.sum()
        return dict(loss_polar=self.loss_polar(pred, true, weight, avg_factor) + tie)
