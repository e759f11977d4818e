"""One run of ``mmpolar track`` through one video."""

import argparse
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mmpolar.apis import init_engine
from mmpolar.cli.errors import INTERRUPTED, USAGE_ERROR
from mmpolar.cli.requirements import require_training
from mmpolar.cli.track_outputs import (
    JsonLinesOutput,
    OldResultsOutput,
    StoppedByUserError,
    TrackedFrame,
    TrackOutput,
    WindowOutput,
    open_output,
)
from mmpolar.cli.track_resume import TrackJournal
from mmpolar.cli.track_targets import read_targets
from mmpolar.model_zoo import DEFAULT_FOLDER, DEFAULT_MODEL, model_name
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import TrackEngine, Tracker
from mmpolar.tracking.streams import FrameQueue
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import shows_progress
from mmpolar.utils.video import (
    RawVideo,
    Source,
    TimedFrame,
    count_frames,
    is_live,
    iter_timed_frames,
    promised_frames,
)

#: Seconds from one message of progress to the next.
PROGRESS_SECONDS = 0.5


def argument_error(args: argparse.Namespace) -> str | None:
    """What is wrong with arguments that do not go together; None if they do."""
    comes_live = args.source == '-' or is_live(args.source)
    wrong = {
        'nothing to do: give --out FILE or --show': not (args.out or args.results or args.show),
        '--resume needs --out FILE.jsonl, where what was tracked is kept': (
            args.resume and not journal_name(args)
        ),
        '--resume needs a file or a folder: frames that come as time passes are gone': (
            args.resume and comes_live
        ),
        '--policy is for frames that come as time passes: those of a file or a folder all wait': (
            args.policy not in (None, 'wait') and not comes_live
        ),
        'raw frames need a source - and --size W,H': (args.source == '-') != bool(args.size),
        '--fps is the rate of raw frames, and above 0': (
            args.fps is not None and not (args.source == '-' and args.fps > 0)
        ),
        'a tracker of your own is --config and --checkpoint: give both': (
            bool(args.config) != bool(args.checkpoint)
        ),
        'give --model, or --config and --checkpoint': args.model and args.config,
    }
    return next((message for message, is_wrong in wrong.items() if is_wrong), None)


def check_files(args: argparse.Namespace) -> None:
    """Refuse outputs that would be written over what is read.

    Raises:
        OutputOverInputError: If one would.
    """
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


def check_job(job: argparse.Namespace) -> None:
    """Check the arguments of a video that is tracked without anybody watching.

    Raises:
        ValueError: If they do not go together, write no lines of JSON, or name no target.
        FileNotFoundError: If there is no such video.
    """
    error = argument_error(job)
    if error is not None:
        raise ValueError(error)
    if job.source == '-' or is_live(job.source):
        raise ValueError(
            f'{job.source} is no file or folder; many cameras: mmpolar.tracking.streams.StreamPool'
        )
    if not os.path.exists(job.source):
        raise FileNotFoundError(f'there is no {job.source}')
    if journal_name(job) is None or job.show:
        raise ValueError('give --out FILE.jsonl, where what was tracked is kept, and no --show')
    if not (job.box or job.point or job.mask or job.detections):
        raise ValueError('give a target: --box, --point, --mask or --detections')
    check_files(job)


def journal_name(args: argparse.Namespace) -> str | None:
    """The file of lines among the outputs."""
    return next((name for name in args.out if name.lower().endswith('.jsonl')), None)


def build_engine(args: argparse.Namespace) -> TrackEngine:
    """The network that the arguments choose."""
    if uses_onnx(args):
        return init_engine(args.model, engine='onnx', threads=args.threads)
    require_training('mmpolar track with --config or --device')
    return init_engine(
        args.config or args.model, args.checkpoint, args.device, threads=args.threads
    )


def uses_onnx(args: argparse.Namespace) -> bool:
    """Whether ONNX Runtime computes, not PyTorch."""
    return args.config is None and args.device == 'cpu'


