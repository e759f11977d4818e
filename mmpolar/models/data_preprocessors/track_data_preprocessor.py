"""Batching and normalisation of pairs and of test frames."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from numpy.typing import NDArray
from torch import Tensor

from mmpolar.registry import MODELS

PAIR_KEYS = ('img', 'search_img')


@MODELS.register_module()
class TrackDataPreprocessor(BaseDataPreprocessor):
    """Stack pairs and normalise them; leave test frames as they are.

    Images travel as uint8 and become floating point here, on the model's device. A test frame
    stays uint8 and where it is: the tracker normalises the crops that it cuts out of it. Test
    batches of pairs, which have ``search_img``, are prepared as those of training are.

    Args:
        mean: Mean of each channel, in the order of the model's input.
        std: Standard deviation of each channel.
        bgr_to_rgb: Whether to turn the BGR images of the data into RGB.
        non_blocking: Whether copies to the device may overlap with computation.

    Raises:
        ValueError: If mean or std does not have three numbers, or a std is not positive.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        bgr_to_rgb: bool = False,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f'mean and std need three numbers, std positive: {mean}, {std}')
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs`` and ``data_samples`` as the data loader collated them. For pairs
                ``inputs`` holds, for ``img`` and ``search_img``, N tensors of shape (1, 3, H, W);
                for a test frame ``img`` holds one tensor of shape (1, 3, H, W), and the samples
                are those of its targets, as ``MultiTargetDataset`` gives them, or a single one.
            training: Whether the batch is for training.

        Returns:
            The same keys: for pairs (N, 1, 3, H, W) normalised float tensors, for a test frame a
            (1, 1, 3, H, W) uint8 tensor.

        Raises:
            ValueError: If a test batch holds more than one frame.
        """
        inputs, samples = data['inputs'], data.get('data_samples')
        if training or 'search_img' in inputs:
            inputs = self.cast_data({key: inputs[key] for key in PAIR_KEYS})
            inputs = {key: self.normalize(_stack(images)) for key, images in inputs.items()}
            return dict(inputs=inputs, data_samples=self.cast_data(samples))
        frames = inputs['img']
        if len(frames) != 1:
            raise ValueError(
                f'a tracker takes one frame at a time, got {len(frames)}: set batch_size=1 in '
                'the test data loader'
            )
        frame = frames if isinstance(frames, Tensor) else frames[0][None]
        return dict(inputs=dict(img=frame), data_samples=_flat(samples))

    def normalize(self, images: Tensor) -> Tensor:
        """Normalise crops.

        Args:
            images: BGR images in 0..255, shape (..., 3, H, W), any type.

        Returns:
            Float32 images of the same shape on the model's device.
        """
        images = images.to(self.device).float()
        if self.bgr_to_rgb:
            images = images.flip(-3)
        return (images - self.mean) / self.std

    def normalize_crops(self, crops: NDArray[np.uint8]) -> Tensor:
        """Normalise crops as a tracker cuts them out: what :meth:`normalize` gives, and faster.

        Args:
            crops: BGR crops, shape (N, H, W, 3).

        Returns:
            Float32 images (N, 3, H, W), channels last, on the model's device.
        """
        count, height, width, channels = crops.shape
        rows = crops.reshape(count * height, width, channels)
        if self.bgr_to_rgb:
            rows = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
        rows = torch.from_numpy(rows).to(self.device).float().flatten(1)
        # With one number for each value of a row no operation stops after three.
        mean, std = (value.flatten().repeat(width) for value in (self.mean, self.std))
        return rows.sub_(mean).div_(std).view(crops.shape).permute(0, 3, 1, 2)


def _stack(images: Sequence[Tensor] | Tensor) -> Tensor:
    return images if isinstance(images, Tensor) else torch.stack(list(images))


def _flat(samples: Sequence[Any] | None) -> list[Any] | None:
    """Samples, where the data loader made a list of each."""
    if samples and isinstance(samples[0], list | tuple):
        return list(chain.from_iterable(samples))
    return samples
