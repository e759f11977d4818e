"""``mmpolar track``: follow targets through a video."""

import argparse
import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from numpy.typing import NDArray

from mmpolar.apis import init_engine
from mmpolar.cli.arguments import add_device_argument
from mmpolar.cli.errors import INTERRUPTED
from mmpolar.cli.requirements import require_training
from mmpolar.cli.track_outputs import (
    KINDS,
    JsonLinesOutput,
    OldResultsOutput,
    StoppedByUserError,
    TrackedFrame,
    TrackOutput,
    WindowOutput,
    open_output,
)
from mmpolar.cli.track_resume import Journal
from mmpolar.cli.track_targets import add_target_arguments, read_targets
from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import TrackEngine, Tracker
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import shows_progress
from mmpolar.utils.video import (
    RawVideo,
    Source,
    TimedFrame,
    count_frames,
    is_live,
    iter_timed_frames,
)

#: Seconds from one message of progress to the next.
PROGRESS_SECONDS = 0.5
DESCRIPTION = 'Track targets through a video: boxes, contours and masks.'
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
        'raw frames on standard input',
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
    # The JSON file of earlier releases, for one more.
    parser.add_argument('--results', metavar='FILE', help=argparse.SUPPRESS)
    add_target_arguments(parser)
    raw = parser.add_argument_group('raw frames on standard input: bytes B, G, R of each pixel')
    raw.add_argument('--size', metavar='W,H', help='width and height of the frames')
    raw.add_argument('--fps', type=float, help='their rate, for a video')
    model = parser.add_argument_group('model')
    model.add_argument(
        '--model',
        metavar='NAME',
        help=f'name of a trained tracker, or folder of an exported one (default: {DEFAULT_MODEL})',
    )
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
    check_arguments(args)
    source = read_source(args)
    outputs = {f'--out {number}' if number > 1 else '--out': name
               for number, name in enumerate(args.out, 1) if name != '-'}  # fmt: skip
    check_outputs(
        outputs | {'--results': args.results},
        {
            'the source': args.source,
            'the model': args.model,
            '--mask': args.mask,
            '--detections': args.detections,
            '--config': args.config,
            '--checkpoint': args.checkpoint,
        },
    )
    done = TrackRun(args, source)
    status = done.track()
    written = ' and '.join([*args.out, *filter(None, [args.results])]) or 'nothing'
    print(
        f'{done.count} frames, wrote {written}', file=sys.stderr if '-' in args.out else sys.stdout
    )
    return status


def check_arguments(args: argparse.Namespace) -> None:
    """End with a usage error where arguments do not go together."""
    if args.results:
        warn_deprecated('--results of mmpolar track', '--out FILE.jsonl or --out FILE.json')
    if not args.out and not args.results and not args.show:
        args.parser.error('nothing to do: give --out FILE or --show')
    if args.resume and not journal_name(args):
        args.parser.error('--resume needs --out FILE.jsonl, where what was tracked is kept')
    if args.resume and (args.source == '-' or is_live(args.source)):
        args.parser.error(
            '--resume needs a file or a folder: frames that come as time passes are gone'
        )
    if (args.source == '-') != bool(args.size):
        args.parser.error('raw frames need a source - and --size W,H')
    if bool(args.config) != bool(args.checkpoint):
        args.parser.error('a tracker of your own is --config and --checkpoint: give both')
    if args.model and args.config:
        args.parser.error('give --model, or --config and --checkpoint')


def journal_name(args: argparse.Namespace) -> str | None:
    """The file of lines among the outputs."""
    return next((name for name in args.out if name.lower().endswith('.jsonl')), None)


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


def build_engine(args: argparse.Namespace) -> TrackEngine:
    """The network that the arguments choose."""
    if args.config is None and args.device == 'cpu':
        return init_engine(args.model, engine='onnx', threads=args.threads)
    require_training('mmpolar track with --config or --device')
    return init_engine(
        args.config or args.model, args.checkpoint, args.device, threads=args.threads
    )


