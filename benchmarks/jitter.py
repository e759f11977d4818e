"""Measure how much a tracker's box and mask move on a target that does not.

See ``--help``.
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, write_report
from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets.synthetic import PHOTO_SCENES, photo_scene
from mmpolar.evaluation.functional import mean_movement, mean_of_known, temporal_instability
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Measure jitter: photographs that come inside Python packages stand still, each frame with its own
sensor noise, and a tracker follows the thing in them. Given are the mean movement of the box's corners from
frame to frame in percent of its side, and DAVIS's temporal stability T of the masks, without and with
the filter for steady results (TrackParams.steady_cutoff)."""

EPILOG = """\
examples
  python -m benchmarks.jitter
  python -m benchmarks.jitter --model work_dirs/my_onnx --noise 8 --cutoff 0.05"""


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    report = {}
    for cutoff in (0.0, args.cutoff):
        tracker = init_tracker(args.model, engine='onnx', threads=args.threads)
        tracker.params = replace(tracker.params, steady_cutoff=cutoff)
        clips = progress_bar(PHOTO_SCENES, desc=f'steady_cutoff {cutoff:g}')
        rows = [jitter(tracker, frozen_clip(name, args.frames, args.noise)) for name in clips]
        box, stability = (mean_of_known(column) for column in zip(*rows, strict=True))
        report[f'{cutoff:g}'] = dict(box_movement=box, T=stability)
        print(
            f'steady_cutoff {cutoff:g}: box {100 * box:.2f} % of its side a frame, T {stability:.4f}'
        )
    write_report(args.out, report)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.jitter')
    add_model_arguments(parser)
    parser.add_argument('--frames', type=int, default=40, help='of each clip (default: 40)')
    parser.add_argument(
        '--noise', type=float, default=4.0, help='standard deviation of the noise (default: 4)'
    )
    parser.add_argument('--cutoff', type=float, default=0.1, help='of the filter (default: 0.1)')
    args = parser.parse_args(argv)
    if args.frames < 2:
        parser.error(f'--frames must be at least 2, got {args.frames}')
    return args


def frozen_clip(
    name: str, frames: int, noise: float
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Frames of a scene that stands still, and the target's box in them."""
    frame, mask = photo_scene(name, frames).render(0)
    rng = np.random.default_rng(0)
    noisy = [frame + rng.normal(0, noise, frame.shape) for _ in range(frames)]
    return [np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in noisy], mask_to_box(mask)


def jitter(
    tracker: SingleTargetTracker, clip: tuple[list[NDArray[np.uint8]], NDArray[np.float32]]
) -> tuple[float, float]:
    """Mean movement of the box in units of its side, and T of the masks."""
    frames, box = clip
    tracker.init(frames[0], box)
    results = [tracker.step(frame) for frame in frames[1:]]
    masks = [result.mask for result in results]
    pairs = zip(masks[:-1], masks[1:], strict=True)
    stability = mean_of_known([temporal_instability(*pair) for pair in pairs])
    return mean_movement(np.array([result.box for result in results])), stability


if __name__ == '__main__':
    sys.exit(main())
