"""The parts of an Ocean tracker as functions of plain tensors, ready to be traced."""

import copy

import torch.nn.functional as F  # noqa: N812
from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn

from mmpolar.models.heads import Kernels, OceanMaps
from mmpolar.models.layers.aligned_conv import OnnxAlignedConv
from mmpolar.models.layers.correlation import OnnxCombination
from mmpolar.models.layers.joined_convs import OnnxJoinedConvs
from mmpolar.models.layers.ray_sampling import onnx_sample_points
from mmpolar.models.segmentors import MaskStage, StageReference
from mmpolar.models.trackers import Ocean
from mmpolar.runtime.graph_inputs import COMBINED, FINE_MAP, MIDDLE, OTHER_COMBINED, PROTOTYPES


class TemplateGraph(nn.Module):
    """Template crops to correlation kernels.

    Args:
        model: A tracker of :func:`prepare`.
    """

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.model = model

    def forward(self, template: Tensor, target_map: Tensor | None = None) -> tuple[Tensor, ...]:
        """Encode template crops.

        Args:
            template: Template crops (T, 127, 127, 3), uint8 BGR.
            target_map: 1 on the target and 0 elsewhere, (T, 127, 127) uint8, for a tracker with a
                refinement head.

        Returns:
            The kernels of both branches and, with a refinement head, the prototypes.
        """
        kernels = self.model.encode_template(_to_graph_input(self.model, template), target_map)
        encoded = kernels.cls + kernels.reg
        return encoded if kernels.prototypes is None else (*encoded, kernels.prototypes)