class TrackRun:
    """One run of the command.

    Args:
        args: The arguments.
        source: What is tracked.

    Attributes:
        count: Frames that were tracked, or taken from an earlier run.
    """

    def __init__(self, args: argparse.Namespace, source: Source) -> None:
        self.args, self.source, self.count = args, source, 0
        name = journal_name(args)
        self.journal = None if name is None else Journal(Path(name))
        if self.journal is not None and args.resume:
            self.journal.read(args.source)
        self.tracker = Tracker(build_engine(args))
        self.targets: Sequence[NDArray] = []
        self._state: Mapping[str, NDArray] = {}

    def track(self) -> int:
        """Track, and write what was asked for, also if a later frame fails; gives the status."""
        frames = iter_timed_frames(self.source)
        first = next(frames)
        earlier = [] if self.journal is None else self.journal.targets
        self.targets = earlier or read_targets(self.args, self.tracker.engine, first[0])
        begun = self.tracker.init(first[0], self.targets)
        progress = Progress(count_frames(self.source))
        status = 0
        with ExitStack() as stack:
            outputs = [stack.enter_context(closing(one)) for one in self.open_outputs()]
            try:
                for tracked in self.follow(itertools.chain([first], frames), begun):
                    for output in outputs:
                        output.write(tracked)
                    self.keep()
                    progress.show(self.count)
            except StoppedByUserError:
                self.keep()
            except KeyboardInterrupt:
                status = INTERRUPTED
            finally:
                progress.end()
                self.save(now=True)
        self.finish(status)
        return status

    def follow(
        self, frames: Iterator[TimedFrame], begun: list[TrackResult]
    ) -> Iterator[TrackedFrame]:
        """The frames with their results: those of an earlier run, then those tracked now."""
        known = 0 if self.journal is None else self.journal.frames
        earlier = self.journal.results() if known else iter(())
        for number, (image, seconds) in enumerate(frames):
            if number < known:
                results = next(earlier)
            elif number == 0:
                results = begun
            else:
                if number == known:
                    self.journal.restore(self.tracker)
                results = self.tracker.step(image)
            yield TrackedFrame(number, seconds, image, results)

    def open_outputs(self) -> list[TrackOutput]:
        """The outputs that the arguments name."""
        kept = 0 if self.journal is None else self.journal.frames
        if self.journal is not None and not kept:
            self.journal.forget()
        outputs: list[TrackOutput] = [
            JsonLinesOutput(name, kept)
            if self.journal is not None and Path(name) == self.journal.lines
            else open_output(name, self.source)
            for name in self.args.out
        ]
        if self.args.results:
            outputs.append(OldResultsOutput(Path(self.args.results)))
        return [*outputs, WindowOutput()] if self.args.show else outputs

    def keep(self) -> None:
        """Count a frame whose line is written, with what the tracker knows after it."""
        self.count += 1
        if self.journal is not None and self.count > self.journal.frames:
            self._state = self.tracker.snapshot()
            self.save(now=False)

    def save(self, now: bool) -> None:
        """Let a later run go on from the last frame that was kept."""
        if self.journal is not None and self._state:
            self.journal.save(self.args.source, self.count, self.targets, self._state, now)

    def finish(self, status: int) -> None:
        """Say how to go on after an interruption, or leave nothing to go on with."""
        if status:
            hint = '' if self.journal is None else '; go on with --resume'
            print(f'stopped after {self.count} frames{hint}', file=sys.stderr)
        elif self.journal is not None:
            self.journal.forget()


class Progress:
    """Frames, speed and what is left, on a terminal only.

    Args:
        total: Frames of the source, if known.
    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.is_shown = shows_progress()
        self._start = self._last = time.monotonic()

    def show(self, count: int) -> None:
        """Show how far it is, unless that was done a moment ago."""
        now = time.monotonic()
        if not self.is_shown or now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        rate = count / (now - self._start)
        text = f'frame {count}'
        if self.total:
            left = max(self.total - count, 0) / rate
            text += f' of {self.total}, {left / 60:.0f}:{left % 60:02.0f} left'
        print(f'\r{text}, {rate:.1f} frames/s\x1b[K', end='', file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self.is_shown:
            print(file=sys.stderr)
