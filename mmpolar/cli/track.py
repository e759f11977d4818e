"""``mmpolar track``: follow targets through a video."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from mmpolar.cli.arguments import add_box_argument, read_boxes
from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.runtime.onnx_engine import OnnxEngine
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import Tracker
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import shows_progress
from mmpolar.utils.video import count_frames, iter_frames
from mmpolar.visualization.draw import draw_results, fit_to_size
from mmpolar.visualization.video_writer import VideoWriter

#: Frames from one message of progress to the next.
PROGRESS_STEP = 10
DESCRIPTION = 'Track targets through a video and draw their boxes and contours.'
EPILOG = """\
examples
  mmpolar track video.mp4 --box 100,80,60,40 --out tracked.mp4
  two targets at once, and the numbers as a file:
    mmpolar track video.mp4 --box 100,80,60,40 --box 300,90,50,50 \\
        --out tracked.mp4 --results tracked.json
  a folder of images, and a model of your own:
    mmpolar track frames/ --box 100,80,60,40 --model model --out tracked.mp4

the model
  Without --model, one that comes with mmpolar. One of your own is a folder that this command, which
  needs PyTorch, writes once:
    mmpolar export CONFIG CHECKPOINT --out model
  Tracking needs NumPy, OpenCV and ONNX Runtime only: pip install mmpolar[runtime]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source, model, targets and outputs."""
    parser.add_argument('source', help='video file, folder of images, or number of a camera')
    parser.add_argument(
        '--model',
        default=DEFAULT_MODEL,
        metavar='DIR',
        help='folder of an exported model, or name of one that comes with mmpolar '
        '(default: %(default)s)',
    )
    add_box_argument(parser, required=True)
    parser.add_argument('--out', metavar='FILE', help='overlay video to write, for example out.mp4')
    parser.add_argument(
        '--results',
        metavar='FILE',
        help='JSON file to write: for each target and frame box (x1, y1, x2, y2), score and polygon',
    )
    parser.add_argument(
        '--threads', type=int, help='threads that the network uses (default: one a core)'
    )


def run(args: argparse.Namespace) -> int:
    """Track as the arguments say."""
    if not args.out and not args.results:
        args.parser.error('nothing to do: give --out FILE or --results FILE')
    count = track(args)
    written = ' and '.join(filter(None, (args.out, args.results)))
    print(f'{count} frames, wrote {written}')
    return 0


def track(args: argparse.Namespace) -> int:
    """Track, and write what was asked for, also if a later frame fails; returns the frames."""
    boxes = read_boxes(args.box)
    check_outputs(
        {'--out': args.out, '--results': args.results},
        {'the source': args.source, 'the model': args.model},
    )
    tracker = Tracker(OnnxEngine(args.model, args.threads))
    tracks: list[list[TrackResult]] = []
    writer = None
    show = shows_progress()
    total = count_frames(args.source) if show else None
    try:
        for frame in iter_frames(args.source):
            tracks.append(tracker.step(frame) if tracks else tracker.init(frame, boxes))
            if args.out:
                writer = writer or VideoWriter.like(args.out, args.source, frame)
                drawn = draw_results(frame, tracks[-1])
                writer.write(fit_to_size(drawn, writer.size))  # images of a folder may differ
            if show and len(tracks) % PROGRESS_STEP == 0:
                _show_progress(len(tracks), total)
    finally:
        try:
            if writer is not None:
                writer.close()
        finally:
            if args.results and tracks:
                _write_results(Path(args.results), tracks)
    return len(tracks)


def _write_results(path: Path, tracks: list[list[TrackResult]]) -> None:
    """One list a target, with one entry a frame."""
    targets = [[_plain(result) for result in track] for track in zip(*tracks, strict=True)]
    atomic_write(path, json.dumps(dict(targets=targets)) + '\n')


def _plain(result: TrackResult) -> dict:
    polygon = None if result.polygon is None else np.round(result.polygon, 2).tolist()
    return dict(box=np.round(result.box, 3).tolist(), score=round(result.score, 4), polygon=polygon)


def _show_progress(done: int, total: int | None) -> None:
    print(f'\rframe {done}' + (f' of {total}' if total else ''), end='', file=sys.stderr)
