"""One of two processes that share batches; what it finds goes into ``<folder>/rank<r>.pt``.

Usage: python joint_worker.py RANK PORT FOLDER
"""

import os
import sys
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement, InstanceData
from torch import distributed

from mmpolar.evaluation.metrics import TrackSegMetric
from mmpolar.registry import MODELS

N_RAYS = 8
SIZE = 25
PER_RANK = 4
MODEL = dict(
    type='Ocean',
    backbone=dict(type='EfficientNetLite0', out_indices=(2,)),
    neck=dict(type='AdjustNeck', in_channels=[40], out_channels=8, template_cells=8),
    head=dict(type='OceanHead', in_channels=8, feat_channels=8, num_convs=1, box_bias=3.0),
    mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1, n_rays=N_RAYS),
)
# Kinds of the samples: P has a target with a mask, B a target without one, N is a negative pair, t
# a target so small that a single location lies in it. The first four go to rank 0.
BATCHES = dict(
    uneven='PPPB' 'BNNN',
    no_positive_on_rank_0='NNNN' 'PBPB',
    masks_on_rank_0_only='PPPP' 'BBBB',
    one_location_in_all='NNNN' 'NNNt',
    negatives_only='NNNN' 'NNNN',
)  # fmt: skip


def main(rank: int, port: int, folder: Path) -> None:
    own_folder = folder / f'cwd{rank}'
    own_folder.mkdir()
    os.chdir(own_folder)
    found = dict(alone={}, shared={})
    if rank == 0:
        for name, kinds in BATCHES.items():
            found['alone'][name] = losses_and_gradients(build_model(), *build_batch(kinds))
    distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    own = slice(rank * PER_RANK, (rank + 1) * PER_RANK)
    model = MMDistributedDataParallel(build_model(), broadcast_buffers=False)
    for name, kinds in BATCHES.items():
        inputs, samples = build_batch(kinds)
        inputs = {key: value[own] for key, value in inputs.items()}
        found['shared'][name] = losses_and_gradients(model, inputs, samples[own])
    found['metrics'] = track_two_videos(rank)
    found['files'] = sorted(str(path) for path in own_folder.rglob('*'))
    torch.save(found, folder / f'rank{rank}.pt')
    distributed.destroy_process_group()


def build_model() -> torch.nn.Module:
    """The same weights every time. Batch norm keeps its statistics: those of a batch differ."""
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(build_batch('NN')[0])
    return model.eval()


def build_batch(kinds: str) -> tuple[dict, list]:
    generator = torch.Generator().manual_seed(1)
    inputs = dict(
        img=torch.randn(len(kinds), 1, 3, 127, 127, generator=generator),
        search_img=torch.randn(len(kinds), 1, 3, 255, 255, generator=generator),
    )
    return inputs, [build_sample(kind, generator) for kind in kinds]


def build_sample(kind: str, generator: torch.Generator) -> DetDataSample:
    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    side = torch.tensor([3.0]) if kind == 't' else uniform(10, 60, 1)
    center = torch.full((1, 2), 127.0) if kind == 't' else uniform(90, 160, 1, 2)
    sample = DetDataSample()
    sample.search_gt_instances = InstanceData(
        bboxes=torch.cat([center - side, center + side], 1),
        labels=torch.tensor([int(kind != 'N')]),
    )
    if kind == 'P':
        sample.polar_targets = BaseDataElement(
            radii=uniform(5, 60, N_RAYS, SIZE, SIZE),
            positive=uniform(0, 1, SIZE, SIZE) > 0.9,
            centerness=uniform(0.1, 1, SIZE, SIZE),
        )
    return sample


def losses_and_gradients(model: torch.nn.Module, inputs: dict, samples: list) -> dict:
    model.zero_grad()
    losses = model(inputs, samples, mode='loss')
    sum(losses.values()).backward()
    module = getattr(model, 'module', model)
    return dict(
        losses={name: float(value) for name, value in losses.items()},
        gradients={name: p.grad.clone() for name, p in module.named_parameters()},
    )


def track_two_videos(rank: int) -> dict:
    """Metrics of video 0 on rank 0 and video 1 on rank 1."""
    metric = TrackSegMetric()
    for frame in range(3):
        box = torch.tensor([[10.0, 10.0, 30.0, 30.0]])
        answer = InstanceData(bboxes=box + torch.tensor([5.0 * rank, 0, 5 * rank, 0]))
        answer.scores = torch.ones(1)
        metric.process(
            None,
            [
                dict(
                    video_name=f'video{rank}',
                    video_id=rank,
                    frame_id=frame,
                    video_length=3,
                    gt_instances=dict(bboxes=box),
                    pred_track_instances=dict(answer.items()),
                )
            ],
        )
    return metric.evaluate(size=6)


if __name__ == '__main__':
    with DefaultScope.overwrite_default_scope('mmpolar'):
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
