"""The arguments that choose the engine of a tracker for the VOT toolkit."""

import argparse
from pathlib import Path

from mmpolar.apis import init_engine
from mmpolar.cli.arguments import add_device_argument, add_model_argument, check_counts
from mmpolar.model_zoo import model_name
from mmpolar.tracking import Tracker

#: What a tracker answers with.
REGIONS = ('box', 'mask')


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose an engine and what it answers with."""
    pytorch = parser.add_argument_group('with PyTorch')
    pytorch.add_argument('--config', metavar='FILE', help='config of the tracker')
    pytorch.add_argument('--checkpoint', metavar='FILE', help='its weights')
    add_device_argument(pytorch)
    onnx = parser.add_argument_group('with ONNX Runtime')
    add_model_argument(onnx, default='')
    parser.add_argument(
        '--region',
        choices=REGIONS,
        default='mask',
        help='what the tracker answers with (default: %(default)s)',
    )
    parser.add_argument(
        '--threads',
        type=int,
        help='threads of the engine (default: 2 with ONNX Runtime, 1 with PyTorch)',
    )


def check_engine_arguments(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End with a usage error unless exactly one engine is chosen."""
    if bool(args.model) == bool(args.config or args.checkpoint):
        parser.error('give either --config and --checkpoint, or --model')
    if not args.model and not (args.config and args.checkpoint):
        parser.error('--config and --checkpoint belong together')
    check_counts(args, parser, 'threads')


def engine_arguments(args: argparse.Namespace) -> list[str]:
    """The arguments as words of a command that works in any folder."""
    if args.model:
        name = model_name(args.model)
        words = ['--model', _absolute(name) if Path(name).exists() else name]
    else:
        files = dict(config=args.config, checkpoint=args.checkpoint)
        words = [word for name, path in files.items() for word in (f'--{name}', _absolute(path))]
        words += ['--device', args.device]
    words += ['--region', args.region]
    return words if args.threads is None else [*words, '--threads', str(args.threads)]


def build_tracker(args: argparse.Namespace) -> Tracker:
    """The tracker that the arguments choose, which waits for its targets.

    Raises:
        FileNotFoundError: If a file of the model does not exist.
        ValueError: If config, checkpoint or model folder cannot be used, or if masks are wanted
            from a model that draws none.
    """
    if args.model:
        engine = init_engine(args.model, engine='onnx', threads=args.threads)
    else:
        engine = init_engine(args.config, args.checkpoint, args.device, threads=args.threads)
    if args.region == 'mask' and engine.n_rays is None:
        raise ValueError('this model draws no contour: say --region box')
    return Tracker(engine)


def _absolute(path: str) -> str:
    return str(Path(path).resolve())
