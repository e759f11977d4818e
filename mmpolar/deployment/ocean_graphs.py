"""The two halves of an Ocean tracker as functions of plain tensors, ready to be traced."""

import copy

from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn

from mmpolar.deployment.onnx_layers import OnnxAlignedConv, OnnxCombination, sample_points
from mmpolar.models.heads import Kernels, OceanMaps
from mmpolar.models.trackers import Ocean


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
        kernels = self.model.encode_template(to_input(self.model, template), target_map)
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
            Scores (T, S, S), distances (T, 4, S, S) and, with a mask head, radii (T, n, S, S); with
            a refinement head also the maps that :class:`RefineGraph` reads.
        """
        half = len(kernels) // 2
        kernels = Kernels(kernels[:half], kernels[half:])
        maps, radii = self.model.search(kernels, to_input(self.model, search))
        scores = maps.scores(self.model.params.score_ratio)
        outputs = (scores, maps.ltrb) if radii is None else (scores, maps.ltrb, radii)
        if self.model.refine_head is None:
            return outputs
        return (*outputs, maps.reg_features, *maps.fine_features)


class RefineGraph(nn.Module):
    """What the search graph found at the elected locations, to better radii.

    Args:
        model: A tracker of :func:`prepare`, with a refinement head.
    """

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.head = model.refine_head

    def forward(
        self,
        prototypes: Tensor,
        poles: Tensor,
        middle: Tensor,
        ltrb: Tensor,
        coarse: Tensor,
        combined: Tensor,
        fine: tuple[Tensor, ...],
    ) -> Tensor:
        """Measure the rays of one location of each target.

        Args:
            prototypes: What :class:`TemplateGraph` gave last, (T, C, 2, 1).
            poles: The locations in pixels of the search crop, (T, 2).
            middle: Pixel X // 2 of the search crop that the middle location lies at, ().
            ltrb: Distances to the sides of the box there, (T, 4).
            coarse: Radii of the mask head there, (T, n).
            combined: Combined features, (T, C, S, S).
            fine: Fine maps, (T, C_i, H_i, W_i).

        Returns:
            Radii in pixels of the search crop, (T, n).
        """
        unused = coarse
        maps = OceanMaps(unused, None, ltrb, unused, combined, 2 * middle, fine)
        logits, reach = self.head(maps, prototypes, poles[:, None], ltrb[:, None], coarse[:, None])
        return self.head.radii(logits, reach)[:, 0]


def prepare(model: Ocean) -> Ocean:
    """A copy of a tracker for export: in test mode, on the CPU, batch norm folded, layers replaced.

    Args:
        model: The tracker; it is not changed.
    """
    model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    model.memo = None
    fuse_conv_bn(model)
    head = model.head
    head.cls_combination = OnnxCombination(head.cls_combination)
    head.reg_combination = OnnxCombination(head.reg_combination)
    if head.align_conv is not None:
        head.align_conv = OnnxAlignedConv(head.align_conv)
    if model.refine_head is not None:
        model.refine_head.sample_points = sample_points
    return model


def to_input(model: Ocean, crops: Tensor) -> Tensor:
    """Normalise crops (T, X, X, 3), uint8 BGR, as the tracker does: float32 (T, 3, X, X)."""
    return model.data_preprocessor.normalize(crops.permute(0, 3, 1, 2))