class SearchGraph(nn.Module):
    """Search crops and kernels to maps.

    Args:
        model: A tracker of :func:`prepare`.
    """

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.model = model

    def forward(self, search: Tensor, kernels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Search for T targets at once.

        Args:
            search: Search crops (T, X, X, 3), uint8 BGR.
            kernels: What :class:`TemplateGraph` gave.

        Returns:
            Scores (T, S, S), distances (T, 4, S, S) and, with a mask head, the maps (T, C, H, W)
            that :class:`ContourGraph` reads.
        """
        return tuple(self.find(search, kernels).values())

    def find(self, search: Tensor, kernels: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The same by name."""
        half = len(kernels) // 2
        kernels = Kernels(kernels[:half], kernels[half:])
        maps = self.model.search(kernels, _to_graph_input(self.model, search))
        scores = maps.scores(self.model.params.score_ratio)
        return dict(scores=scores, ltrb=maps.ltrb) | _contour_maps(self.model, maps)


class ContourGraph(nn.Module):
    """What the search graph found around the selected locations, to radii.

    Args:
        model: A tracker of :func:`prepare`, with a mask head.
        names: Names of the inputs that come after the locations: the maps of
            :class:`SearchGraph` and, with a refinement head, ``'prototypes'``, what
            :class:`TemplateGraph` gave last, (T, C, 2, 1); ``'middle'``, pixel X // 2 of the search
            crop that the middle location lies at, (); ``'ltrb'``, distances (T, 4, S, S).
    """

    def __init__(self, model: Ocean, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, locations: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """Measure the rays of one location of each target.

        Args:
            locations: Locations counted row by row, (T,) int64.
            inputs: What the names say.

        Returns:
            Radii in pixels of the search crop, (T, n).
        """
        named = dict(zip(self.names, inputs, strict=True))
        maps = OceanMaps(
            cls_logits=None,
            align_logits=None,
            ltrb=named.get('ltrb'),
            cls_features=named.get(OTHER_COMBINED),
            reg_features=named.get(COMBINED),
            search_size=2 * named[MIDDLE] if MIDDLE in named else None,
            fine_features=tuple(named[name] for name in named if name.startswith(FINE_MAP)),
        )
        return self.model.radii_at(maps, named.get(PROTOTYPES), locations[:, None])[:, 0]


class MaskGraph(nn.Module):
    """Crops around the targets' boxes to masks.

    Args:
        model: A tracker of :func:`prepare`, with a mask stage.
    """

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.stage = model.mask_stage

    def forward(
        self, crops: Tensor, priors: Tensor, reference_keys: Tensor, reference_masks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decide on the pixels of T crops.

        Args:
            crops: Crops (T, X, X, 3), uint8 BGR.
            priors: Box, contour and recent mask, (T, 3, h, w).
            reference_keys: Keys of both references, (T, 2, K, R).
            reference_masks: Their masks, (T, 2, h, w).

        Returns:
            Logits (T, h, w), expected IoU (T,) in [0, 1], and the crops' own keys (T, K, R).
        """
        features = self.stage.encode(_to_graph_input(self.stage, crops))
        references = [
            StageReference(reference_keys[:, slot], reference_masks[:, slot : slot + 1])
            for slot in range(2)
        ]
        logits, quality = self.stage.decode(features, priors, references)
        return logits, quality.sigmoid(), features.keys


def _contour_maps(model: Ocean, maps: OceanMaps) -> dict[str, Tensor]:
    """The maps that a contour is measured on, by the names that they have between the graphs."""
    if model.mask_head is None:
        return {}
    named = {}
    if model.mask_head.feature == 'reg' or model.refine_head is not None:
        named[COMBINED] = maps.reg_features
    if model.mask_head.feature == 'cls':
        named[OTHER_COMBINED] = maps.cls_features
    return named | {f'{FINE_MAP}{index}': fine for index, fine in enumerate(maps.fine_features)}


def prepare(model: Ocean) -> Ocean:
    """A copy of a tracker for export: in test mode, on the CPU, batch norm folded, layers replaced.

    Args:
        model: The tracker; it is not changed.
    """
    model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    fuse_conv_bn(model)
    head = model.head
    head.cls_combination = OnnxCombination(head.cls_combination)
    head.reg_combination = OnnxCombination(head.reg_combination)
    if head.align_conv is not None:
        head.align_conv = OnnxAlignedConv(head.align_conv)
    if model.refine_head is not None:
        model.refine_head.sample_points = onnx_sample_points
    _take_bgr(model)
    if model.mask_stage is not None:
        blocks = model.mask_stage.blocks
        model.mask_stage.blocks = nn.ModuleList(OnnxJoinedConvs(block) for block in blocks)
        _take_bgr(model.mask_stage)
    return model


def _take_bgr(model: Ocean | MaskStage) -> None:
    """Swap the weights of the first convolution instead of the channels of every crop."""
    preprocessor = model.data_preprocessor
    first = next(layer for layer in model.backbone.modules() if isinstance(layer, nn.Conv2d))
    if preprocessor.bgr_to_rgb and first.in_channels == 3:
        first.weight = nn.Parameter(first.weight.flip(1), requires_grad=False)
        preprocessor.mean, preprocessor.std = preprocessor.mean.flip(0), preprocessor.std.flip(0)
        preprocessor.bgr_to_rgb = False


def to_input(model: Ocean | MaskStage, crops: Tensor) -> Tensor:
    """Normalise crops (T, X, X, 3), uint8 BGR, as the tracker does: float32 (T, 3, X, X)."""
    return model.data_preprocessor.normalize(crops.permute(0, 3, 1, 2))


def _to_graph_input(model: Ocean | MaskStage, crops: Tensor) -> Tensor:
    """What :func:`to_input` gives, to rounding, in a form that ONNX Runtime computes fast.

    As plain arithmetic it is moved in front of the transposition in 8-bit graphs, where it runs over
    rows of three numbers and takes a millisecond.
    """
    preprocessor = model.data_preprocessor
    images = crops.permute(0, 3, 1, 2).float()
    if preprocessor.bgr_to_rgb:
        images = images.flip(1)
    return F.batch_norm(images, preprocessor.mean.flatten(), preprocessor.std.flatten() ** 2, eps=0)
