"""A small tracker whose answers depend on what it sees, and the model folder exported from it."""

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmpolar.datasets.synthetic import make_scene
from mmpolar.deployment import export_onnx
from mmpolar.deployment.ocean_graphs import to_input
from mmpolar.models.trackers import Ocean, TorchEngine
from mmpolar.registry import MODELS
from mmpolar.tracking import SingleTargetTracker
from mmpolar.tracking.state import TargetState

CONFIG = Path(__file__).resolve().parents[1] / 'small_ocean.py'


def small_tracker(**model_options) -> SingleTargetTracker:
    """A tracker with random weights and fitting batch norm; ``model_options`` change the config."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(dict(model=model_options))
    if model_options.get('mask_head', '') is None:
        cfg.model.mask_head = None
    model = MODELS.build(cfg.model)
    nn.init.normal_(model.head.cls_pred.weight, std=2.0)
    nn.init.normal_(model.head.bbox_pred.weight, std=0.3)
    if model.head.align_pred is not None:
        nn.init.normal_(model.head.align_pred.weight, std=0.5)
    if model.mask_head is not None:
        nn.init.normal_(model.mask_head.radius_pred.weight, std=0.05)
    fit_batch_norm(model)
    return SingleTargetTracker(TorchEngine(model.eval()))


def state_of(tracker: SingleTargetTracker) -> TargetState:
    """The state of a tracker's target; changes to it count."""
    [state] = tracker._tracker._targets.values()
    return state


@torch.no_grad()
def fit_batch_norm(model: Ocean) -> None:
    """Set the statistics to those of some crops: otherwise random weights let no signal through."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = None  # the mean over all that it sees
    crops = np.stack([frame[:127, :127] for frame in video()[:4]])
    search = np.stack([cv2.resize(frame, (255, 255)) for frame in video()[:4]])
    model.correlate(*(to_input(model, torch.from_numpy(images)) for images in (crops, search)))


#: Changes to the small tracker that give it a refinement head.
REFINED = dict(
    backbone=dict(out_indices=(0, 1, 2)),
    refine_head=dict(
        type='ContourRefineHead',
        in_channels=[16, 24, 40],
        strides=[2, 4, 8],
        combined_channels=8,
        feat_channels=8,
        n_rays=36,
        n_samples=8,
    ),
)


@lru_cache(maxsize=2)
def small_model_folder(refined: bool = False) -> Path:
    """The folder of :func:`small_tracker`, made once a session; not to be changed.

    Args:
        refined: Whether the tracker has a refinement head.
    """
    folder = Path(tempfile.mkdtemp(prefix='mmpolar-small-model-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    export_onnx(small_tracker(**(REFINED if refined else {})).model, folder)
    return folder


@lru_cache(maxsize=4)
def video(index: int = 1, frames: int = 8) -> list[np.ndarray]:
    """Frames of a generated video, (240, 320, 3)."""
    scene = make_scene(seed=0, split='val', index=index, frames=frames)
    return [scene.render(number)[0] for number in range(frames)]
