"""Measure the speed of everything, beside others, in one run. See ``--help``."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import torch

from benchmarks.speed.accelerator import measure_accelerator
from benchmarks.speed.agreement import measure_agreement
from benchmarks.speed.busy import measure_busy
from benchmarks.speed.data_path import measure_data_path
from benchmarks.speed.geometry import measure_geometry
from benchmarks.speed.growth import measure_growth, plot_growth
from benchmarks.speed.machine import Peaks, measure_machine
from benchmarks.speed.peers import NANOTRACK, load_plain_nanotrack, opencv_trackers
from benchmarks.speed.results import Part, format_part, write_parts
from benchmarks.speed.streams import measure_streams
from benchmarks.speed.tracking import CONFIGS, PAIRS_CONFIG, measure_tracking
from benchmarks.speed.videos import FRAME_SIZES, make_video
from mmpolar.apis import available_models
from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.utils.progress import shows_progress

PARTS = ('tracking', 'busy', 'streams', 'data', 'geometry', 'growth', 'agreement', 'gpu')
#: Generated training videos, and frames of each.
_DATA_VIDEOS, _DATA_FRAMES = 12, 12
_CLEAR_LINE = '\r\033[K'

DESCRIPTION = """\
Measure the speed of mmpolar beside others, in one run on one machine, and print a table.

The machine comes first: its peak in matrix products and in copying bounds everything else. Then, by
--only or all of them:

tracking  a tracking step, video decoding excluded, on generated videos: our configs in PyTorch and ONNX
          Runtime, in fp32, bf16 and int8; the original Ocean in plain PyTorch with the same weights;
          OpenCV's trackers that are installed (CSRT and KCF come with opencv-contrib-python, NanoTrack
          needs its two files). Beside each network its operations and the time that these take at the
          peak, and where the time goes.
busy      a tracking step of the packaged trackers beside programs that keep 0, 1, 2 and 4 cores busy, with
          the threads that the engines take by themselves, and of NanoTrack: median, 95 and 99 of a hundred.
streams   1 to 16 videos at once, in one process and in a process each: frames a second in sum, memory.
data      training pairs a second and core, masks and polar targets included, beside MMTracking's
          pipeline of SiamRPN++ on the same images, and the time of every transform.
geometry  polar targets, drawing of masks, J and F beside straightforward implementations.
growth    time and memory against frame size, targets, rays and the length of a video. The long video
          takes some ten minutes; --long-frames shortens it.
agreement boxes of the packaged trackers on --device, in fp32 and bf16, and in ONNX Runtime's CUDA provider if it is
          there, beside the CPU's; losses of --train-steps training steps with AMP beside the CPU's in fp32.
gpu       networks at batch 1 and 8 in fp32, bf16, compiled and as CUDA graphs, the tracking step, and training pairs a
          second, on --device. Without a GPU it says so.

