"""Our trackers as they are measured: PyTorch and ONNX Runtime, with what is known of their networks."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from benchmarks.speed.clocks import ModuleClock, count_flops
from benchmarks.speed.peers import (
    NANOTRACK,
    OPENCV_TRACKERS,
    ORIGINAL,
    FrameTracker,
    OriginalTracker,
    load_plain_ocean,
)
from benchmarks.speed.runtime_profile import profile_search
from benchmarks.speed.videos import Video
from mmpolar.apis import init_tracker
from mmpolar.datasets import BaseTrackDataset
from mmpolar.deployment import export_onnx
from mmpolar.deployment.quantize import quantize_folder
from mmpolar.model_zoo import available_models, find_checkpoint
from mmpolar.models.trackers import Ocean, TorchEngine
from mmpolar.registry import MODELS
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SearchMaps, SingleTargetTracker
from mmpolar.utils.checkpoints import load_weights, read_checkpoint
from mmpolar.utils.checkpoints.ocean_checkpoint import convert_ocean_weights

#: Factor on the last weights of a random network.
_CALM = 0.01
#: Crops that the ranges of activations are taken from: enough for times, too few for good boxes.
_CALIBRATION_CROPS = 8
SMALL_PEERS = (NANOTRACK, *OPENCV_TRACKERS)


@dataclass
class Contender:
    """One tracker that takes part.

    Attributes:
        name: Name in the table.
        tracker: The tracker.
        peers: Names of the contenders that it is compared with.
        flops: Operations of its network for one search crop; None if they cannot be counted.
        numbers: Kind of numbers it computes with: ``'fp32'``, ``'bf16'`` or ``'int8'``.
        split: Steps through frames and tells the seconds a frame of its network's parts; None
            where that cannot be had.
    """

    name: str
    tracker: FrameTracker
    peers: tuple[str, ...] = ()
    flops: float | None = None
    numbers: str = 'fp32'
    split: Callable[[list[np.ndarray]], dict[str, float]] | None = None


@dataclass
class Family:
    """One config in all its forms; they have the same weights.

    Attributes:
        name: Short name of the config.
        config: The config.
        checkpoint: File with the weights.
        contenders: Its forms.
        remarks: What is missing, and why.
    """

    name: str
    config: str | Path | Config
    checkpoint: str
    contenders: list[Contender] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class ClockedEngine(OnnxEngine):
    """ONNX Runtime that adds up the seconds of its search graph and of its contour graph.

    Args:
        folder: The model folder.
        threads: Threads of the network.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        super().__init__(folder, threads)
        self.seconds = 0.0
        self.contour_seconds = 0.0

    def search(self, *args: Any) -> SearchMaps:
        """Look for targets."""
        begin = time.perf_counter()
        maps = super().search(*args)
        self.seconds += time.perf_counter() - begin
        return maps

    def contours(self, *args: Any) -> np.ndarray:
        """Measure contours."""
        begin = time.perf_counter()
        radii = super().contours(*args)
        self.contour_seconds += time.perf_counter() - begin
        return radii


def build_family(
    name: str,
    config: str | Config,
    folder: Path,
    threads: int,
    calibration: BaseTrackDataset | None = None,
    checkpoint: str | None = None,
) -> Family:
    """A config's tracker in PyTorch, in bfloat16, and exported to ONNX Runtime in fp32 and int8.

    Args:
        name: Short name of the config.
        config: The config.
        folder: Where the exported graphs are put.
        threads: Threads of both engines.
        calibration: Sequences to calibrate int8 with; None leaves int8 out.
        checkpoint: Weights; without them the backbone has those of its ``init_cfg`` where they are
            installed, and the rest is random. What a step does depends on scores, so its time does too.

    Returns:
        The contenders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if checkpoint is None:
        checkpoint = _save(init_model(config), folder)
    family = Family(name, config, checkpoint)
    return _add_forms(family, folder, threads, calibration, SMALL_PEERS)


def packaged_weights(config: str | Path | Config) -> str | None:
    """File of the weights that the package has of the config's name, if there is one."""
    name = None if isinstance(config, Config) else Path(config).stem
    return str(find_checkpoint(name)) if name in available_models() else None