def given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options on which results depend, for a run that goes on; None where one is not given."""
    targets = {name: getattr(args, name) for name in ('box', 'point', 'mask', 'detections')}
    default = DEFAULT_FOLDER if uses_onnx(args) else DEFAULT_MODEL
    model = model_name(args.model, default)
    return targets | dict(model=model, config=args.config, checkpoint=args.checkpoint)


class TrackRun:
    """One run of the command.

    Args:
        args: The arguments.
        source: What is tracked.
        engine: The network, which others may use too.
        stop: Set by others to end as Ctrl-C does.
        is_quiet: Whether to show no progress.

    Attributes:
        count: Frames that were tracked, or taken from an earlier run.
        dropped: Frames that came too fast.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        source: Source,
        engine: TrackEngine,
        stop: threading.Event | None = None,
        is_quiet: bool = False,
    ) -> None:
        self.args, self.source, self.count, self.dropped = args, source, 0, 0
        name = journal_name(args)
        self.journal = (
            None if name is None else TrackJournal(Path(name), args.source, given_options(args))
        )
        self.tracker = Tracker(engine)
        self.targets: Sequence[NDArray] = []
        self._state: Mapping[str, NDArray] = {}
        self._stop, self._is_quiet = stop, is_quiet

    def resume(self) -> None:
        """Go on where an earlier run was cut, if there was one."""
        self.journal.go_on()

    def track(self) -> int:
        """Track, and write what was asked for, also if a later frame fails; gives the status."""
        status = 0
        with ExitStack() as stack:
            frames = self.read_frames(stack)
            first = next(frames)
            image, _ = first[1]
            earlier = [] if self.journal is None else self.journal.targets
            self.targets = earlier or read_targets(self.args, self.tracker.engine, image)
            begun = self.tracker.init(image, self.targets)
            progress = Progress(None if self._is_quiet else count_frames(self.source))
            progress.is_shown &= not self._is_quiet
            if self.journal is not None:
                stack.enter_context(self.journal)
            outputs = [stack.enter_context(closing(one)) for one in self.open_outputs()]
            try:
                for tracked in self.follow(itertools.chain([first], frames), begun):
                    for output in outputs:
                        output.write(tracked)
                    self.keep()
                    progress.show(self.count)
                    if self._stop is not None and self._stop.is_set():
                        raise KeyboardInterrupt
            except StoppedByUserError:
                self.keep()
            except KeyboardInterrupt:
                status = INTERRUPTED
            else:
                status = self.check_length()
            finally:
                progress.end()
                self.save(now=True)
        self.finish(status)
        return status

    def check_length(self) -> int:
        """The status of a run that came to the end of the source: whether that is the end of the video."""
        promised = promised_frames(self.source)
        return USAGE_ERROR if promised is not None and self.count < promised else 0

    def read_frames(self, stack: ExitStack) -> Iterator[tuple[int, TimedFrame]]:
        """The frames to track, each with its number in the source; those that come too fast are left out.

        Args:
            stack: Closes what is opened.
        """
        frames = iter_timed_frames(self.source)
        usual = 'drop_oldest' if is_live(self.source) else 'wait'
        policy = self.args.policy or ('wait' if isinstance(self.source, RawVideo) else usual)
        if policy == 'wait':
            return enumerate(frames)
        queue = stack.enter_context(closing(FrameQueue(frames, policy)))
        return self._from_queue(queue)

    def _from_queue(self, queue: FrameQueue[TimedFrame]) -> Iterator[tuple[int, TimedFrame]]:
        for queued in queue:
            self.dropped = queue.dropped
            yield queued.number, queued.frame

    def follow(
        self, frames: Iterator[tuple[int, TimedFrame]], begun: list[TrackResult]
    ) -> Iterator[TrackedFrame]:
        """The frames with their results: those of an earlier run, then those tracked now."""
        known = 0 if self.journal is None else self.journal.frames
        earlier = self.journal.results() if known else iter(())
        for number, (image, seconds) in frames:
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
        goes_on = self.journal is not None and self.journal.was_cut
        if self.journal is not None and not kept:
            # Before the file of lines is there: without a state it would count as complete.
            self.journal.save(0, self.targets, {}, now=True)
        outputs: list[TrackOutput] = [
            JsonLinesOutput(name, kept)
            if self.journal is not None and Path(name) == self.journal.lines
            else open_output(name, self.source, goes_on)
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
            self.journal.save(self.count, self.targets, self._state, now)

    def finish(self, status: int) -> None:
        """Say how to go on after an interruption, or leave nothing to go on with."""
        if status == INTERRUPTED:
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
