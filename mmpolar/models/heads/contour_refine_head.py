"""Head that looks along the rays of one location and corrects their lengths."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import ConvModule
from mmdet.utils import reduce_mean
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpolar.models.heads.ocean_head import OceanMaps
from mmpolar.models.layers.locations import pick_coordinates, pick_locations
from mmpolar.models.layers.ray_conv_block import RayConvBlock
from mmpolar.models.layers.ray_sampling import reach_in_box, sample_points
from mmpolar.registry import MODELS
from mmpolar.structures.grid import to_cells
from mmpolar.structures.polar import ray_directions

#: Pixels around the target's map in the template that belong to neither target nor background.
BORDER = 13
# Unit of length that brings the radii of a search crop to about one.
_TYPICAL_RADIUS = 32.0
_POSITION_CHANNELS = 3
# The least squared length that a vector is divided by, as in F.cosine_similarity.
_SMALLEST_SQUARE = 1e-16


class RayTargets(NamedTuple):
    """Poles that are trained in a batch, and what their rays shall measure.

    Attributes:
        poles: Poles x, y in pixels of the search crop, shape (N, P, 2).
        ltrb: Distances from the poles to the sides of a box, shape (N, P, 4).
        coarse: Radii of the mask head at the poles, shape (N, P, n).
        radii: True radii, shape (N, P, n).
        weight: Weight of each pole, 0 for those that only fill up, shape (N, P).
    """

    poles: Tensor
    ltrb: Tensor
    coarse: Tensor
    radii: Tensor
    weight: Tensor


@MODELS.register_module()
class ContourRefineHead(BaseModule):
    """Measure the radii of a location again, on finer features than those of the score map.

    The mask head predicts radii for all locations at once from one cell each, so its contour is
    smooth. Once a location is selected, this head samples features at M points along each of its
    n rays, up to somewhat beyond the predicted box: fine maps of the backbone, the combined
    features of the regression branch, how similar the point looks to the target and to the
    background of the template, and how far it lies from the mask head's radius. Convolutions over
    this grid of rays and radii say of each point whether it is inside the target, and the radius is
    the integral of that along the ray.

    Sampling features on the contour and moving it is the idea of Deep Snake (Peng et al., CVPR
    2020); the grid along fixed rays keeps the contour a star shape that the polar losses apply to.

    Args:
        in_channels: Channels of the fine maps that are read, the first outputs of the backbone.
        strides: Their strides in pixels.
        combined_channels: Channels of the combined features.
        feat_channels: Channels inside.
        match_channels: Channels in which points are compared with the template.
        match_groups: Number of comparisons that these are divided into.
        dilations: Dilation across the rays of each convolution.
        stride: Stride of the score map in pixels.
        n_rays: Rays, as those of the mask head.
        n_samples: Samples M along a ray.
        reach: How far a ray goes, in units of its length inside of the predicted box.
        margin: Pixels that it goes beyond that.
        num_poles: Locations P of each sample that are trained in one iteration.
        box_jitter: In training a side of the box lies off by a factor whose logarithm has this
            standard deviation.
        loss_polar: Loss of the radii, called with (P, n) radii, ``weight`` and ``avg_factor``.
        loss_inside_weight: Weight of the binary cross entropy of the points.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If ``in_channels`` and ``strides`` differ in length, or ``match_channels`` is no
            multiple of ``match_groups``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        combined_channels: int,
        feat_channels: int = 48,
        match_channels: int = 32,
        match_groups: int = 4,
        dilations: Sequence[int] = (1, 2, 4),
        stride: int = 8,
        n_rays: int = 72,
        n_samples: int = 16,
        reach: float = 1.4,
        margin: float = 4.0,
        num_poles: int = 4,
        box_jitter: float = 0.12,
        loss_polar: dict | None = None,
        loss_inside_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(strides):
            raise ValueError(
                f'in_channels has {len(in_channels)} maps but strides {len(strides)}: give the '
                'stride of each map'
            )
        if match_channels % match_groups:
            raise ValueError(
                f'match_channels must be a multiple of match_groups, got {match_channels} and '
                f'{match_groups}'
            )
        self.strides = tuple(strides)
        self.stride = stride
        self.n_rays = n_rays
        self.match_groups = match_groups
        self.reach = reach
        self.margin = margin
        self.num_poles = num_poles
        self.box_jitter = box_jitter
        fine_channels = sum(in_channels)
        self.match = nn.Conv2d(fine_channels, match_channels, 1, bias=False)
        self.embed = ConvModule(
            fine_channels + combined_channels, feat_channels, 1, norm_cfg=dict(type='BN')
        )
        self.mix = ConvModule(
            feat_channels + 2 * match_groups + _POSITION_CHANNELS,
            feat_channels,
            1,
            norm_cfg=dict(type='BN'),
        )
        self.blocks = nn.Sequential(*(RayConvBlock(feat_channels, d) for d in dilations))
        self.inside_pred = nn.Conv2d(feat_channels, 1, 1)
        directions = torch.tensor(ray_directions(n_rays), dtype=torch.float32)
        shares = (torch.arange(n_samples) + 0.5) / n_samples
        self.register_buffer('directions', directions, persistent=False)
        self.register_buffer('shares', shares, persistent=False)
        self.loss_polar = MODELS.build(loss_polar or dict(type='PolarIoULoss'))
        self.loss_inside_weight = loss_inside_weight
        # An export puts a function of the same meaning here.
        self.sample_points = sample_points

    def encode_template(self, fine: Sequence[Tensor], target_map: Tensor) -> Tensor:
        """Mean features of target and background in the template.

        Args:
            fine: Fine maps of the template crops, (N, C_i, H_i, W_i).
            target_map: 1 on the target and 0 elsewhere in pixels of the template crops, shape
                (N, T, T).

        Returns:
            Two prototypes, shape (N, match_channels, 2, 1).
        """
        target = target_map[:, None].float()
        background = 1 - _widen(target, BORDER // 2)
        kinds = torch.cat([target, background], 1)
        means = [
            _weighted_mean(level.float(), _shrink(kinds, stride))
            for level, stride in zip(fine, self.strides, strict=True)
        ]
        return self.match(torch.cat(means, 1)[..., None])

    def forward(
        self, maps: OceanMaps, prototypes: Tensor, poles: Tensor, ltrb: Tensor, coarse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Say of points along the rays whether they are inside.

        Args:
            maps: Output of the tracker's head, with ``fine_features``.
            prototypes: What :meth:`encode_template` returned.
            poles: Poles x, y in pixels of the search crop, shape (N, P, 2).
            ltrb: Distances from the poles to the sides of their boxes in pixels, (N, P, 4).
            coarse: Radii of the mask head at the poles in pixels, shape (N, P, n).

        Returns:
            Logits of shape (N, P, n, M), and how far each ray goes in pixels, (N, P, n).
        """
        n, count = poles.shape[:2]
        reach = self.reach * reach_in_box(ltrb, self.directions) + self.margin
        distances = reach[..., None] * self.shares
        points = poles[:, :, None, None] + distances[..., None] * self.directions[:, None]
        fine, combined = self._sample(maps, points.flatten(1, 2))
        similarity = self._compare(fine, prototypes)
        position = torch.stack(
            [
                self.shares.expand_as(distances),
                distances / _TYPICAL_RADIUS,
                (distances - coarse[..., None]) / reach[..., None],
            ],
            2,
        )
        features = self.embed(torch.cat([fine, combined], 1))
        features = torch.cat([features, similarity.to(features)], 1)
        features = torch.cat(
            [_split_poles(features, count), position.flatten(0, 1).to(features)], 1
        )
        logits = self.inside_pred(self.blocks(self.mix(features)))
        return logits.float().reshape(n, count, *logits.shape[2:]), reach

    def radii(self, logits: Tensor, reach: Tensor) -> Tensor:
        """Radii in pixels, (N, P, n): the integral along each ray of being inside."""
        return reach * logits.sigmoid().mean(-1)

    def loss(self, maps: OceanMaps, prototypes: Tensor, targets: RayTargets) -> dict[str, Tensor]:
        """Losses of the radii and of the points.

        Args:
            maps: Output of the tracker's head, with ``fine_features``.
            prototypes: What :meth:`encode_template` returned.
            targets: The poles to train.

        Returns:
            ``loss_refine`` and ``loss_inside``, scalars; zero, but with a gradient, when no pole
            counts.
        """
        logits, reach = self(maps, prototypes, targets.poles, targets.ltrb, targets.coarse)
        weight = targets.weight.flatten()
        total = reduce_mean(weight.sum()).clamp(min=torch.finfo(weight.dtype).eps)
        radii = self.radii(logits, reach)
        polar = self.loss_polar(
            radii.flatten(0, 1), targets.radii.flatten(0, 1), weight, avg_factor=total
        )
        samples = len(self.shares)
        begin = self.shares - 0.5 / samples
        inside = (targets.radii[..., None] / reach[..., None] - begin) * samples
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, inside.clamp(0, 1), reduction='none'
        ).mean((2, 3))
        inside_loss = (cross_entropy.flatten() * weight).sum() / total
        return dict(loss_refine=polar, loss_inside=self.loss_inside_weight * inside_loss)

    def sample_targets(
        self,
        locations: tuple[Tensor, Tensor],
        ltrb: Tensor,
        true_ltrb: Tensor,
        coarse: Tensor,
        radii: Tensor,
        positive: Tensor,
        preferred: Tensor,
    ) -> RayTargets:
        """Choose locations to train at random: preferred ones first.

        Half of them get their predicted box and half the true one, so that the head learns from
        the first iteration on and meets the errors of the boxes too.

        Args:
            locations: x of shape (S,) and y of shape (S, 1) in pixels of the search crop.
            ltrb: Predicted distances, shape (N, 4, S, S).
            true_ltrb: True distances, shape (N, S, S, 4); positive where the box counts.
            coarse: Radii of the mask head, shape (N, n, S, S).
            radii: True radii, shape (N, n, S, S).
            positive: Locations with true radii, boolean, shape (N, S, S).
            preferred: Locations where the classifier shall be high, shape (N, S, S).

        Returns:
            ``num_poles`` poles of each sample.
        """
        rank = torch.rand_like(coarse[:, 0]) + 1 + (preferred > 0)
        rank = torch.where(positive, rank, torch.zeros_like(rank))
        rank, chosen = rank.flatten(1).topk(self.num_poles)
        predicted = pick_locations(ltrb.detach(), chosen)
        true = pick_locations(true_ltrb.permute(0, 3, 1, 2), chosen)
        use_true = (torch.rand_like(rank) < 0.5)[..., None] & (true > 0).all(-1, keepdim=True)
        box = torch.where(use_true, true, predicted)
        return RayTargets(
            poles=pick_coordinates(locations, chosen),
            ltrb=box * (self.box_jitter * torch.randn_like(box)).exp(),
            coarse=pick_locations(coarse.detach(), chosen),
            radii=pick_locations(radii, chosen),
            weight=(rank > 0).to(coarse.dtype),
        )

    def _sample(self, maps: OceanMaps, points: Tensor) -> tuple[Tensor, Tensor]:
        """Fine and combined features at points (N, P * n, M, 2): (N, C, P * n, M) each."""
        levels = zip(maps.fine_features, self.strides, strict=True)
        fine = [self.sample_points(level, points / stride) for level, stride in levels]
        size = maps.reg_features.size(-1)
        cells = to_cells(points, size, self.stride, maps.search_size)
        return torch.cat(fine, 1), self.sample_points(maps.reg_features, cells)

    def _compare(self, fine: Tensor, prototypes: Tensor) -> Tensor:
        """Cosine similarity, group by group, with target and background: (N, 2 g, P * n, M)."""
        n, _, *grid = fine.shape
        points = self.match(fine).float().reshape(n, self.match_groups, -1, grid[0] * grid[1])
        prototypes = prototypes.float().reshape(n, self.match_groups, -1, 2).transpose(2, 3)
        # F.cosine_similarity would repeat the points, and their lengths, for either prototype. Divided
        # by their lengths first, as autocast makes the product in half precision.
        similarity = _normalized(prototypes, 3) @ _normalized(points, 2)
        return similarity.reshape(n, -1, *grid)


def _normalized(vectors: Tensor, dim: int) -> Tensor:
    """Vectors along a dimension at length 1, zeros as they are.

    F.normalize does the same; on a CPU its sum along any dimension but the last took 35 times as long.
    """
    squares = vectors.square().sum(dim, keepdim=True)
    return vectors * squares.clamp(min=_SMALLEST_SQUARE).rsqrt()


def _widen(target_map: Tensor, radius: int) -> Tensor:
    """The highest value within a square of ``2 * radius + 1`` px around each pixel, one axis at a time."""
    side = 2 * radius + 1
    rows = F.max_pool2d(target_map, (side, 1), 1, (radius, 0))
    return F.max_pool2d(rows, (1, side), 1, (0, radius))


def _split_poles(features: Tensor, count: int) -> Tensor:
    """(N, C, P * n, M) to (N * P, C, n, M)."""
    n, channels, rays, samples = features.shape
    split = features.reshape(n, channels, count, rays // count, samples)
    return split.transpose(1, 2).flatten(0, 1)


def _shrink(kinds: Tensor, stride: int) -> Tensor:
    """Maps (N, K, T, T) in pixels to cells of a stride; cell i lies at pixel i * stride."""
    kernel = stride + 1 if stride > 1 else 1
    return F.avg_pool2d(kinds, kernel, stride, kernel // 2, count_include_pad=False)


def _weighted_mean(features: Tensor, weights: Tensor) -> Tensor:
    """Means of features (N, C, h, w) by weights (N, K, h, w), of which there are none below 0."""
    total = weights.sum((2, 3), keepdim=True).clamp(min=torch.finfo(weights.dtype).eps)
    # Divided first: under autocast the sums are made in half precision, and might overflow.
    return torch.einsum('nchw,nkhw->nck', features, weights / total)
