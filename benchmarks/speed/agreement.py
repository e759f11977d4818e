"""Whether a device gives what the CPU gives: tracking, and a few hundred training steps with AMP."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from mmengine.dataset import pseudo_collate

from benchmarks.speed.contenders import init_model
from benchmarks.speed.data_path import our_pairs
from benchmarks.speed.results import Part, Row
from benchmarks.speed.videos import Video
from mmpolar.apis import init_tracker
from mmpolar.evaluation.functional import box_iou
from mmpolar.models.trackers import Ocean
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SingleTargetTracker

#: Boxes of a video, tracked on the device, overlap those of the CPU at least so much on average.
LEAST_IOU = {'float32': 0.99, 'bfloat16': 0.9}
#: The mean loss of the last quarter of the steps differs from the CPU's by this share at most.
LOSS_TOLERANCE = 0.05
CUDA_PROVIDER = 'CUDAExecutionProvider'
_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 1e-4
_MAX_NORM = 10


def measure_agreement(
    device: str,
    models: Sequence[str],
    config: str | Path,
    video: Video,
    data: str,
    steps: int = 300,
    batch: int = 8,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Compare a device with the CPU.

    Args:
        device: PyTorch device, for example ``'cuda'``.
        models: Names of the packaged trackers to track with.
        config: The config to train.
        video: What is tracked.
        data: Folder in the layout of DAVIS, for training pairs.
        steps: Training steps.
        batch: Pairs of a step.
        tick: Called with the name of what is compared next.

    Returns:
        A table; its remarks name what does not agree.
    """
    part = Part('agreement')
    if torch.device(device).type == 'cuda' and not torch.cuda.is_available():
        part.remarks.append('nothing was compared: PyTorch sees no CUDA device here')
        return part
    for model in models:
        tick(f'tracking with {model}')
        expected = follow(init_tracker(model), video)
        for dtype, least in LEAST_IOU.items():
            tracker = init_tracker(model, device=device, dtype=dtype)
            overlaps = box_iou(follow(tracker, video), expected).tolist()
            _add(part, f'{model}, boxes on {device}, {dtype}', 'IoU', overlaps, least, True)
        if CUDA_PROVIDER in onnxruntime.get_available_providers():
            overlaps = box_iou(follow(on_cuda_provider(model), video), expected).tolist()
            way = f'{model}, boxes of ONNX Runtime, {CUDA_PROVIDER}'
            _add(part, way, 'IoU', overlaps, LEAST_IOU['float32'], True)
        else:
            part.remarks.append(f'{model}: this ONNX Runtime has no {CUDA_PROVIDER}')
    tick(f'training {steps} steps')
    model = init_model(config)
    pairs = our_pairs(config, data)
    exact, other = (
        train(deepcopy(model).to(where), pairs, steps, batch, with_amp)
        for where, with_amp in (('cpu', False), (device, True))
    )
    quarter = max(1, steps // 4)
    means = [statistics.mean(values[-quarter:]) for values in (exact, other)]
    difference = abs(means[1] - means[0]) / means[0]
    way = f'training with AMP on {device}, mean loss of the last {quarter} steps off the CPU by'
    _add(part, way, 'share', [difference], LOSS_TOLERANCE, False)
    part.facts['losses'] = dict(cpu=exact, device=other)
    return part


def follow(tracker: SingleTargetTracker, video: Video) -> np.ndarray:
    """Boxes (F, 4) of the frames after the first."""
    tracker.init(video.frames[0], video.boxes[0])
    return np.stack([tracker.step(frame).box for frame in video.frames[1:]])


def on_cuda_provider(model: str) -> SingleTargetTracker:
    """A packaged tracker whose graphs ONNX Runtime computes on a GPU."""

    class CudaEngine(OnnxEngine):
        providers = (CUDA_PROVIDER, *OnnxEngine.providers)

    return SingleTargetTracker(CudaEngine(model))


def train(model: Ocean, pairs: Any, steps: int, batch: int, with_amp: bool) -> list[float]:
    """Train on the same pairs in the same order as every other call; gives the loss of each step."""
    device = next(model.parameters()).device
    dtype = torch.float16 if device.type == 'cuda' else torch.bfloat16
    scaler = torch.amp.GradScaler(device.type, enabled=with_amp and dtype == torch.float16)
    options = dict(lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    optimizer = torch.optim.AdamW(model.parameters(), **options)
    model.train()
    losses = []
    for step in range(steps):
        indices = range(step * batch, (step + 1) * batch)
        data: Mapping[str, Any] = pseudo_collate([pairs[index % len(pairs)] for index in indices])
        inputs = model.data_preprocessor(data, training=True)
        with torch.autocast(device.type, dtype, enabled=with_amp):
            loss = sum(model(**inputs, mode='loss').values())
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_NORM)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


def _add(
    part: Part, way: str, unit: str, values: list[float], limit: float, at_least: bool
) -> None:
    row = Row('a device beside the CPU', way, unit, values)
    mean = statistics.mean(values)
    agrees = mean >= limit if at_least else mean <= limit
    wanted = f'mean {mean:.4f}, wanted {"at least" if at_least else "at most"} {limit}'
    row.remark = wanted
    part.rows.append(row)
    if not agrees:
        part.remarks.append(f'DOES NOT AGREE: {way}: {wanted}')
