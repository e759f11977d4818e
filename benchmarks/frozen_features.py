"""The runs of hard_negatives.py on features that the frozen backbone computes once, for many seeds."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import Dataset

from benchmarks.shared.runs import fingerprint, has_mark, write_mark
from mmpolar.mining.pool.negative_pool import default_test_pipeline, with_pipeline
from mmpolar.registry import DATASETS, MODELS, TRANSFORMS
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.bfloat16 import computes_bfloat16
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.random_state import seeded_globally

#: Views of an image that training samples, each with another scale, position, flip and colour.
_POSITIVE_VIEWS, _NEGATIVE_VIEWS = 12, 2
_BATCH = 32


@MODELS.register_module()
class GivenFeatures(BaseModule):
    """A backbone whose input is what the frozen backbone made of the image."""

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor]:
        """The features, of shape (N, C, H, W), as the only level."""
        return (features,)


@DATASETS.register_module()
class FeatureDataset(Dataset):
    """Images of which the features are on the disk, in one view or several.

    Args:
        path: Stem of the two files that :func:`compute_features` wrote.
    """

    metainfo = dict(classes=('target',))

    def __init__(self, path: str) -> None:
        self._images = json.loads(Path(f'{path}.json').read_text())
        features = np.load(f'{path}.npy', mmap_mode='r')
        self._features = features.reshape(len(self._images), -1, *features.shape[1:])

    def __len__(self) -> int:
        """Number of images."""
        return len(self._images)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """The path of an image, and its boxes in the first view."""
        image = self._images[index]
        boxes = [dict(bbox=box, ignore_flag=0) for box in image['boxes'][0]]
        return dict(img_path=image['img_path'], instances=boxes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample for the model, of a view chosen at random."""
        image = self._images[index]
        view = random.randrange(len(image['boxes']))
        sample = DetDataSample(
            metainfo=dict(
                img_id=index,
                img_path=image['img_path'],
                img_shape=image['shape'],
                ori_shape=image['shape'],
                scale_factor=(1.0, 1.0),
            )
        )
        boxes = torch.tensor(image['boxes'][view]).reshape(-1, 4)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes)).long())
        features = torch.from_numpy(self._features[index, view].astype(np.float32))
        return dict(inputs=features, data_samples=sample)


@TRANSFORMS.register_module()
class SeparateSamples(BaseTransform):
    """Gives the positives and negatives of ``CompositeDataset`` as they are, one by one."""

    def transform(self, results: dict) -> list[dict]:
        """The samples of ``positives`` and ``negatives``."""
        return [*results['positives'], *results['negatives']]


def freeze(cfg: Config, folder: Path) -> None:
    """Let a run train neck and head alone, on the features in a folder.

    Args:
        cfg: Config of a run that trains on images one by one.
        folder: From :func:`compute_features`.
    """

    def features(name: str) -> dict[str, Any]:
        return dict(type='mmpolar.FeatureDataset', path=str(folder / name))

    cfg.model.backbone = dict(type='mmpolar.GivenFeatures')
    cfg.model.data_preprocessor = dict(type='DetDataPreprocessor')
    data = cfg.train_dataloader.dataset
    data.positives = features('positives')
    if data.negatives is not None:
        data.negatives = features('negatives')
    data.pipeline = [dict(type='mmpolar.SeparateSamples')]
    for hook in cfg.custom_hooks:
        hook.update(pool=features('pool'), num_workers=0, num_sheet_images=0, batch_size=64)
    cfg.test_dataloader.batch_size = 64
    cfg.test_dataloader.dataset = features('test')


@torch.no_grad()
def compute_features(cfg: Config, folder: Path) -> None:
    """Write the features of all images of the experiment, unless they are there.

    Args:
        cfg: Config of a run that trains on images one by one.
        folder: Gets ``positives`` and ``negatives``, in views as training sees them, ``pool`` and
            ``test``, as the model is tested on them; of each ``.npy``, float16 of shape
            (images * views, C, H, W), and ``.json``.
    """
    data, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    inputs = [cfg.model.backbone, cfg.model.data_preprocessor, data.positives, data.negatives]
    mark = fingerprint(Config(dict(inputs=[*inputs, *data.pipeline, test])).to_dict())
    if has_mark(folder / 'done.json', mark):
        return
    folder.mkdir(parents=True, exist_ok=True)
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(memory_format=torch.channels_last).eval()
    positives, negatives = DATASETS.build(data.positives), DATASETS.build(data.negatives)
    pool = with_pipeline(negatives, default_test_pipeline(cfg))
    view = _Views(Compose(data.pipeline), positives)
    sources = dict(
        positives=(len(positives), _POSITIVE_VIEWS, lambda index: view(positives[index], True)),
        negatives=(len(negatives), _NEGATIVE_VIEWS, lambda index: view(negatives[index], False)),
        pool=(len(pool), 1, pool.__getitem__),
        test=(len(tested := DATASETS.build(test)), 1, tested.__getitem__),
    )
    for name, (count, views, sample) in sources.items():
        samples = (sample(index) for index in range(count) for _ in range(views))
        _write(folder / name, model, samples, count, views)
    write_mark(folder / 'done.json', mark)


class _Views:
    """Views of images as ``SeparateImages`` makes them, always the same ones."""

    def __init__(self, pipeline: Callable[[dict], list[dict]], positives: Sequence[dict]) -> None:
        self._pipeline = pipeline
        self._positive = positives[0]
        self._rng = np.random.default_rng(0)
        self._count = 0

    def __call__(self, image: dict, is_positive: bool) -> dict:
        """A view of an image as a sample; another one at each call."""
        images = dict(
            positives=[image if is_positive else self._positive],
            negatives=[] if is_positive else [image],
        )
        self._count += 1
        with seeded_globally(np.random.SeedSequence(self._count)):
            return self._pipeline(images | dict(rng=self._rng, sample_idx=0))[-1]


def _write(path: Path, model: nn.Module, samples: Iterator[dict], count: int, views: int) -> None:
    """Write features and annotations of the samples of so many images, view by view."""
    features, images = None, []
    with progress_bar(total=count * views, desc=path.name, unit='view') as bar:
        for batch in _batches(samples):
            data = model.data_preprocessor(pseudo_collate(batch), False)
            inputs = data['inputs'].contiguous(memory_format=torch.channels_last)
            with torch.autocast('cpu', torch.bfloat16, enabled=computes_bfloat16('cpu')):
                found = model.backbone(inputs)[0].half().numpy()
            if features is None:
                shape = (count * views, *found.shape[1:])
                features = np.lib.format.open_memmap(f'{path}.npy', 'w+', np.float16, shape)
            features[len(images) : len(images) + len(batch)] = found
            images += map(_described, data['data_samples'])
            bar.update(len(batch))
    rows = [images[first : first + views] for first in range(0, len(images), views)]
    merged = [row[0] | dict(boxes=[one['boxes'] for one in row]) for row in rows]
    atomic_write(Path(f'{path}.json'), json.dumps(merged))
    features.flush()


def _batches(samples: Iterator[dict]) -> Iterator[list[dict]]:
    batch = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _described(sample: DetDataSample) -> dict[str, Any]:
    boxes = sample.gt_instances.get('bboxes', torch.zeros(0, 4))
    return dict(img_path=sample.img_path, shape=list(sample.img_shape[:2]), boxes=boxes.tolist())
