"""See a trained tracker at work: no training, no data, a minute or two.

It follows targets in videos that are made on the spot, so that the true contour is known: generated
shapes, and real things cut out of, or filmed in, photographs that come inside Python packages.
See ``python demo/packaged_tracker.py --help``.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

from mmpolar.apis import available_models, init_tracker
from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.synthetic import PHOTO_SCENES, photo_scene, write_scene
from mmpolar.engine.hooks import TrackVisualizationHook
from mmpolar.evaluation.metrics import SpeedMetric, TrackSegMetric
from mmpolar.model_zoo import DEFAULT_MODEL, ModelNotFoundError
from mmpolar.models.trackers import Ocean
from mmpolar.registry import DATASETS
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.video import iter_frames
from mmpolar.visualization import contact_sheet

PIPELINE = [dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')]
# The columns of the table, and what they mean.
METRICS = {
    'iou': 'box',
    'J': 'J',
    'F': 'F',
    'J_box': 'filled box',
    'static_iou': 'static box',
    'ceiling': 'ceiling',
}
LEGEND = """\
box: overlap with the true one; J: overlap of the masks; F: agreement of their contours; filled box: J
of the tracker's box; static box: overlap of a box that never moves; ceiling: J of a perfect contour
of as many rays. Frame 0, where the target is given, counts nowhere."""
#: Images of a video on the contact sheet, and width and height of each, pixels.
SHEET_COLUMNS, SHEET_CELL = 5, (240, 180)
HOW_TO_GET_ONE = """\
No trained tracker is at hand: this copy of mmpolar has none.
  - make quickstart
    trains one for a few minutes on generated videos, which shows the whole path;
  - train a real one on your images and videos, then publish it under its name:
      python tools/train.py configs/ocean_polar/ocean-polar_effnet-lite0_natural.py
      python tools/model_converters/publish_model.py CHECKPOINT --help"""
NEXT = """\
Now your own video; the box is the target's left, top, width and height in the first frame:
  .venv/bin/python demo/track_video.py VIDEO.mp4 --box 100,80,60,40 --out tracked.mp4
without PyTorch:
  .venv/bin/mmpolar track VIDEO.mp4 --box 100,80,60,40 --out tracked.mp4
and to see a tracker being trained: make quickstart"""


def main(argv: list[str] | None = None) -> int:
    """Track and show as the arguments say; returns the exit status."""
    args = parse_args(argv)
    try:
        show(args)
    except ModelNotFoundError as error:
        print(f'error: {error}' if available_models() else HOW_TO_GET_ONE, file=sys.stderr)
        return 2
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument(
        '--model', default=DEFAULT_MODEL, metavar='NAME', help='(default: %(default)s)'
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/demo',
        help='where videos and images go (default: %(default)s)',
    )
    parser.add_argument(
        '--generated', type=int, default=8, help='generated videos (default: %(default)s)'
    )
    parser.add_argument(
        '--frames', type=int, default=48, help='frames of each other video (default: %(default)s)'
    )
    args = parser.parse_args(argv)
    if args.generated < 1 or args.frames < 2:
        parser.error('--generated must be at least 1, --frames at least 2')
    return args


def show(args: argparse.Namespace) -> None:
    """Make the videos, track the targets, print the metrics, and say where the images are."""
    start = time.time()
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # the tables here say it shorter
    model = init_tracker(args.model).model
    work_dir = Path(args.work_dir)
    rows = []
    for title, dataset in make_videos(args, work_dir / 'videos').items():
        folder = work_dir / title.replace(' ', '_')
        report, speed = track(model, dataset, folder, title)
        print_metrics(title, report, speed)
        rows += sheet_rows(folder, report['sequences'])
    sheet = work_dir / 'contact_sheet.png'
    write_sheet(sheet, rows)
    print(f'{LEGEND}\n')
    print(f'all of it at a glance: {sheet}')
    print(f'videos with box and contour drawn in (green: the ground truth): {work_dir}/*/*.mp4')
    print(f'a contact sheet of each: {work_dir}/*/*.png')
    print(f'Done in {time.time() - start:.0f} seconds with {args.model}.\n\n{NEXT}')


def make_videos(args: argparse.Namespace, root: Path) -> dict[str, BaseTrackDataset]:
    """The two kinds of videos; what is there from an earlier run is kept."""
    photographs = root / f'photographs_{args.frames}'
    for name in progress_bar(PHOTO_SCENES, desc='real things', unit='video'):
        write_scene(photo_scene(name, args.frames), photographs, name)
    common = dict(pipeline=PIPELINE, test_mode=True)
    generated = dict(type='SyntheticDataset', split='val', num_val=args.generated)
    return {
        'generated shapes': DATASETS.build(
            dict(generated, data_root=str(root / 'generated'), **common)
        ),
        'real things': DATASETS.build(
            dict(type='DavisDataset', data_root=str(photographs), **common)
        ),
    }


def track(
    model: Ocean, dataset: BaseTrackDataset, folder: Path, title: str
) -> tuple[dict[str, Any], float]:
    """Follow the targets of all videos from their first box, and draw.

    Returns:
        The report of :class:`TrackSegMetric`, and the frames a second.
    """
    out_file = folder / 'metrics.json'
    n_rays = model.mask_head.n_rays
    evaluator = Evaluator([TrackSegMetric(n_rays, out_file=str(out_file)), SpeedMetric()])
    drawing = TrackVisualizationHook(out_dir=str(folder))
    for index in progress_bar(range(len(dataset)), desc=title, unit='frame'):
        batch = pseudo_collate([dataset[index]])
        samples = model.test_step(batch)
        evaluator.process(samples, batch)
        drawing.after_test_iter(None, index, batch, samples)
    metrics = evaluator.evaluate(len(dataset))
    return json.loads(out_file.read_text()), metrics['speed/fps']


def print_metrics(title: str, report: Mapping[str, Any], speed: float) -> None:
    """A row a video, and the means."""
    table = Table(title=title)
    table.add_column('', no_wrap=True)
    for meaning in METRICS.values():
        table.add_column(meaning, justify='right')
    for sequence in report['sequences']:
        table.add_row(sequence['video_name'], *(f'{sequence["values"][n]:.3f}' for n in METRICS))
    table.add_section()
    table.add_row('mean', *(f'{report["mean"][name]:.3f}' for name in METRICS))
    Console().print(table)
    print(f'{speed:.0f} frames a second, reading and drawing left out\n')


def sheet_rows(
    folder: Path, sequences: Sequence[Mapping[str, Any]]
) -> list[tuple[list[np.ndarray], list[str]]]:
    """Images of each video, evenly spaced, and their captions."""
    rows = []
    for sequence in sequences:
        frames = list(iter_frames(folder / f'{sequence["video_name"]}.mp4'))
        chosen = np.linspace(0, len(frames) - 1, SHEET_COLUMNS).round().astype(int)
        captions = [f'frame {number}' for number in chosen]
        values = sequence['values']
        captions[0] = f'{sequence["video_name"]}: box {values["iou"]:.2f}, J {values["J"]:.2f}'
        rows.append(([frames[number] for number in chosen], captions))
    return rows


def write_sheet(path: Path, rows: Sequence[tuple[list[np.ndarray], list[str]]]) -> None:
    images = [image for row, _ in rows for image in row]
    captions = [caption for _, row in rows for caption in row]
    sheet = contact_sheet(images, SHEET_COLUMNS, captions, SHEET_CELL)
    _, png = cv2.imencode('.png', sheet)
    path.write_bytes(png.tobytes())


if __name__ == '__main__':
    sys.exit(main())
