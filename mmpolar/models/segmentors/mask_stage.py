"""The mask stage: which pixels of a crop around the target's box are the target."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import ConvModule
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmpolar.models.layers import JoinedConvs
from mmpolar.registry import MODELS
from mmpolar.tracking.mask_stage import KEY_STRIDE, MaskParams

# References: the first frame and a recent one.
_SLOTS = 2
# Channels of a comparison: likeness to the target, to the background, their softmax-weighted share.
_MATCH_MAPS = 3
_PRIOR_MAPS = 3


class StageFeatures(NamedTuple):
    """What the backbone sees in crops of side X.

    Attributes:
        levels: Maps (N, C_i, X / s_i, X / s_i), from the finest to the coarsest.
        keys: Features for comparisons, (N, K, (X / 8)^2), of length 1 along K.
    """

    levels: tuple[Tensor, ...]
    keys: Tensor


class StageReference(NamedTuple):
    """A crop in which target and background are known.

    Attributes:
        keys: See :class:`StageFeatures`.
        mask: Share of the target in each output cell, (N, 1, X / 2, X / 2) in [0, 1]; all zero
            where there is no reference.
    """

    keys: Tensor
    mask: Tensor


@MODELS.register_module()
class MaskStage(BaseModel):
    """Decide pixel by pixel, at the target's own scale, what the target is.

    The input is a square crop around the target's box, ``context`` times its longer side. A
    feature pyramid of the backbone is decoded from coarse to fine. Each level of the decoder also
    gets *priors* (the tracker's box, its polar contour rendered as a region, and the mask of a
    recent frame in that frame's own crop); the levels of stride 8 and 16 get a *comparison* of
    each cell with the cells of two references, the first frame and a recent one: the highest
    cosine similarity with a cell of the target and with one of the background (as in FEELVOS,
    Voigtlaender et al., CVPR 2019, equations 3 and 4, with cosines for distances), and the share
    of the target among similar cells (a softmax over all cells of the reference, as the memory
    read-out of STM, Oh et al., ICCV 2019, equation 1).

    In training the V crops of a group show one target; each is decoded with two of the others as
    its references, so that a crop passes through the backbone once.

    Args:
        backbone: Config of the backbone; its outputs have the strides ``strides``.
        in_channels: Channels of its outputs.
        strides: Their strides in pixels, ascending, with 2 first and 8 and 16 among them.
        feat_channels: Channels of the decoder at each level.
        match_channels: Channels K of the keys.
        params: Fields of :class:`mmpolar.tracking.MaskParams` to change: the crops' size and
            context, and how a tracker uses the masks.
        reference_prob: Probability in training that a crop gets its references; otherwise the
            stage must do without, as in the first frame. What is never given in training, with a
            probability of 0, is left out in use, too.
        recent_prior_prob: Probability in training that the mask of the recent reference is a prior;
            likewise.
        contour_prior_prob: Probability in training that the contour is a prior; likewise.
        loss_mask: Config of the loss of the masks, called with logits and targets (N, h, w).
        loss_quality_weight: Weight of the loss of the predicted IoU.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If the numbers of channels and strides differ, the strides lack 2, 8 or 16, or
            a parameter is out of its range.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: Sequence[int] = (16, 24, 40, 112, 320),
        strides: Sequence[int] = (2, 4, 8, 16, 32),
        feat_channels: Sequence[int] = (16, 24, 40, 64, 96),
        match_channels: int = 48,
        params: dict | None = None,
        reference_prob: float = 0.85,
        recent_prior_prob: float = 0.7,
        contour_prior_prob: float = 0.8,
        loss_mask: dict | None = None,
        loss_quality_weight: float = 0.2,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        data_preprocessor = data_preprocessor or dict(type='MaskCropPreprocessor')
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        if not len(in_channels) == len(strides) == len(feat_channels):
            raise ValueError(
                'in_channels, strides and feat_channels need one number a level, got '
                f'{len(in_channels)}, {len(strides)} and {len(feat_channels)}'
            )
        if strides[0] != 2 or not {KEY_STRIDE, 2 * KEY_STRIDE} <= set(strides):
            raise ValueError(f'strides must begin with 2 and hold 8 and 16, got {tuple(strides)}')
        self.strides = tuple(strides)
        self.params = MaskParams(key_channels=match_channels, **(params or {}))
        self.reference_prob = reference_prob
        self.recent_prior_prob = recent_prior_prob
        self.contour_prior_prob = contour_prior_prob
        self.backbone = MODELS.build(backbone)
        norm = dict(norm_cfg=dict(type='BN'))
        self.laterals = nn.ModuleList(
            ConvModule(channels, width, 1, act_cfg=None, **norm)
            for channels, width in zip(in_channels, feat_channels, strict=True)
        )
        self._match_from = self.strides.index(KEY_STRIDE)
        self.key_convs = nn.ModuleList(
            nn.Conv2d(channels, match_channels, 1) for channels in in_channels[self._match_from :]
        )
        # exp(3) sharpens cosines in -1..1 to a softmax over the cells of a reference.
        self.log_sharpness = nn.Parameter(torch.tensor(3.0))
        blocks, above = [], ()
        for stride, width in zip(self.strides[::-1], feat_channels[::-1], strict=True):
            matched = _SLOTS * _MATCH_MAPS if stride in (KEY_STRIDE, 2 * KEY_STRIDE) else 0
            maps = (width, _PRIOR_MAPS + matched, *above)
            blocks.append(JoinedConvs(maps, width))
            above = (width,)
        self.blocks = nn.ModuleList(blocks)
        self.mask_pred = nn.Conv2d(feat_channels[0], 1, 1)
        self.quality_pred = nn.Linear(2 * feat_channels[self._match_from], 1)
        self.loss_mask = MODELS.build(loss_mask or dict(type='MaskLoss'))
        self.loss_quality_weight = loss_quality_weight

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | Tensor:
        """Losses of a batch of groups, or the logits of their crops.

        Args:
            inputs: ``img`` (B, V, 3, X, X), normalised crops of B groups; ``priors``
                (B, V, 2, X / 2, X / 2), box and contour, and ``reference_masks``
                (B, V, X / 2, X / 2), the masks as references have them, in [0, 1]; with ``'loss'``
                also ``gt_masks`` (B, V, X / 2, X / 2), the ground truth.
            data_samples: Not used; MMEngine's loops pass it.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            Losses by name, or logits (B, V, X / 2, X / 2).

        Raises:
            ValueError: If the mode is none of the three.
        """
        if mode == 'loss':
            return self.loss(inputs)
        if mode in ('predict', 'tensor'):
            return self._decode_groups(inputs)[0].unflatten(0, inputs['img'].shape[:2])
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def encode(self, crops: Tensor) -> StageFeatures:
        """Features of normalised crops (N, 3, X, X)."""
        levels = tuple(self.backbone(crops.contiguous(memory_format=torch.channels_last)))
        matched = levels[self._match_from :]
        keys = self.key_convs[0](matched[0])
        for conv, level in zip(self.key_convs[1:], matched[1:], strict=True):
            keys = keys + _enlarge(conv(level), keys)
        return StageFeatures(levels, F.normalize(keys.flatten(2).float(), dim=1))

    def decode(
        self,
        features: StageFeatures,
        priors: Tensor,
        references: Sequence[StageReference],
    ) -> tuple[Tensor, Tensor]:
        """Masks of encoded crops.

        Args:
            features: Output of :meth:`encode`.
            priors: Box, contour and the recent frame's mask, (N, 3, X / 2, X / 2) in [0, 1]; a
                prior that is not known is zero.
            references: The first frame, and a recent one.

        Returns:
            Logits of each output cell being the target, (N, X / 2, X / 2); the cell (r, c) covers
            the pixels 2r, 2r + 1 and 2c, 2c + 1 of the crop. And the logit of the expected IoU of
            the mask with the ground truth, (N,).
        """
        priors, references = self._known_from_training(priors, references)
        sharpness = self.log_sharpness.exp()
        size = features.levels[self._match_from].shape[-2:]
        matches = torch.cat(
            [compare(features.keys, *reference, sharpness, size) for reference in references], 1
        )
        x = None
        for conv, level, stride, block in zip(
            self.laterals[::-1], features.levels[::-1], self.strides[::-1], self.blocks, strict=True
        ):
            known = _shrink(priors, stride // 2)
            if stride in (KEY_STRIDE, 2 * KEY_STRIDE):
                known = torch.cat([known, _shrink(matches, stride // KEY_STRIDE)], 1)
            above = () if x is None else (_enlarge(x, level),)
            x = block((conv(level), known, *above))
            if stride == KEY_STRIDE:
                middle = x
        logits = self.mask_pred(x)
        return logits[:, 0], self._quality(middle, logits)

    def loss(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """``loss_mask`` terms and ``loss_quality`` of a batch of groups, see :meth:`forward`."""
        logits, quality = self._decode_groups(inputs)
        target = inputs['gt_masks'].flatten(0, 1)
        losses = self.loss_mask(logits, target)
        iou = mask_iou(logits.detach(), target)
        loss = F.binary_cross_entropy_with_logits(quality, iou)
        return losses | dict(loss_quality=self.loss_quality_weight * loss, iou=iou.mean())

    def _decode_groups(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Decode each crop with the next two of its group as its references."""
        groups, views = inputs['img'].shape[:2]
        features = self.encode(inputs['img'].flatten(0, 1))
        keys = features.keys.unflatten(0, (groups, views))
        masks = inputs['reference_masks'].unsqueeze(2)
        references = []
        for slot in range(1, _SLOTS + 1):
            given = self._given(masks[:, :, :1, :1, :1], self.reference_prob)
            known = masks.roll(-slot, 1) * given
            references.append(
                StageReference(keys.roll(-slot, 1).flatten(0, 1), known.flatten(0, 1))
            )
        contour = self._given(masks[:, :, :1, :1, :1], self.contour_prior_prob).flatten(0, 1)
        recent = self._given(masks[:, :, :1, :1, :1], self.recent_prior_prob).flatten(0, 1)
        box_map, contour_map = inputs['priors'].flatten(0, 1).split(1, 1)
        priors = torch.cat([box_map, contour_map * contour, references[-1].mask * recent], 1)
        return self.decode(features, priors, references)

    def _known_from_training(
        self, priors: Tensor, references: Sequence[StageReference]
    ) -> tuple[Tensor, Sequence[StageReference]]:
        """Inputs without those that the stage was never given in training."""
        probs = (1.0, self.contour_prior_prob, self.recent_prior_prob)
        if 0 in probs:
            priors = priors * priors.new_tensor([prob > 0 for prob in probs]).view(1, -1, 1, 1)
        if self.reference_prob == 0:
            references = [StageReference(keys, torch.zeros_like(mask)) for keys, mask in references]
        return priors, references

    def _given(self, like: Tensor, prob: float) -> Tensor:
        """1 with a probability and 0 otherwise, of a shape; 1 outside training."""
        return (torch.rand_like(like) < prob).to(like) if self.training else torch.ones_like(like)

    def _quality(self, features: Tensor, logits: Tensor) -> Tensor:
        """Logit of the expected IoU, from mean features inside the mask and of the whole crop."""
        inside = _shrink(logits.detach().sigmoid(), KEY_STRIDE // 2)
        total = inside.sum((2, 3)).clamp(min=1.0)
        means = [(features * inside).sum((2, 3)) / total, features.mean((2, 3))]
        return self.quality_pred(torch.cat(means, 1))[:, 0]


def compare(
    keys: Tensor, reference_keys: Tensor, mask: Tensor, sharpness: Tensor, size: tuple[int, int]
) -> Tensor:
    """Compare each cell with the cells of a reference.

    Args:
        keys: Keys of the crops, (N, K, Q), of length 1 along K.
        reference_keys: Keys of the reference, (N, K, R), likewise.
        mask: Share of the target in the reference's output cells, (N, 1, h, w).
        sharpness: Factor on the cosines in the softmax, a scalar.
        size: Height and width of the map of Q cells.

    Returns:
        Highest similarity plus 1 with target cells and with background cells, and the share of
        target cells among similar ones, (N, 3, *size). All are 0 where the reference's mask is
        empty: such a reference says nothing.
    """
    with torch.autocast(keys.device.type, enabled=False):
        inside = F.avg_pool2d(mask.to(keys), KEY_STRIDE // 2).flatten(2)
        is_known = (inside.amax(2) > 0).to(keys)
        # The product itself gives sharpness * (similarity + 1), as each pass over all pairs takes time;
        # a softmax does not see what is added.
        raised = (sharpness * _with_ones(keys)).transpose(1, 2) @ _with_ones(reference_keys)
        to_target = _highest(raised, inside) / sharpness
        to_background = _highest(raised, 1 - inside) / sharpness * is_known
        share = (raised.softmax(2) @ inside.transpose(1, 2))[..., 0]
    return torch.stack([to_target, to_background, share], 1).unflatten(2, size)


def _with_ones(keys: Tensor) -> Tensor:
    """Keys (N, K, Q) with a channel of ones."""
    return torch.cat([keys, torch.ones_like(keys[:, :1])], 1)


def _highest(similarity: Tensor, weight: Tensor) -> Tensor:
    """Highest weighted similarity in each row: (N, Q, R) and (N, 1, R) give (N, Q)."""
    if not similarity.requires_grad:
        return (similarity * weight).amax(2)
    # The gradient of amax reads and writes all pairs several times, this one the highest alone.
    with torch.no_grad():
        best = (similarity * weight).argmax(2, keepdim=True)
    highest = similarity.gather(2, best) * weight.expand_as(similarity).gather(2, best)
    return highest[..., 0]


def mask_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of predicted and true masks (N, h, w), each cut at one half; 1 where both are empty."""
    predicted, true = logits > 0, target > 0.5
    union = (predicted | true).sum((1, 2))
    shared = (predicted & true).sum((1, 2))
    return torch.where(union > 0, shared / union.clamp(min=1), torch.ones_like(shared / 1))


def _enlarge(maps: Tensor, like: Tensor) -> Tensor:
    """Maps, bilinear, in the size of others, which is a multiple of theirs."""
    # With a factor that is a plain number ONNX Runtime keeps the maps in its blocks of channels.
    factor = int(like.size(-1)) // int(maps.size(-1))
    return F.interpolate(maps, scale_factor=factor, mode='bilinear', align_corners=False)


def _shrink(maps: Tensor, factor: int) -> Tensor:
    return maps if factor == 1 else F.avg_pool2d(maps, factor)
