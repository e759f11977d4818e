"""Time a round of hard-negative mining against plain inference, side by side in one run."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, load_checkpoint
from torch.utils.data import DataLoader

import mmpolar.engine  # noqa: F401  (registers its classes)
from mmpolar.cli.arguments import add_device_argument, check_counts, tool_parser
from mmpolar.datasets import ImageFolderDataset
from mmpolar.mining.pool import default_test_pipeline
from mmpolar.mining.scoring import prediction_mode
from mmpolar.registry import DATASETS, LOOPS

DESCRIPTION = """\
Time one round of hard-negative mining against plain inference, side by side in one run.

mining  what HardNegativeMiningHook does in a round: scores every image of the pool with the model's
        test_step, picks the hardest, publishes them, writes the json and the contact sheet.
plain   a loop of test_step over the same images with the same pipeline, batches and workers, the
        results thrown away.

Both run in each repeat, first one and then the other, the order changing from repeat to repeat; a
first repeat, in which both start their workers, is not counted. Given are the time on the clock and
the CPU time of the main process (without workers), which other programs on a busy machine disturb
less. The mark: the median of the ratios is at most 1.1. Without --config a small YOLOX with random weights runs, without --images a pool
is generated. All cores are used unless OMP_NUM_THREADS says otherwise."""

EPILOG = """\
examples:
  python -m benchmarks.mining
  python -m benchmarks.mining --num-images 1000 --num-workers 4 --device cuda
  python -m benchmarks.mining --config my_detector.py \\
      --checkpoint my_detector.pth --images negatives/"""

SIZE = 320
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=True),
    dict(type='Pad', size=(SIZE, SIZE), pad_val=dict(img=(114.0, 114.0, 114.0))),
    dict(type='PackDetInputs'),
]
MODEL = dict(
    type='YOLOX',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
    backbone=dict(type='CSPDarknet', deepen_factor=0.33, widen_factor=0.25),
    neck=dict(type='YOLOXPAFPN', in_channels=[64, 128, 256], out_channels=64, num_csp_blocks=1),
    bbox_head=dict(type='YOLOXHead', num_classes=1, in_channels=64, feat_channels=64),
    # Every location is a detection: the work after the network is as large as it can be.
    test_cfg=dict(score_thr=0.0, max_per_img=100, nms=dict(type='nms', iou_threshold=0.65)),
)


def parse_args() -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.mining')
    parser.add_argument('--config', help='config of a detector; its test pipeline is used')
    parser.add_argument('--checkpoint', help='weights of the detector (default: random)')
    parser.add_argument('--images', help='folder of images (default: generated ones)')
    parser.add_argument(
        '--num-images', type=int, default=256, help='images in the pool (default: 256)'
    )
    parser.add_argument('--batch-size', type=int, default=8, help='default: 8')
    parser.add_argument(
        '--num-workers', type=int, default=0, help='processes that load, for each (default: 0)'
    )
    parser.add_argument(
        '--num-picks', type=int, default=64, help='negatives that a round picks (default: 64)'
    )
    parser.add_argument(
        '--repeats', type=int, default=7, help='runs of each that are counted (default: 7)'
    )
    add_device_argument(parser)
    parser.add_argument('--seed', type=int, default=0, help='seed of images and weights')
    args = parser.parse_args()
    check_counts(args, parser, 'num_images', 'batch_size', 'num_picks', 'repeats')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: PyTorch sees no GPU here; use --device cpu')
    return args


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = args.images
        if images is None:
            images = Path(folder) / 'images'
            write_images(images, args.num_images, args.seed)
        watch = SideBySide(args)
        build_runner(args, images, Path(folder) / 'work', watch).train()
        watch.print_table()


@DATASETS.register_module()
class BoxedImageFolder(ImageFolderDataset):
    """Images that may be positives, as each has a box; nothing trains on them here."""

    def get_data_info(self, idx: int) -> dict:
        box = dict(bbox=[0.0, 0.0, 8.0, 8.0], bbox_label=0, ignore_flag=0)
        return super().get_data_info(idx) | dict(instances=[box])


@LOOPS.register_module()
class RoundsLoop(EpochBasedTrainLoop):
    """A training loop with nothing between two rounds of mining."""

    def run_epoch(self) -> None:
        self.runner.call_hook('before_train_epoch')
        self._epoch += 1


class Times(NamedTuple):
    """Seconds on the clock and of this process on the CPU."""

    clock: float
    cpu: float

    def since(self, start: 'Times') -> 'Times':
        return Times(self.clock - start.clock, self.cpu - start.cpu)


class SideBySide(Hook):
    """Runs plain inference just before or after each round of mining, and times both."""

    # Called before the mining hook, as Finish is called after it.
    priority = 'VERY_HIGH'

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.plain: list[Times] = []
        self.mining: list[Times] = []
        self.pool_size = 0
        self._loader: DataLoader | None = None
        self._start = Times(0.0, 0.0)

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch % 2 == 0:
            self.time_plain(runner)
        self._start = self._now()

    def finish(self, runner: Runner) -> None:
        """Take the time of the round that just ended."""
        self.mining.append(self._now().since(self._start))
        if runner.epoch % 2 == 1:
            self.time_plain(runner)

    def time_plain(self, runner: Runner) -> None:
        if self._loader is None:
            self._loader = self._build_loader(runner)
        start = self._now()
        with prediction_mode(runner.model), torch.no_grad():
            for batch in self._loader:
                runner.model.test_step(batch)
        self.plain.append(self._now().since(start))

    def print_table(self) -> None:
        """Print the times of the counted repeats; the first is the warm-up."""
        plain, mining = np.array(self.plain[1:]), np.array(self.mining[1:])
        print(
            f'{self.pool_size} images, batches of {self.args.batch_size}, '
            f'{self.args.num_workers} workers, {self.args.device}, '
            f'{torch.get_num_threads()} threads, {len(plain)} repeats'
        )
        print(f'{"":<16}{"minimum":>12}{"median":>12}{"maximum":>12}{"images/s":>12}')
        for column, kind in enumerate(Times._fields):
            for name, times in (('plain', plain), ('mining', mining)):
                median = np.median(times[:, column])
                row = times[:, column].min(), median, times[:, column].max()
                columns = ''.join(f'{value:>10.3f} s' for value in row)
                print(f'{name + ", " + kind:<16}{columns}{self.pool_size / median:>12.1f}')
            ratios = mining[:, column] / plain[:, column]
            row = ratios.min(), np.median(ratios), ratios.max()
            print(f'{"ratio, " + kind:<16}' + ''.join(f'{value:>12.3f}' for value in row))

    def _build_loader(self, runner: Runner) -> DataLoader:
        negatives = runner.train_dataloader.dataset.negatives
        pool = ImageFolderDataset(
            data_root=negatives.data_root,
            indices=negatives._indices,
            pipeline=Compose(test_pipeline(self.args)).transforms,
            test_mode=True,
        )
        self.pool_size = len(pool)
        return DataLoader(
            pool,
            batch_size=self.args.batch_size,
            num_workers=self.args.num_workers,
            persistent_workers=self.args.num_workers > 0,
            collate_fn=pseudo_collate,
        )

    def _now(self) -> Times:
        if self.args.device == 'cuda':
            torch.cuda.synchronize()
        return Times(time.perf_counter(), time.process_time())


class Finish(Hook):
    """Called after the mining hook."""

    priority = 'LOWEST'

    def __init__(self, watch: SideBySide) -> None:
        self.watch = watch

    def before_train_epoch(self, runner: Runner) -> None:
        self.watch.finish(runner)


def build_runner(
    args: argparse.Namespace, images: str | Path, work_dir: Path, watch: SideBySide
) -> Runner:
    """A runner whose only work is mining."""
    pool = dict(
        type='mmpolar.ImageFolderDataset',
        data_root=str(images),
        indices=args.num_images if args.images is None else limit(images, args.num_images),
    )
    mining = dict(
        type='mmpolar.HardNegativeMiningHook',
        num_picks=args.num_picks,
        pipeline=test_pipeline(args),
        batch_size=args.batch_size,
        num_workers=args.num_workers,
    )
    config = Config(dict(model=MODEL)) if args.config is None else Config.fromfile(args.config)
    dataset = dict(
        type='mmpolar.CompositeDataset',
        positives=dict(pool, type='mmpolar.BoxedImageFolder'),
        negatives=pool,
        num_composites=1,
    )
    hooks = [watch, mining, Finish(watch)]
    runner = mining_runner(
        config.model, work_dir, 'mining_speed', args.seed, dataset, args.repeats + 1, hooks
    )
    runner.model.to(args.device)
    if args.checkpoint is not None:
        load_checkpoint(runner.model, args.checkpoint, map_location=args.device)
    return runner


def mining_runner(
    model: dict,
    work_dir: str | Path,
    name: str,
    seed: int,
    dataset: dict,
    rounds: int,
    hooks: Sequence[Hook | dict],
) -> Runner:
    """A runner of so many rounds whose hooks mine, and which trains nothing."""
    return Runner(
        model=model,
        work_dir=str(work_dir),
        default_scope='mmdet',
        experiment_name=name,
        randomness=dict(seed=seed),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dataset,
        ),
        train_cfg=dict(type='mmpolar.RoundsLoop', max_epochs=rounds),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_hooks=dict(checkpoint=None),
        custom_hooks=list(hooks),
        log_level='WARNING',
    )


def test_pipeline(args: argparse.Namespace) -> list[dict]:
    if args.config is None:
        return PIPELINE
    return default_test_pipeline(Config.fromfile(args.config))


def limit(images: str | Path, count: int) -> int | None:
    """``count``, or None if the folder has no more images than that."""
    pool = ImageFolderDataset(data_root=str(images))
    return count if len(pool) > count else None


def write_images(folder: Path, count: int, seed: int) -> None:
    """Blurred noise of the size of a camera's frame, as JPEG files."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        coarse = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'{number:05d}.jpg'), image)


if __name__ == '__main__':
    main()
