"""The two halves of an Ocean tracker as functions of plain tensors, ready to be traced."""

import copy

from mmcv.cnn import fuse_conv_bn
from torch import Tensor, nn

from mmpolar.deployment.onnx_layers import OnnxAlignedConv, OnnxCombination
from mmpolar.models.heads import Kernels
from mmpolar.models.trackers import Ocean


class TemplateGraph(nn.Module):
    """Template crops to correlation kernels.

    Args:
        model: A tracker of :func:`prepare`.
    """

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.model = model

    def forward(self, template: Tensor) -> tuple[Tensor, ...]:
        """Encode template crops (T, 127, 127, 3), uint8 BGR; the kernels of both branches."""
        kernels = self.model.encode_template(to_input(self.model, template))
        return kernels.cls + kernels.reg


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
            Scores (T, S, S), distances (T, 4, S, S) and, with a mask head, radii (T, n, S, S).
        """
        half = len(kernels) // 2
        kernels = Kernels(kernels[:half], kernels[half:])
        maps, radii = self.model.search(kernels, to_input(self.model, search))
        scores = maps.scores(self.model.params.score_ratio)
        return (scores, maps.ltrb) if radii is None else (scores, maps.ltrb, radii)


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
    return model


def to_input(model: Ocean, crops: Tensor) -> Tensor:
    """Normalise crops (T, X, X, 3), uint8 BGR, as the tracker does: float32 (T, 3, X, X)."""
    return model.data_preprocessor.normalize(crops.permute(0, 3, 1, 2))