def without_mask_stage(
    config: str | Path | Config, checkpoint: str | None, folder: Path
) -> tuple[Config, str | None]:
    """A config without its mask stage, and its weights likewise, written into a folder."""
    config = Config(config.to_dict()) if isinstance(config, Config) else Config.fromfile(config)
    config.model.mask_stage = None
    if checkpoint is None:
        return config, None
    kept = {
        name: value
        for name, value in read_checkpoint(checkpoint)['state_dict'].items()
        if not name.startswith('mask_stage.')
    }
    path = folder / f'{Path(checkpoint).stem}_tracker.pth'
    torch.save(dict(state_dict=kept), path)
    return config, str(path)


def build_original_family(
    name: str,
    config: str,
    folder: Path,
    threads: int,
    calibration: BaseTrackDataset | None,
    video: Video,
) -> Family:
    """The ResNet-50 config with the weights of the original, and the original itself.

    Args:
        name: Short name of the config.
        config: The config.
        folder: Where the exported graphs are put.
        threads: Threads of both engines.
        calibration: As for :func:`build_family`.
        video: Its crops settle the random weights.

    Returns:
        The contenders, the original first.
    """
    plain = load_plain_ocean()
    if plain is None:
        family = build_family(name, config, folder, threads, calibration=calibration)
        family.remarks.append(
            f'{ORIGINAL} was not measured: its rendition comes with a checkout of the source'
        )
        return family
    crops = _crops(plain, video)
    net = _random_original(plain, crops)
    model = build_model(config)
    model.load_state_dict(convert_ocean_weights(net.state_dict(), model.state_dict()).weights)
    _calm(model.mask_head.radius_pred)
    folder.mkdir(parents=True, exist_ok=True)
    family = Family(
        name, config, _save(model, folder), remarks=[_agreement(model.eval(), net, crops)]
    )
    original = plain.PlainTracker(net)
    crop = torch.zeros(1, 3, 255, 255)
    family.contenders.append(
        Contender(
            ORIGINAL,
            OriginalTracker(original),
            flops=count_flops(lambda: net.track(crop)),
            split=lambda frames: _clock(_groups_of_original(net), original.track, frames),
        )
    )
    return _add_forms(family, folder, threads, calibration, (ORIGINAL,))


def _add_forms(
    family: Family,
    folder: Path,
    threads: int,
    calibration: BaseTrackDataset | None,
    peers: tuple[str, ...],
) -> Family:
    name = family.name
    # Of the convolutions as they are defined: the layers of a loaded tracker multiply less.
    flops = network_flops(init_tracker(family.config, family.checkpoint, optimize='none').model)
    for numbers, dtype in (('fp32', torch.float32), ('bf16', torch.bfloat16)):
        tracker = init_tracker(family.config, family.checkpoint, dtype=dtype, threads=threads)
        label = 'PyTorch' if numbers == 'fp32' else f'PyTorch {numbers}'
        clock = partial(_clock, _groups(tracker.model), tracker.step)
        family.contenders.append(
            Contender(f'{name}, {label}', tracker, peers, flops, numbers, clock)
        )
    for precision, path in _exported(family, folder, calibration).items():
        label = 'ONNX Runtime' if precision == 'fp32' else f'ONNX Runtime {precision}'
        runtime = SingleTargetTracker(ClockedEngine(path, threads))
        clock = partial(_clock_runtime, runtime, profile_search(path, threads))
        family.contenders.append(
            Contender(f'{name}, {label}', runtime, peers, flops, precision, clock)
        )
    return family


def network_flops(model: Ocean) -> int:
    """Operations of a tracker's network for one frame, in which it follows one target."""
    side = 2 * model.params.template_size
    frame = np.zeros((side, side, 3), np.uint8)
    tracker = SingleTargetTracker(TorchEngine(model))
    tracker.init(frame, np.array([0.25, 0.25, 0.75, 0.75]) * side)
    return count_flops(lambda: tracker.step(frame))


def build_model(config: str | Path | Config) -> Ocean:
    """The tracker of a config with fresh weights, as it is trained."""
    config = config if isinstance(config, Config) else Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmpolar'):
        return MODELS.build(config.model)


def init_model(config: str | Path | Config) -> Ocean:
    """A tracker with the weights of its backbone's ``init_cfg``, random ones if these are not here."""
    model = build_model(config)
    logging.disable(logging.INFO)  # a line for each of some hundred tensors
    try:
        model.init_weights()
    except (ImportError, OSError):
        model.backbone.init_cfg = None
        model.init_weights()
    finally:
        logging.disable(logging.NOTSET)
    last = 'cls_pred', 'bbox_pred', 'align_pred', 'radius_pred', 'inside_pred'
    heads = filter(None, (model.head, model.mask_head, model.refine_head))
    _calm(*filter(None, (getattr(head, name, None) for head in heads for name in last)))
    return model


