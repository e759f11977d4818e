"""The two engines that follow targets for the VOT toolkit: PyTorch and ONNX Runtime."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.track_result import TrackResult

#: What a tracker answers with.
REGIONS = ('box', 'mask')


class Engine(Protocol):
    """What both engines have in common."""

    def init(self, frame: NDArray, targets: Sequence[ArrayLike], /) -> list[TrackResult]:
        """Take on targets, boxes (4,) and masks (H, W); earlier ones are forgotten."""

    def add(self, frame: NDArray, target: ArrayLike) -> int:
        """Take on one more target in the frame that was tracked last."""

    def track(self, frame: NDArray) -> list[TrackResult]:
        """Find all targets in the next frame, in the order in which they came."""


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose an engine and what it answers with."""
    pytorch = parser.add_argument_group('with PyTorch')
    pytorch.add_argument('--config', metavar='FILE', help='config of the tracker')
    pytorch.add_argument('--checkpoint', metavar='FILE', help='its weights')
    pytorch.add_argument(
        '--device', default='cpu', help='for example cuda:0 (default: %(default)s)'
    )
    onnx = parser.add_argument_group('with ONNX Runtime')
    onnx.add_argument(
        '--model', metavar='DIR', help='folder that tools/deployment/export_onnx.py wrote'
    )
    parser.add_argument(
        '--region',
        choices=REGIONS,
        default='mask',
        help='what the tracker answers with (default: %(default)s)',
    )
    parser.add_argument('--threads', type=int, help='threads of the engine (default: one a core)')


def check_engine_arguments(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End with a usage error unless exactly one engine is chosen."""
    if bool(args.model) == bool(args.config or args.checkpoint):
        parser.error('give either --config and --checkpoint, or --model')
    if not args.model and not (args.config and args.checkpoint):
        parser.error('--config and --checkpoint belong together')
    if args.threads is not None and args.threads < 1:
        parser.error(f'--threads must be at least 1, got {args.threads}')


def engine_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments as words of a command that works in any folder."""
    if args.model:
        words = ['--model', str(Path(args.model).resolve())]
    else:
        files = dict(config=args.config, checkpoint=args.checkpoint)
        words = [word for name, path in files.items() for word in (f'--{name}', _absolute(path))]
        words += ['--device', args.device]
    words += ['--region', args.region]
    return words if args.threads is None else [*words, '--threads', str(args.threads)]


def build_engine(args: argparse.Namespace) -> Engine:
    """The engine that the arguments choose, which waits for its targets.

    Raises:
        FileNotFoundError: If a file of the model does not exist.
        ValueError: If config, checkpoint or model folder cannot be used, or if masks are wanted
            from a model that draws none.
    """
    engine, draws = _build_runtime(args) if args.model else _build_pytorch(args)
    if args.region == 'mask' and not draws:
        raise ValueError('this model draws no outline: say --region box')
    return engine


def _absolute(path: str) -> str:
    return str(Path(path).resolve())


def _build_runtime(args: argparse.Namespace) -> tuple[Engine, bool]:
    from mmpolar.runtime import RuntimeTracker

    tracker = RuntimeTracker(args.model, args.threads)
    return tracker, tracker.manifest.n_rays is not None


def _build_pytorch(args: argparse.Namespace) -> tuple[Engine, bool]:
    # Here, as ONNX Runtime needs no PyTorch.
    import torch

    from mmpolar.apis import MultiTargetTracker, init_tracker

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    tracker = init_tracker(args.config, args.checkpoint, args.device)
    return MultiTargetTracker(tracker), tracker.model.mask_head is not None
