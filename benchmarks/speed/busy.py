"""A tracking step while other programs want the cores too."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks.speed.peers import FrameTracker
from benchmarks.speed.results import Part, Row, percentiles
from benchmarks.speed.videos import Video
from mmpolar.apis import available_models, init_tracker
from mmpolar.utils.available_cores import available_cores

#: Programs beside the tracker, each of which keeps a core busy.
LOADS = (0, 1, 2, 4)
#: A step may take this much longer than the share of the cores that is left explains.
WANTED = 1.5
COUNTER = 'counting, for comparison'
_STEPS = 10
_COUNT = 1_000_000
_LOOP = 'while True: pass'


class Counter:
    """Takes steps of the same work on one thread, and so shows what a thread gets of the cores."""

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Nothing to do."""

    def step(self, frame: np.ndarray) -> int:
        """Add numbers, for some ten milliseconds."""
        return sum(range(_COUNT))


def measure_busy(
    peers: Mapping[str, FrameTracker],
    video: Video,
    repeats: int,
    loads: Sequence[int] = LOADS,
    steps: int = _STEPS,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure the packaged trackers in both engines, with the threads that they take by themselves.

    Args:
        peers: Other trackers, of one thread each, by name.
        video: What is tracked.
        repeats: Rounds. In each, every load is put on in turn, and all trackers take steps beside it.
        loads: Numbers of programs that keep a core busy each; the first is what others are compared
            with.
        steps: Steps of a tracker in a round.
        tick: Called with the name of what is measured next.

    Returns:
        A table a load.
    """
    part, trackers = Part('busy'), {COUNTER: Counter(), **peers}
    threads = dict.fromkeys(trackers, 1)
    for model in available_models():
        for engine, label in (('torch', 'PyTorch'), ('onnx', 'ONNX Runtime')):
            tick(f'loading {model}')
            tracker = init_tracker(model, engine=engine)
            trackers[f'{model}, {label}'] = tracker
            threads[f'{model}, {label}'] = tracker.engine.threads
    seconds = {(load, name): [] for load in loads for name in trackers}
    for _ in range(repeats):
        for load in loads:
            with busy_programs(load):
                for name, tracker in trackers.items():
                    tick(f'{name} beside {load}')
                    seconds[load, name] += time_steps(tracker, video, steps)
    for (load, name), values in seconds.items():
        task = f'step beside {load} busy programs, {available_cores()} cores'
        way, milliseconds = f'{name}, threads: {threads[name]}', [1e3 * one for one in values]
        row = Row(task, way, 'ms', milliseconds, percentiles=percentiles(milliseconds))
        slower, counter = (
            percentiles(seconds[load, one])['p50'] / percentiles(seconds[loads[0], one])['p50']
            for one in (name, COUNTER)
        )
        # Programs that others have started meet the counter as well.
        cores = available_cores()
        expected = counter * share_left(1, load, cores) / share_left(threads[name], load, cores)
        row.remark = (
            f'{slower:.2f} times the time beside {loads[0]}; the share of the cores explains '
            f'{expected:.2f}: {slower / expected:.2f} times that, at most {WANTED} wanted'
        )
        part.rows.append(row)
    return part


def share_left(threads: int, load: int, cores: int) -> float:
    """Share of its time that a step gets of the cores, of what it gets alone, if all threads are equal.

    Args:
        threads: Threads of the tracker.
        load: Other threads, which never wait.
        cores: Cores.
    """
    return min(1.0, cores / (threads + load)) / min(1.0, cores / threads)


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """So many processes that keep a core busy each, until the block ends."""
    programs = [subprocess.Popen([sys.executable, '-c', _LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def time_steps(tracker: FrameTracker, video: Video, steps: int) -> list[float]:
    """Seconds of each step through a video, which is played again and again, but for the first step."""
    tracker.init(video.frames[0], video.boxes[0])
    tracker.step(video.frames[1])
    taken = []
    for number in range(steps):
        frame = video.frames[1 + number % (len(video.frames) - 1)]
        begin = time.perf_counter()
        tracker.step(frame)
        taken.append(time.perf_counter() - begin)
    return taken
