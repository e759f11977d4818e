"""Train a tracker for a few minutes on synthetic video and show what it learned.

Nothing is downloaded: the videos are generated, see ``tools/dataset_converters/make_synthetic.py``.
See ``python demo/quickstart.py --help``.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

import mmpolar.cli  # noqa: F401  (Ctrl-C ends the program with one line)
from mmpolar.utils.checkpoints import load_weights
from mmpolar.utils.shared_values import load_config
from mmpolar.visualization import plot_training_curves

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0_synthetic.py'
# What the table shows, and what it means.
METRICS = {
    'iou': 'box overlap',
    'success': 'success (AUC)',
    'precision': 'precision (20 px)',
    'J': 'J of the contour',
    'F': 'F of the contour',
    'J_box': 'J of the filled box',
    'static_iou': 'box overlap, box never moves',
    'ceiling': 'J of a perfect polar contour',
}


def main(argv: list[str] | None = None) -> None:
    """Train, test and show as the arguments say."""
    args = parse_args(argv)
    work_dir = Path(args.work_dir)
    if args.fresh:
        shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True, exist_ok=True)
    start = time.time()
    say('Testing the untrained tracker on videos that it will not be trained on')
    before = untrained_metrics(args.config, work_dir)
    say('Training (an interrupted run goes on where it stopped)')
    checkpoint = train(args.config, work_dir)
    say('Testing the trained tracker on the same videos')
    after = test(args.config, work_dir / 'test', checkpoint, draw=True)
    curves = work_dir / 'curves.png'
    plot_training_curves(newest_log(work_dir), curves)
    show_metrics(before, after)
    show_files(work_dir, curves)
    say(f'Done in {(time.time() - start) / 60:.1f} minutes')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--config', default=str(CONFIG), help='config (default: %(default)s)')
    parser.add_argument(
        '--work-dir',
        default='work_dirs/quickstart',
        help='where checkpoints, images and results go (default: %(default)s)',
    )
    parser.add_argument('--fresh', action='store_true', help='forget an earlier run')
    return parser.parse_args(argv)


def untrained_metrics(config: str, work_dir: Path) -> dict[str, float]:
    """Metrics of the network as it is before training; kept for a run that goes on later."""
    cache = work_dir / 'before.json'
    if not cache.exists():
        metrics = test(config, work_dir / 'untrained', None, draw=False)
        cache.write_text(json.dumps(metrics, indent=2))
    return json.loads(cache.read_text())


def train(config: str, work_dir: Path) -> Path:
    """Train, or finish an interrupted training; returns the checkpoint."""
    cfg = read_config(config, work_dir)
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    runner.train()
    return work_dir / f'epoch_{runner.max_epochs}.pth'


def test(config: str, work_dir: Path, checkpoint: Path | None, draw: bool) -> dict[str, float]:
    """Metrics of a checkpoint, or of the untrained network; optionally with images."""
    cfg = read_config(config, work_dir)
    if draw:
        cfg.test_evaluator = [
            dict(cfg.test_evaluator, out_file=str(work_dir / 'metrics.json')),
            dict(type='DumpTrackResults', out_dir=str(work_dir / 'results')),
        ]
        cfg.custom_hooks = [dict(type='TrackVisualizationHook', out_dir=str(work_dir / 'overlays'))]
    runner = Runner.from_cfg(cfg)
    if checkpoint is not None:
        load_weights(runner.model, checkpoint)
    else:
        runner.model.init_weights()
    return runner.test()


def read_config(config: str, work_dir: Path) -> Config:
    cfg = load_config(config)
    cfg.work_dir = str(work_dir)
    # Visualizers are shared by name; one of its own lets each run write into its own folder.
    cfg.visualizer.name = str(work_dir)
    return cfg


def newest_log(work_dir: Path) -> Path:
    """The newest record of losses that MMEngine wrote."""
    return max(work_dir.glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)


def show_metrics(before: dict[str, float], after: dict[str, float]) -> None:
    table = Table(title='Mean over the validation videos, frame 0 left out')
    table.add_column('')
    table.add_column('untrained', justify='right')
    table.add_column('trained', justify='right')
    for name, meaning in METRICS.items():
        key = f'track/{name}'
        table.add_row(f'{meaning} ({name})', f'{before[key]:.3f}', f'{after[key]:.3f}')
    Console().print(table)


def show_files(work_dir: Path, curves: Path) -> None:
    sheets = sorted((work_dir / 'test/overlays').rglob('*.png'))
    videos = sorted((work_dir / 'test/overlays').rglob('*.mp4'))
    for title, files in (
        ('loss curves', [curves]),
        ('overlay videos', videos),
        ('contact sheets', sheets),
        ('masks, boxes, polygons', [work_dir / 'test/results']),
    ):
        print(f'{title}:')
        for file in files:
            print(f'  {file}')


def say(message: str) -> None:
    Console().rule(message)


if __name__ == '__main__':
    main()
