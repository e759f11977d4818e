"""What a detector sees in a box: its own features, averaged over the box."""

from typing import Any

import numpy as np
import torch
from mmengine.model import is_model_wrapper
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray
from torch import Tensor, nn


class DetectionFeatures:
    """Keeps the feature maps of a detector's last batch, and averages them over boxes.

    As a context manager it listens to the model's ``neck``, or its ``backbone`` if it has none, for as
    long as the block runs.

    Args:
        model: The detector, also within a wrapper for several devices.

    Raises:
        ValueError: If the model has neither.
    """

    def __init__(self, model: nn.Module) -> None:
        inner = model.module if is_model_wrapper(model) else model
        modules = (getattr(inner, name, None) for name in ('neck', 'backbone'))
        found = next((module for module in modules if isinstance(module, nn.Module)), None)
        if found is None:
            raise ValueError(
                f'{type(inner).__name__} has no neck and no backbone whose features could be '
                'compared; leave out what compares them'
            )
        self._module = found
        self._handle: Any = None
        self._maps: list[Tensor] = []

    def __enter__(self) -> 'DetectionFeatures':
        self._handle = self._module.register_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()
        self._maps = []

    def pooled(
        self, position: int, sample: BaseDataElement, box: NDArray[np.float64] | None
    ) -> NDArray[np.float32]:
        """The features of a box, the mean over the cells that it touches in each map.

        Args:
            position: Of the sample in the last batch.
            sample: What the model answered for it; its meta says how the image was scaled.
            box: x1, y1, x2, y2 in pixels of the image; None for all of it.

        Returns:
            Vector of length 1: the means of all maps, each scaled to the same length, (F,).
        """
        parts = [
            nn.functional.normalize(_mean_in(maps[position], sample, box), dim=0)
            for maps in self._maps
        ]
        return nn.functional.normalize(torch.cat(parts), dim=0).cpu().numpy()

    def _keep(self, module: nn.Module, args: tuple, output: Any) -> None:
        outputs = output if isinstance(output, tuple | list) else [output]
        self._maps = [maps.detach().float() for maps in outputs if maps.ndim == 4]


def _mean_in(map: Tensor, sample: BaseDataElement, box: NDArray[np.float64] | None) -> Tensor:
    """Mean (C,) of a map (C, h, w) over the cells that a box touches."""
    height, width = map.shape[1:]
    if box is None:
        return map.mean((1, 2))
    scale_x, scale_y = sample.get('scale_factor', (1.0, 1.0))[:2]
    input_height, input_width = sample.get('batch_input_shape', sample.get('img_shape'))[:2]
    columns = np.array([box[0], box[2]]) * scale_x * width / input_width
    rows = np.array([box[1], box[3]]) * scale_y * height / input_height
    x1, x2 = _cells(columns, width)
    y1, y2 = _cells(rows, height)
    return map[:, y1:y2, x1:x2].mean((1, 2))


def _cells(ends: NDArray[np.float64], size: int) -> tuple[int, int]:
    """First cell and the one after the last, at least one, that a span touches."""
    first = int(np.clip(np.floor(ends[0]), 0, size - 1))
    return first, int(np.clip(np.ceil(ends[1]), first + 1, size))
