"""``mmpolar track``: follow targets through a video, or through each of a list."""

import argparse
import sys

from mmpolar.cli.arguments import add_device_argument, add_model_argument, check_counts
from mmpolar.cli.track_list import is_list, run_list
from mmpolar.cli.track_outputs import KINDS
from mmpolar.cli.track_run import TrackRun, argument_error, build_engine, check_files
from mmpolar.cli.track_targets import add_target_arguments
from mmpolar.tracking.streams import POLICIES
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.video import RawVideo, Source

DESCRIPTION = 'Track targets through a video, or through each of a list: boxes, contours and masks.'
EPILOG = f"""\
outputs: --out, as often as you like
{KINDS}

examples
  mmpolar track video.mp4 --box 100,80,60,40 --out tracked.mp4
  a click in place of a box, and the numbers as lines of JSON:
    mmpolar track video.mp4 --point 130,100 --out tracked.mp4 --out tracked.jsonl
  two targets, their masks as images, and as a file for annotation tools:
    mmpolar track video.mp4 --box 100,80,60,40 --box 300,90,50,50 --out masks/ --out tracked.json
  targets that a detector has found, a folder of images, a model of your own:
    mmpolar track frames/ --detections first.json --model model --out tracked.txt
  a camera in a window, and one in the network:
    mmpolar track 0 --show
    mmpolar track rtsp://192.168.1.20/stream --box 100,80,60,40 --out - | your-program
  frames of another program:
    ffmpeg -i in.mkv -f rawvideo -pix_fmt bgr24 - | \\
        mmpolar track - --size 1280,720 --box 100,80,60,40 --out tracked.mp4
  a long video: after Ctrl-C or a power failure the same command goes on
    mmpolar track long.mp4 --box 100,80,60,40 --out long.jsonl --out long.mp4 --resume
  many videos, on all cores of this machine, or of a Ray cluster; a line of videos.list is
  clips/a.mp4 --box 100,80,60,40 --out tracked/a.jsonl
    mmpolar track videos.list
    mmpolar track videos.list --ray auto

the model
  Without --model, one that comes with mmpolar; "mmpolar models" lists them. One of your own is a folder
  that "mmpolar export CONFIG CHECKPOINT --out model" writes, or with PyTorch --config and --checkpoint.

exit code: 0 done, 2 wrong usage or files, 130 stopped by Ctrl-C; what was tracked until then is written
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source, model, targets and outputs."""
    parser.add_argument(
        'source',
        help='video file, folder of images, number of a camera, address such as rtsp://..., or - for '
        'raw frames on standard input; or a text file ending in .list or .txt, each line of which is a '
        'video file or folder with options of its own, --out FILE.jsonl among them',
    )
    parser.add_argument(
        '--out',
        action='append',
        default=[],
        metavar='NAME',
        help='what to write: .mp4, .jsonl, .json, .txt or a folder, see below; again for another one',
    )
    parser.add_argument('--show', action='store_true', help='show the frames in a window; q ends')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on where an earlier run was cut; needs --out FILE.jsonl',
    )
    parser.add_argument(
        '--policy',
        choices=POLICIES,
        help='what happens to frames that come too fast: the source waits, the oldest one makes room so '
        'that the newest is tracked next, or new ones are skipped (default: drop_oldest for cameras and '
        'addresses, else wait)',
    )
    parser.add_argument(
        '--ray',
        metavar='ADDRESS',
        help='with a list: track its videos on the Ray cluster there; auto for the one of this machine',
    )
    # The JSON file of earlier releases, for one more.
    parser.add_argument('--results', metavar='FILE', help=argparse.SUPPRESS)
    add_target_arguments(parser)
    raw = parser.add_argument_group('raw frames on standard input: bytes B, G, R of each pixel')
    raw.add_argument('--size', metavar='W,H', help='width and height of the frames')
    raw.add_argument('--fps', type=float, help='their rate, for a video')
    model = parser.add_argument_group('model')
    add_model_argument(model)
    model.add_argument(
        '--threads',
        type=int,
        help='threads that the network uses (default: 2 with ONNX Runtime, 1 with PyTorch)',
    )
    model.add_argument('--config', metavar='FILE', help='with PyTorch: config of your own tracker')
    model.add_argument('--checkpoint', metavar='FILE', help='with PyTorch: its weights')
    add_device_argument(model)


def run(args: argparse.Namespace) -> int:
    """Track as the arguments say."""
    check_counts(args, args.parser, 'threads')
    if is_list(args.source):
        check_list_arguments(args)
        return run_list(args)
    check_arguments(args)
    source = read_source(args)
    check_files(args)
    done = TrackRun(args, source, build_engine(args))
    if args.resume:
        done.resume()
    elif done.journal is not None:
        done.journal.check_new()
    status = done.track()
    written = ' and '.join([*args.out, *filter(None, [args.results])]) or 'nothing'
    dropped = f', {done.dropped} more came too fast' if done.dropped else ''
    print(
        f'{done.count} frames{dropped}, wrote {written}',
        file=sys.stderr if '-' in args.out else sys.stdout,
    )
    return status


def check_arguments(args: argparse.Namespace) -> None:
    """End with a usage error where arguments do not go together."""
    if args.results:
        warn_deprecated('--results of mmpolar track', '--out FILE.jsonl or --out FILE.json')
    if args.ray:
        args.parser.error(
            '--ray tracks the videos of a list: give a file that ends in .list or .txt'
        )
    error = argument_error(args)
    if error is not None:
        args.parser.error(error)


def check_list_arguments(args: argparse.Namespace) -> None:
    """End with a usage error where an option belongs to the lines of the list."""
    given = dict(vars(args), out=args.out or None, show=args.show or None)
    names = ('out', 'show', 'results', 'box', 'point', 'mask', 'detections', 'size', 'policy')
    wrong = [f'--{name}' for name in names if given[name] is not None]
    if wrong:
        args.parser.error(f'{wrong[0]} belongs to the lines of {args.source}')


def read_source(args: argparse.Namespace) -> Source:
    """What is tracked."""
    if args.source != '-':
        return args.source
    try:
        width, height = (int(side) for side in args.size.split(','))
    except ValueError as error:
        raise ValueError(f'--size wants width,height such as 1280,720; got {args.size}') from error
    if width < 1 or height < 1:
        raise ValueError(f'--size must be at least 1,1; got {args.size}')
    return RawVideo(sys.stdin.buffer, (width, height), args.fps)
