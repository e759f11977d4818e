"""A small training with a pool of negatives, on real files, whose scores can be worked out."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn

from mmpolar.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

SIDE = 16


def write_images(folder: Path, count: int, seed: int = 0) -> list[str]:
    """Noisy images of random colours."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        shown = rng.integers(0, 256, 3) + rng.normal(0, 25, (SIDE, SIDE, 3))
        paths.append(str(folder / f'{number:03d}.png'))
        cv2.imwrite(paths[-1], np.clip(shown, 0, 255).astype(np.uint8))
    return paths


@DATASETS.register_module(force=True)
class ToyFolder(BaseDataset):
    """All files of a folder, in the order of their names."""

    def load_data_list(self) -> list[dict]:
        return [dict(img_path=str(path)) for path in sorted(Path(self.data_root).iterdir())]


@TRANSFORMS.register_module(force=True)
class ReadPixels:
    def __call__(self, results: dict) -> dict:
        img = cv2.imread(results['img_path'])
        assert img is not None, f'no image in {results["img_path"]}'
        return {**results, 'img': img}


@TRANSFORMS.register_module(force=True)
class PackPixels:
    """Packs a test image; of a composite the first positive, with the paths of its negatives."""

    def __call__(self, results: dict) -> dict:
        negatives = results.get('negatives', [])
        first = results['positives'][0] if 'positives' in results else results
        meta = dict(
            img_path=first['img_path'],
            negatives=[negative['img_path'] for negative in negatives],
        )
        inputs = torch.from_numpy(first['img']).permute(2, 0, 1).float() / 255
        return dict(inputs=inputs, data_samples=DetDataSample(metainfo=meta))


TEST_PIPELINE = [dict(type='ReadPixels'), dict(type='PackPixels')]


@MODELS.register_module(force=True)
class ToyDetector(BaseModel):
    """Finds one box in the middle of an image, with a score that depends on all its pixels."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.frozen = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 1)
        self.num_tested = 0

    def init_weights(self) -> None:
        super().init_weights()
        nn.init.constant_(self.head.bias, 0.7)

    def train(self, mode: bool = True) -> 'ToyDetector':
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if isinstance(inputs, list):
            inputs = torch.stack(inputs)
        features = self.frozen(self.stem(8 * inputs - 4))
        logits = self.head(self.dropout(features.mean((2, 3))))[:, 0]
        if mode == 'loss':
            return dict(loss_cls=nn.functional.softplus(-logits).mean())
        self.num_tested += len(inputs)
        for sample, score in zip(data_samples, logits.sigmoid(), strict=True):
            sample.pred_instances = self.answer(score, sample)
        return data_samples

    def answer(self, score: torch.Tensor, sample: DetDataSample) -> InstanceData:
        box = torch.tensor([[4.0, 4.0, 11.0, 11.0], [2.0, 2.0, 6.0, 6.0]])
        return InstanceData(
            bboxes=box, scores=torch.stack([score, score / 2]), labels=torch.tensor([0, 1])
        )


@MODELS.register_module(force=True)
class BlindDetector(ToyDetector):
    """Finds nothing."""

    def answer(self, score, sample):
        return InstanceData(
            bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0).long()
        )


@MODELS.register_module(force=True)
class DivergedDetector(ToyDetector):
    """Scores one of the images with what is not a number."""

    def answer(self, score, sample):
        if sample.img_path.endswith('007.png'):
            score = score * float('nan')
        return super().answer(score, sample)


@HOOKS.register_module(force=True)
class Recorder(Hook):
    """Negatives, losses and scores of each iteration, and the mode of each module."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.negatives: dict[int, list[str]] = {}
        self.losses: list[float] = []
        self.draws: list[float] = []
        self.modes: dict[int, dict[str, bool]] = {}

    def before_train_epoch(self, runner) -> None:
        self.modes[runner.epoch] = {n: m.training for n, m in runner.model.named_modules()}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.negatives[runner.iter] = [
            Path(path).name for sample in data_batch['data_samples'] for path in sample.negatives
        ]
        self.losses.append(outputs['loss'].item())
        self.draws.append(float(np.random.rand()) + float(torch.rand(())))  # noqa: NPY002


def make_config(root: Path, hook: dict | None, by_epoch: bool = True, **changes) -> dict:
    """Arguments of a Runner that trains on ``root/positives`` and ``root/negatives``."""
    length = dict(max_epochs=3) if by_epoch else dict(max_iters=6)
    config = dict(
        model=dict(type='ToyDetector'),
        work_dir=str(root / 'work'),
        default_scope='mmpolar',
        experiment_name=f'mining_{abs(hash(str(root)))}_{np.random.default_rng().integers(1 << 60)}',
        randomness=dict(seed=3),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=dict(
                type='CompositeDataset',
                positives=folder_config(root / 'positives'),
                negatives=folder_config(root / 'negatives'),
                pipeline=[dict(type='PackPixels')],
                num_composites=4,
                num_positives=1,
                num_negatives=2,
            ),
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=by_epoch, **length),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        default_hooks=dict(
            checkpoint=dict(type='AtomicCheckpointHook', interval=1, by_epoch=by_epoch)
        ),
        custom_hooks=[] if hook is None else [hook_config(**hook)],
    )
    return config | changes


def folder_config(folder: Path) -> dict:
    # Serialising collects garbage, which takes longer than all of the rest.
    return dict(
        type='ToyFolder',
        data_root=str(folder),
        serialize_data=False,
        pipeline=[dict(type='ReadPixels')],
    )


def hook_config(**options) -> dict:
    return {
        **dict(type='HardNegativeMiningHook', pipeline=TEST_PIPELINE, batch_size=4, num_workers=0),
        **options,
    }


def train(
    root: Path, hook: dict | None, by_epoch: bool = True, **changes
) -> tuple[Runner, Recorder]:
    """Train with a mining hook of these options, or with none."""
    config = make_config(root, hook, by_epoch, **changes)
    recorder = Recorder()
    config['custom_hooks'] = [*config['custom_hooks'], recorder]
    runner = Runner(**config)
    runner.train()
    return runner, recorder


def make_pool(root: Path, num_negatives: int = 21, num_positives: int = 5) -> list[str]:
    """Write both folders again; the names of the negatives."""
    shutil.rmtree(root / 'negatives', ignore_errors=True)
    write_images(root / 'positives', num_positives, seed=1)
    return [Path(path).name for path in write_images(root / 'negatives', num_negatives, seed=2)]


@torch.no_grad()
def scores_one_by_one(model: nn.Module, folder: Path) -> dict[str, float]:
    """The score of each image of a folder, worked out alone."""
    was_training = model.training
    model.eval()
    scores = {}
    for path in sorted(folder.iterdir()):
        packed = PackPixels()(ReadPixels()(dict(img_path=str(path))))
        (sample,) = model.test_step(
            dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
        )
        scores[path.name] = float(max(sample.pred_instances.scores, default=0.0))
    model.train(was_training)
    return scores
