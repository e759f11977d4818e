"""Ocean's head: boxes at every location, and two classifiers of the locations."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from mmdet.utils import reduce_mean
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpolar.models.layers import AlignedConv, FeatureCombination, box_offsets, conv_block
from mmpolar.models.losses import ltrb_iou
from mmpolar.registry import MODELS
from mmpolar.structures.grid import to_cells, to_pixels

# The published code divides the classification logits by ten.
CLS_SCALE = 0.1
# exp(9) is about 8,000 px: far beyond every search crop, and well within float32.
MAX_LOG_DISTANCE = 9.0


class Kernels(NamedTuple):
    """A template in the form that the correlation needs.

    Attributes:
        cls: Kernels of the classification branch, one (N, C, h, w) per dilation.
        reg: Kernels of the regression branch, one (N, C, h, w) per dilation.
        prototypes: What target and background look like, (N, C', 2, 1), see
            :class:`ContourRefineHead`; None without that head.
    """

    cls: tuple[Tensor, ...]
    reg: tuple[Tensor, ...]
    prototypes: Tensor | None = None

    def split(self) -> 'list[Kernels]':
        """The kernels of each template alone, N being 1."""
        return [
            Kernels(
                tuple(part[number : number + 1] for part in self.cls),
                tuple(part[number : number + 1] for part in self.reg),
                None if self.prototypes is None else self.prototypes[number : number + 1],
            )
            for number in range(len(self.cls[0]))
        ]

    @staticmethod
    def stack(kernels: 'Sequence[Kernels]') -> 'Kernels':
        """The kernels of several templates in one batch."""
        if len(kernels) == 1:
            return kernels[0]
        branches = zip(*((one.cls, one.reg) for one in kernels), strict=True)
        cls, reg = (tuple(map(torch.cat, zip(*branch, strict=True))) for branch in branches)
        prototypes = [one.prototypes for one in kernels]
        return Kernels(cls, reg, None if prototypes[0] is None else torch.cat(prototypes))


class OceanMaps(NamedTuple):
    """What the head says about a search crop.

    Attributes:
        cls_logits: Regular-region classification, shape (N, 1, S, S).
        align_logits: Object-aware classification, shape (N, 1, S, S), or None without that branch.
        ltrb: Distances to the sides of the box in pixels of the crop, shape (N, 4, S, S).
        cls_features: Combined features of the classification branch, shape (N, C, S, S).
        reg_features: Combined features of the regression branch, shape (N, C, S, S).
        search_size: Side of the search crop in pixels.
        fine_features: Maps of the backbone, (N, C_i, H_i, W_i), that a refinement head reads.
    """

    cls_logits: Tensor
    align_logits: Tensor | None
    ltrb: Tensor
    cls_features: Tensor
    reg_features: Tensor
    search_size: int = 255
    fine_features: tuple[Tensor, ...] = ()

    def scores(self, ratio: float) -> Tensor:
        """Blend of both classifiers in [0, 1], shape (N, S, S).

        Args:
            ratio: Share of the regular-region classifier.
        """
        scores = self.cls_logits.float().sigmoid()[:, 0]
        if self.align_logits is None:
            return scores
        return ratio * scores + (1 - ratio) * self.align_logits.float().sigmoid()[:, 0]


@MODELS.register_module()
class OceanHead(BaseModule):
    """The anchor-free head of Ocean (Zhang et al., ECCV 2020, section 3).

    Args:
        in_channels: Channels of template and search features.
        feat_channels: Channels of the combined features and of the towers.
        num_convs: Convolutions in each tower.
        stride: Pixels of the search crop between two locations.
        search_size: Side of the search crop in training, in pixels.
        positive_radius: A location is positive for the regular-region classifier when its city
            block distance from the target's centre is at most this many cells.
        with_align: Whether to have the object-aware classifier.
        depthwise: Whether the 3x3 convolutions of encoders and towers are depth-wise, for speed.
        box_bias: Initial logarithm of the distances in pixels; 1.0 in the published code. The
            logarithm of half a target's usual size lets short trainings start nearer.
        loss_cls: Loss of the regular-region classifier, called with logits and labels.
        loss_bbox: Loss of the boxes, called with both (P, 4) l, t, r, b and an ``avg_factor``.
        loss_align_weight: Weight of the object-aware classifier's loss.
        init_cfg: MMEngine's initialisation config.
    """

    def __init__(
        self,
        in_channels: int = 256,
        feat_channels: int = 256,
        num_convs: int = 4,
        stride: int = 8,
        search_size: int = 255,
        positive_radius: int = 2,
        with_align: bool = True,
        depthwise: bool = False,
        box_bias: float = 1.0,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        loss_align_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stride = stride
        self.search_size = search_size
        self.positive_radius = positive_radius
        self.cls_combination = FeatureCombination(in_channels, feat_channels, depthwise)
        self.reg_combination = FeatureCombination(in_channels, feat_channels, depthwise)
        self.cls_tower = conv_tower(feat_channels, num_convs, depthwise)
        self.reg_tower = conv_tower(feat_channels, num_convs, depthwise)
        self.cls_pred = nn.Conv2d(feat_channels, 1, 3, padding=1)
        self.bbox_pred = nn.Conv2d(feat_channels, 4, 3, padding=1)
        self.bbox_scale = nn.Parameter(torch.full((1,), 0.1))
        self.bbox_bias = nn.Parameter(torch.full((1, 4, 1, 1), float(box_bias)))
        self.align_conv = AlignedConv(feat_channels, feat_channels) if with_align else None
        self.align_pred = nn.Conv2d(feat_channels, 1, 1) if with_align else None
        self.loss_cls = MODELS.build(loss_cls or dict(type='BalancedBCELoss'))
        self.loss_bbox = MODELS.build(loss_bbox or dict(type='LTRBIoULoss'))
        self.loss_align_weight = loss_align_weight

    def encode_template(self, template: Tensor) -> Kernels:
        """Turn template features (N, C, h, w) into correlation kernels, once per target."""
        return Kernels(
            self.cls_combination.encode_template(template),
            self.reg_combination.encode_template(template),
        )

    def forward(
        self, kernels: Kernels, search: Tensor, search_size: int | None = None
    ) -> OceanMaps:
        """Predict scores and boxes for every location.

        Args:
            kernels: What :meth:`encode_template` returned.
            search: Search features, shape (N, C, H, W).
            search_size: Side of the search crop in pixels; that of training if left out.

        Returns:
            The maps, of S x S locations.
        """
        cls_features = self.cls_combination(kernels.cls, search)
        reg_features = self.reg_combination(kernels.reg, search)
        cls_logits = CLS_SCALE * self.cls_pred(self.cls_tower(cls_features))
        reg = self.reg_tower(reg_features)
        # Half precision cannot hold what the exponential may reach.
        log_ltrb = (self.bbox_scale * self.bbox_pred(reg) + self.bbox_bias).float()
        ltrb = log_ltrb.clamp(max=MAX_LOG_DISTANCE).exp()
        search_size = search_size or self.search_size
        align_logits = None
        if self.align_conv is not None:
            boxes = self.boxes_in_crop(ltrb, search_size)
            offsets = box_offsets(boxes, self.stride, search_size)
            align_logits = self.align_pred(F.relu(self.align_conv(reg, offsets)))
        return OceanMaps(cls_logits, align_logits, ltrb, cls_features, reg_features, search_size)

    def boxes_in_crop(self, ltrb: Tensor, search_size: int | None = None) -> Tensor:
        """Boxes (N, 4, S, S), xyxy in pixels of the crop, from distances (N, 4, S, S)."""
        x, y = self.locations(ltrb, search_size)
        left, top, right, bottom = ltrb.unbind(1)
        return torch.stack([x - left, y - top, x + right, y + bottom], 1)

    def locations(self, like: Tensor, search_size: int | None = None) -> tuple[Tensor, Tensor]:
        """Where the locations lie in the search crop.

        Args:
            like: A map (..., S, S) whose size, device and type count.
            search_size: Side of the search crop in pixels; that of training if left out.

        Returns:
            x of shape (S,) and y of shape (S, 1) in pixels.
        """
        size = like.size(-1)
        axis = torch.arange(size, device=like.device, dtype=like.dtype)
        axis = to_pixels(axis, size, self.stride, search_size or self.search_size)
        return axis, axis[:, None]

    def loss(self, maps: OceanMaps, boxes: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            maps: What :meth:`forward` returned.
            boxes: True boxes in pixels of the search crops, shape (N, 4), xyxy.
            present: 1 for samples that hold the target, 0 for negative pairs, shape (N,).

        Returns:
            ``loss_cls``, ``loss_bbox`` and, with the object-aware branch, ``loss_align``.
        """
        present = present.to(boxes)[:, None, None]
        labels = self.center_labels(maps.ltrb, boxes) * present
        target, inside = self.box_targets(maps.ltrb, boxes)
        inside = inside & (present > 0)
        losses = dict(
            loss_cls=self.loss_cls(maps.cls_logits[:, 0], labels),
            loss_bbox=self._loss_bbox(maps.ltrb, target, inside),
        )
        if maps.align_logits is not None:
            losses['loss_align'] = self._loss_align(maps, target, inside)
        return losses

    def center_labels(self, like: Tensor, boxes: Tensor) -> Tensor:
        """Labels of the regular-region classifier: 1 near the target's centre, else 0.

        As in the published code, the centre is first rounded, towards the middle of the crop, to a
        location.

        Args:
            like: A map (..., S, S) whose size, device and type count.
            boxes: True boxes in pixels of the search crops, shape (N, 4), xyxy.

        Returns:
            Labels of shape (N, S, S).
        """
        size = like.size(-1)
        cells = torch.arange(size, device=like.device, dtype=like.dtype)
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        from_middle = to_cells(center, 1, self.stride, self.search_size).trunc()
        cell = from_middle + size // 2
        distance_x = (cells - cell[:, 0:1]).abs()[:, None, :]
        distance_y = (cells - cell[:, 1:2]).abs()[:, :, None]
        return (distance_x + distance_y <= self.positive_radius).to(like.dtype)

    def box_targets(self, like: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """True distances of every location to the box's sides, and which locations lie inside.

        Args:
            like: A map (..., S, S) whose size, device and type count.
            boxes: True boxes in pixels of the search crops, shape (N, 4), xyxy.

        Returns:
            Distances of shape (N, S, S, 4) in pixels, and a boolean map of shape (N, S, S).
        """
        x, y = self.locations(like)
        x1, y1, x2, y2 = boxes.to(like.dtype)[:, :, None, None].unbind(1)
        sides = torch.broadcast_tensors(x - x1, y - y1, x2 - x, y2 - y)
        target = torch.stack(sides, -1)
        return target, target.amin(-1) > 0

    def _loss_bbox(self, ltrb: Tensor, target: Tensor, inside: Tensor) -> Tensor:
        # The mean over the processes may lie below 1. A count of zero comes with a sum of zero.
        count = reduce_mean(inside.sum().to(ltrb)).clamp(min=torch.finfo(ltrb.dtype).eps)
        pred = ltrb.permute(0, 2, 3, 1)[inside]
        return self.loss_bbox(pred, target[inside], avg_factor=count)

    def _loss_align(self, maps: OceanMaps, target: Tensor, inside: Tensor) -> Tensor:
        """The object-aware label of a location inside the box is the IoU of its predicted box."""
        logits = maps.align_logits[:, 0].float()
        ious = ltrb_iou(maps.ltrb.detach().permute(0, 2, 3, 1), target)
        labels = torch.where(inside, ious, torch.zeros_like(ious)).clamp(0, 1)
        return self.loss_align_weight * F.binary_cross_entropy_with_logits(logits, labels)


def conv_tower(channels: int, num_convs: int, depthwise: bool = False) -> nn.Sequential:
    """A stack of 3x3 convolutions with batch norm and ReLU that keeps shape and width."""
    return nn.Sequential(
        *(conv_block(channels, channels, padding=1, depthwise=depthwise) for _ in range(num_convs))
    )
