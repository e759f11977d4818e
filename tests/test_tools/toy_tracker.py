"""A model of one number with data to match, for trying the training and testing scripts.

It learns where the square that its videos show has its top left corner, and answers with it.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import Dataset

from mmpolar.registry import DATASETS, METRICS, MODELS

SIZE = 32
CORNER = 10.0
SIDE = 8


@DATASETS.register_module()
class ToySquares(Dataset):
    """Two videos of three frames with a white square that stays where it is."""

    def __init__(self, folder: str) -> None:
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        image[int(CORNER) : int(CORNER) + SIDE, int(CORNER) : int(CORNER) + SIDE] = 255
        self.frames = []
        for video in range(2):
            for frame in range(3):
                path = Path(folder) / f'video{video}' / f'{frame:05d}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                # Two processes make the same files: each is there whole, or not at all.
                own = path.with_suffix(f'.{os.getpid()}.png')
                cv2.imwrite(str(own), image)
                own.replace(path)
                self.frames.append((video, frame, str(path)))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict:
        video, frame, path = self.frames[index]
        sample = DetDataSample(
            metainfo=dict(
                img_path=path,
                ori_shape=(SIZE, SIZE),
                img_shape=(SIZE, SIZE),
                frame_id=frame,
                video_id=video,
                video_length=3,
                video_name=f'video{video}',
            )
        )
        sample.gt_instances = InstanceData(bboxes=square(CORNER)[None], labels=torch.zeros(1))
        image = torch.from_numpy(cv2.imread(path)).permute(2, 0, 1)[None]
        return dict(inputs=dict(img=image), data_samples=sample)


@MODELS.register_module()
class ToyTracker(BaseModel):
    """Predicts one square for every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.corner = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: dict, data_samples: list, mode: str = 'tensor'):
        if mode == 'loss':
            targets = torch.stack([sample.gt_instances.bboxes[0, 0] for sample in data_samples])
            return dict(loss=(self.corner - targets).square().mean())
        for sample in data_samples:
            sample.pred_track_instances = InstanceData(
                bboxes=square(float(self.corner))[None], scores=torch.ones(1), labels=torch.zeros(1)
            )
        return data_samples


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean left edge of the answers, and their number (MMEngine writes whole numbers as null)."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples) -> None:
        for sample in data_samples:
            self.results.append(float(sample['pred_track_instances']['bboxes'][0, 0]))

    def compute_metrics(self, results: list) -> dict:
        return dict(left=float(np.mean(results)), frames=float(len(results)))


def square(corner: float) -> torch.Tensor:
    return torch.tensor([corner, corner, corner + SIDE, corner + SIDE])
