"""Bilinear sampling as it is defined, cell by cell."""

import math

import torch
from torch import Tensor


def slow_sample(features: Tensor, x: float, y: float) -> Tensor:
    """Values (C,) of a map (C, H, W) between four cells, those outside being 0."""
    value = torch.zeros(len(features))
    for row in (math.floor(y), math.floor(y) + 1):
        for col in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < features.shape[1] and 0 <= col < features.shape[2]:
                value += (1 - abs(x - col)) * (1 - abs(y - row)) * features[:, row, col]
    return value