The ways of one table are run in turn, round after round. A row shows median, minimum and maximum over
the rounds, and how many times faster it is than others (compared round by round): above 1 we are
faster. Results of different runs must not be compared: close other programs, and let one run show all
that is to be compared."""

EPILOG = """\
examples:
  everything, with results and plot:
    python -m benchmarks.speed --json speed.json --plot growth.png
  a look at the tracking step of the small models in a minute:
    python -m benchmarks.speed --only tracking --models lite0 tiny \\
        --frame-sizes 720p --repeats 3
  tracker and contour alone, one thread each:
    python -m benchmarks.speed --only tracking --models lite0 tiny --threads 1 --no-mask-stage
  your own weights and NanoTrack's:
    python -m benchmarks.speed --only tracking --checkpoint tiny=tiny.pth \\
        --nanotrack-backbone backbone.onnx --nanotrack-head head.onnx
  on a machine that does other work:
    python -m benchmarks.speed --only busy --repeats 20
  on a GPU:
    python -m benchmarks.speed --only agreement gpu --device cuda --json gpu.json"""


def main(argv: list[str] | None = None) -> None:
    """Measure what the arguments ask for; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    begin = time.perf_counter()
    parts: list[Part] = []
    with tempfile.TemporaryDirectory(prefix='mmpolar-benchmark-') as scratch, progress() as tick:
        tick('machine')
        machine, peaks = measure_machine(args.threads, max(3, args.repeats), size=args.matrix_size)
        report(machine, parts, args)
        for name in args.only:
            report(MEASURES[name](args, peaks, scratch, tick), parts, args)
    print(f'{time.perf_counter() - begin:.0f} s in all', end='')
    print(f'; results in {args.json}' if args.json else '')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.speed')
    parser.add_argument(
        '--only', nargs='+', choices=PARTS, default=list(PARTS), help='parts (default: all)'
    )
    parser.add_argument('--repeats', type=int, default=5, help='rounds (default: 5)')
    parser.add_argument(
        '--threads',
        type=int,
        default=torch.get_num_threads(),
        help='threads of the networks (default: what PyTorch takes, %(default)s here); data path and '
        'geometry are measured on one',
    )
    parser.add_argument('--json', metavar='FILE', help='write all results to this file')
    parser.add_argument('--plot', metavar='FILE', help='draw the growth curves to this image')
    parser.add_argument('--seed', type=int, default=0, help='seed of videos and shapes')
    parser.add_argument(
        '--matrix-size', type=int, default=2048, help='side of the matrices for the peak'
    )
    add_tracking_arguments(parser.add_argument_group('tracking and gpu'))
    data = parser.add_argument_group('data')
    data.add_argument(
        '--data',
        nargs='+',
        metavar='DIR',
        default=[],
        help='folders in the layout of DAVIS (default: generated videos of 640 x 480 and 1280 x 720 px)',
    )
    data.add_argument('--pairs', type=int, default=40, help='pairs a round (default: 40)')
    growth = parser.add_argument_group('growth')
    growth.add_argument(
        '--long-frames',
        type=int,
        default=100_000,
        help='frames of the long video (default: 100000)',
    )
    gpu = parser.add_argument_group('agreement and gpu')
    gpu.add_argument('--device', default='cuda', help='PyTorch device (default: cuda)')
    gpu.add_argument(
        '--train-steps', type=int, default=300, help='training steps to compare (default: 300)'
    )
    args = parser.parse_args(argv)
    check_args(args, parser)
    return args


def add_tracking_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--models', nargs='+', choices=list(CONFIGS), default=list(CONFIGS), help='configs'
    )
    group.add_argument(
        '--frame-sizes',
        nargs='+',
        choices=list(FRAME_SIZES),
        default=['480p', '720p', '1080p'],
        help='frame sizes (default: 480p 720p 1080p)',
    )
    group.add_argument('--frames', type=int, default=12, help='frames of a video (default: 12)')
    group.add_argument(
        '--checkpoint',
        nargs='+',
        metavar='MODEL=FILE',
        default=[],
        help='trained weights (default: those of the package of that name, else random ones)',
    )
    group.add_argument('--no-int8', action='store_true', help='do not quantise')
    group.add_argument(
        '--no-mask-stage', action='store_true', help='trackers that give box and contour alone'
    )
    group.add_argument(
        '--no-compile', action='store_true', help='leave torch.compile out of the part gpu'
    )
    group.add_argument('--nanotrack-backbone', metavar='FILE', help="NanoTrack's backbone, .onnx")
    group.add_argument('--nanotrack-head', metavar='FILE', help="NanoTrack's head, .onnx")