def _save(model: Ocean, folder: Path) -> str:
    path = folder / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


def _crops(plain: ModuleType, video: Video) -> tuple[torch.Tensor, torch.Tensor]:
    """The original's template and search crop of a video's first frame."""
    frame, box = video.frames[0], video.boxes[0]
    position, size = (box[:2] + box[2:]) / 2 + 0.5, box[2:] - box[:2]
    color = frame.mean(axis=(0, 1))
    side = float(plain.padded_size(*size))
    template, search = (
        plain.to_input(plain.crop_window(frame, position, out, round(side * out / 127), color))
        for out in (plain.TEMPLATE_SIZE, 255)
    )
    return template, search


def _random_original(plain: ModuleType, crops: tuple[torch.Tensor, torch.Tensor]) -> Any:
    """The original's network with random weights that give lively features on crops."""
    net = plain.randomize(plain.PlainOcean(), *crops)
    _calm(net.connect_model.cls_pred, net.connect_model.bbox_pred, net.align_head.rpn_cls)
    return net


@torch.no_grad()
def _calm(*layers: torch.nn.Conv2d) -> None:
    """Random weights give values so large that rounding would show in the fourth digit."""
    for layer in layers:
        layer.weight *= _CALM


@torch.no_grad()
def _agreement(model: Ocean, net: Any, crops: tuple[torch.Tensor, torch.Tensor]) -> str:
    """How far the maps of both networks differ on the same crops."""
    net.template(crops[0])
    score, ltrb, aligned = net.track(crops[1])
    maps, _ = model.correlate(*crops)
    scores, aligned_scores, distances = (
        (ours - theirs).abs().max().item()
        for ours, theirs in (
            (maps.cls_logits.sigmoid(), score.sigmoid()),
            (maps.align_logits.sigmoid(), aligned.sigmoid()),
            (maps.ltrb, ltrb),
        )
    )
    return (
        'r50 and the original have the same weights; on one pair of crops their scores differ by at '
        f'most {scores:.1e}, aligned scores by {aligned_scores:.1e}, distances by {distances:.1e} px'
    )


def _groups(model: Ocean) -> dict[str, list[torch.nn.Module]]:
    """Modules of the network's parts; a part that the model lacks is left out."""
    head = model.head
    groups = {
        'backbone': [model.backbone],
        'neck + correlation': [model.neck, head.cls_combination, head.reg_combination],
        'head': [head],
    }
    contour = [part for part in (model.mask_head, model.refine_head) if part is not None]
    return groups | ({'contour head': contour} if contour else {})


def _groups_of_original(net: Any) -> dict[str, list[torch.nn.Module]]:
    head = net.connect_model
    return {
        'backbone': [net.features],
        'neck + correlation': [
            net.neck,
            head.cls_encode,
            head.reg_encode,
            head.cls_dw,
            head.reg_dw,
        ],
        'head': [head] + ([] if net.align_head is None else [net.align_head]),
    }


def _clock(
    groups: Mapping[str, list], step: Callable[[np.ndarray], Any], frames: list[np.ndarray]
) -> dict[str, float]:
    """Seconds a frame of each part of a network in PyTorch."""
    with ModuleClock(groups) as clock:
        for frame in frames:
            step(frame)
    return {name: seconds / len(frames) for name, seconds in clock.seconds.items()}


def _clock_runtime(
    tracker: SingleTargetTracker, shares: Mapping[str, float], frames: list[np.ndarray]
) -> dict[str, float]:
    """Seconds a frame of the network in ONNX Runtime, told apart as its profiler does."""
    engine = tracker.engine
    engine.seconds = engine.contour_seconds = 0.0
    for frame in frames:
        tracker.step(frame)
    seconds, total = engine.seconds / len(frames), sum(shares.values())
    split = {part: seconds * share / total for part, share in shares.items()}
    if engine.contour_seconds:
        split['contour head'] = engine.contour_seconds / len(frames)
    return split


def _exported(
    family: Family, folder: Path, calibration: BaseTrackDataset | None
) -> dict[str, Path]:
    """Model folders by precision."""
    paths = {'fp32': folder / 'fp32'}
    model = build_model(family.config)
    load_weights(model, family.checkpoint)
    export_onnx(model, paths['fp32'])
    if calibration is not None:
        paths['int8'] = folder / 'int8'
        quantize_folder(paths['fp32'], paths['int8'], calibration, _CALIBRATION_CROPS)
    return paths
