"""``mmpolar export``: write a trained tracker as ONNX graphs."""

import argparse
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mmpolar.cli.arguments import check_counts
from mmpolar.cli.requirements import require_training
from mmpolar.utils.outputs import check_outputs

if TYPE_CHECKING:
    from mmpolar.datasets import BaseTrackDataset
    from mmpolar.tracking import SingleTargetTracker

SYNTHETIC = 'synthetic'
DESCRIPTION = """\
Write a tracker as ONNX graphs, and check that they compute what the tracker does:
  template.onnx  template crops (T, 127, 127, 3), uint8 BGR -> correlation kernels, once a target
  search.onnx    search crops (T, X, X, 3) and kernels -> scores, boxes, features, once a frame
  contour.onnx   a location (T,) and the features -> radii of the contour, once a frame
  model.json     tracking parameters, names, sizes, hashes
T targets go through at once. Normalisation is inside the graphs, batch norm is folded.
init_tracker('DIR', engine='onnx') and the command mmpolar track read the folder without PyTorch."""
EPILOG = """\
examples
  mmpolar export CONFIG CHECKPOINT --out model
  mmpolar export ocean-polar_effnet-lite0_natural --out model --static
  8-bit integers, calibrated on your own videos, with what that costs on others:
    mmpolar export CONFIG CHECKPOINT --out model-int8 --int8 \\
        --calibration data/my_videos --eval data/my_test_videos

data
  --calibration and --eval take a folder in the layout of DAVIS (JPEGImages/480p/<video>/*.jpg,
  Annotations/480p/<video>/*.png), or "synthetic": videos that are generated. Calibrate with videos
  like those that will be tracked, and never with those of --eval.

fixed sizes
  --static writes one search graph for each size of the search crop, search_255.onnx and so on, for
  engines that want fixed sizes. The number of targets stays open.
"""
# Sequences that are generated where no folder is given; calibration and test differ.
_SYNTHETIC_SPLITS = {'calibration': 'train', 'eval': 'val'}
_SYNTHETIC_VIDEOS = 8
_SYNTHETIC_FRAMES = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model, what to write, and data to calibrate and compare with."""
    parser.add_argument(
        'config',
        help='config of the tracker; or the name of a trained one, see "mmpolar models"; or its .pth file '
        'of tools/model_converters/publish_model.py',
    )
    parser.add_argument('checkpoint', nargs='?', help='weights, a .pth file; with a config')
    parser.add_argument('--out', required=True, metavar='DIR', help='model folder to write')
    parser.add_argument(
        '--static', action='store_true', help='one search graph for each size of the search crop'
    )
    parser.add_argument('--int8', action='store_true', help='write 8-bit integers, not float32')
    parser.add_argument(
        '--calibration',
        default=SYNTHETIC,
        metavar='DATA',
        help='videos that --int8 measures ranges on (default: %(default)s)',
    )
    parser.add_argument(
        '--crops', type=int, default=640, help='search crops of them (default: %(default)s)'
    )
    parser.add_argument(
        '--eval',
        metavar='DATA',
        help='videos to track with PyTorch and with the graphs, to print box IoU and J of each',
    )


def run(args: argparse.Namespace) -> int:
    """Export, quantise and compare as the arguments say."""
    check_counts(args, args.parser, 'crops')
    check_model(args)
    require_training('mmpolar export', 'onnx', 'onnxruntime')
    from mmpolar.apis import init_tracker
    from mmpolar.deployment import export_onnx
    from mmpolar.deployment.quantize import quantize_folder
    from mmpolar.runtime import OnnxEngine
    from mmpolar.tracking import SingleTargetTracker

    read = {'CONFIG': args.config, 'CHECKPOINT': args.checkpoint}
    check_outputs(
        {'--out': args.out}, read | {'--calibration': args.calibration, '--eval': args.eval}
    )
    tracker = init_tracker(args.config, args.checkpoint, optimize='none')
    with tempfile.TemporaryDirectory() as temporary:
        plain = Path(temporary, 'float32') if args.int8 else Path(args.out)
        manifest = export_onnx(tracker.model, plain, args.static)
        print('the graphs equal the tracker')
        folders = {'ONNX Runtime, float32': plain}
        if args.int8:
            dataset = open_dataset(args.calibration, 'calibration', temporary)
            manifest = quantize_folder(plain, args.out, dataset, args.crops)
            folders['ONNX Runtime, int8'] = Path(args.out)
        for name in manifest.file_sha256:
            print(
                f'wrote {Path(args.out, name)}, {Path(args.out, name).stat().st_size / 1e6:.1f} MB'
            )
        if args.eval is not None:
            dataset = open_dataset(args.eval, 'eval', temporary)
            show('PyTorch', tracker, dataset)
            for name, folder in folders.items():
                show(name, SingleTargetTracker(OnnxEngine(folder)), dataset)
    return 0


def check_model(args: argparse.Namespace) -> None:
    """Refuse what is no trained tracker.

    Raises:
        ValueError: If a config lacks its checkpoint, or the graphs are there already.
    """
    if args.checkpoint is None and args.config.endswith('.py'):
        raise ValueError(f'{args.config} is a config: give its checkpoint too')
    if Path(args.config).is_dir():
        raise ValueError(f'{args.config} is a folder: give a config and its checkpoint, or a name')


def open_dataset(source: str, use: str, temporary: str) -> 'BaseTrackDataset':
    """The dataset that an argument names."""
    from mmpolar.datasets import DavisDataset, SyntheticDataset

    if source != SYNTHETIC:
        return DavisDataset(data_root=source)
    split = _SYNTHETIC_SPLITS[use]
    return SyntheticDataset(
        data_root=str(Path(temporary, use)),
        split=split,
        frames=_SYNTHETIC_FRAMES,
        **{f'num_{split}': _SYNTHETIC_VIDEOS},
    )


def show(name: str, tracker: 'SingleTargetTracker', dataset: 'BaseTrackDataset') -> None:
    """Print what a tracker reaches from the first boxes."""
    from mmpolar.evaluation.metrics import TrackSegMetric
    from mmpolar.evaluation.track_benchmarks import evaluate_tracks

    reports, mean = evaluate_tracks(tracker, dataset, TrackSegMetric(), given='box')
    region = 'no masks' if math.isnan(mean['J']) else f'J {mean["J"]:.4f}'
    print(f'{name:24}box IoU {mean["iou"]:.4f}  {region}  ({len(reports)} sequences)')