def check_args(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Turn options into what the parts take; a usage error ends the program."""
    for name, least in (
        ('repeats', 1),
        ('threads', 1),
        ('frames', 3),
        ('pairs', 1),
        ('train_steps', 1),
    ):
        if getattr(args, name) < least:
            parser.error(f'--{name} must be at least {least}, got {getattr(args, name)}')
    if args.long_frames < 10:
        parser.error(f'--long-frames must be at least 10, got {args.long_frames}')
    pairs = [item.partition('=') for item in args.checkpoint]
    unknown = [name for name, _, path in pairs if name not in CONFIGS or not path]
    if unknown:
        parser.error(f'--checkpoint takes MODEL=FILE with {", ".join(CONFIGS)}, got {unknown[0]!r}')
    args.checkpoint = {name: path for name, _, path in pairs}
    nanotrack = (args.nanotrack_backbone, args.nanotrack_head)
    if any(nanotrack) and not all(nanotrack):
        parser.error('NanoTrack is two files: give --nanotrack-backbone and --nanotrack-head')
    args.nanotrack = nanotrack if all(nanotrack) else None
    files = [*args.checkpoint.values(), *(args.nanotrack or ()), *args.data]
    absent = [path for path in files if not Path(path).exists()]
    if absent:
        usage_error(f'there is no {absent[0]}')


def report(part: Part, parts: list[Part], args: argparse.Namespace) -> None:
    """Print a part and save all so far, so that a run that breaks off loses nothing."""
    parts.append(part)
    if shows_progress():
        print(_CLEAR_LINE, end='', file=sys.stderr, flush=True)
    print(format_part(part), flush=True)
    if part.curves and args.plot:
        plot_growth(part.curves, args.plot)
    if args.json:
        write_parts(parts, vars(args), args.json)


def track(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``tracking``."""
    return measure_tracking(
        peaks,
        args.repeats,
        args.threads,
        {name: CONFIGS[name] for name in args.models},
        args.frame_sizes,
        args.frames,
        args.checkpoint,
        args.nanotrack,
        not args.no_int8,
        not args.no_mask_stage,
        args.seed,
        tick,
    )


def be_busy(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``busy``."""
    cv2.setNumThreads(1)
    peers, missing = opencv_trackers(Path(scratch), args.nanotrack)
    peers = {name: tracker for name, tracker in peers.items() if name == NANOTRACK}
    video = make_video(FRAME_SIZES['480p'], args.frames, args.seed)
    part = measure_busy(peers, video, args.repeats, tick=tick)
    cv2.setNumThreads(args.threads)
    part.remarks += [remark for remark in missing if NANOTRACK in remark]
    return part


def stream(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``streams``."""
    files, plain = args.nanotrack, load_plain_nanotrack()
    if files is None and plain is not None:
        files = [str(path) for path in plain.export(Path(scratch, 'nanotrack'))]
    return measure_streams(args.repeats, nanotrack=files, tick=tick)


def read_pairs(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``data``."""
    data = {path: path for path in args.data} or {
        f'{width} x {height}': training_videos(scratch, (width, height), args.seed, tick)
        for width, height in ((640, 480), (1280, 720))
    }
    return measure_data_path(data, PAIRS_CONFIG, args.repeats, args.pairs, args.seed, tick)


def shapes(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``geometry``."""
    return measure_geometry(args.repeats, args.seed, tick=tick)


def grow(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``growth``."""
    return measure_growth(args.threads, long_frames=args.long_frames, tick=tick)


def accelerate(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``gpu``; the peaks of its device are its own."""
    is_missing = args.device.startswith('cuda') and not torch.cuda.is_available()
    if not (is_missing or args.device == 'cpu'):
        tick(f'peaks of {args.device}')
        _, peaks = measure_machine(args.threads, max(3, args.repeats), args.device, 8192)
    return measure_accelerator(
        args.device,
        peaks,
        args.repeats,
        {name: CONFIGS[name] for name in args.models},
        None if is_missing else make_video(FRAME_SIZES['720p'], args.frames, args.seed),
        '' if is_missing else training_videos(scratch, (640, 480), args.seed, tick),
        compiled=not args.no_compile,
        tick=tick,
    )


def agree(args: argparse.Namespace, peaks: Peaks, scratch: str, tick: Callable) -> Part:
    """The part ``agreement``."""
    is_missing = args.device.startswith('cuda') and not torch.cuda.is_available()
    return measure_agreement(
        args.device,
        list(available_models()),
        CONFIGS['tiny'],
        None if is_missing else make_video(FRAME_SIZES['480p'], args.frames, args.seed),
        '' if is_missing else training_videos(scratch, (640, 480), args.seed, tick),
        args.train_steps,
        tick=tick,
    )


MEASURES = dict(
    tracking=track,
    busy=be_busy,
    streams=stream,
    data=read_pairs,
    geometry=shapes,
    growth=grow,
    gpu=accelerate,
)


def training_videos(
    scratch: str, size: tuple[int, int], seed: int, tick: Callable[[str], None]
) -> str:
    """Folder of generated videos of a size, made on first use."""
    tick(f'generating {size[0]} x {size[1]} px training videos')
    root = Path(scratch, f'{size[0]}x{size[1]}')
    generate_dataset(
        root, _DATA_VIDEOS, 0, frames=_DATA_FRAMES, size=size, seed=seed, progress=False
    )
    return str(root)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Gives a function that shows on a terminal what is measured at the moment."""
    shown = shows_progress()
    begin = time.perf_counter()

    def tick(name: str) -> None:
        if shown:
            elapsed = time.perf_counter() - begin
            print(f'{_CLEAR_LINE}[{elapsed:5.0f} s] {name}', end='', file=sys.stderr, flush=True)

    try:
        yield tick
    finally:
        if shown:
            print(_CLEAR_LINE, end='', file=sys.stderr, flush=True)


if __name__ == '__main__':
    main()
