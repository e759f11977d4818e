"""Many videos at once: frames a second in sum, in one process and in one each, and what a video costs."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.speed.peers import NANOTRACK, ROOT
from benchmarks.speed.results import Part, Row, percentiles
from mmpolar.apis import available_models
from mmpolar.tracking.engine import CPU_BATCH
from mmpolar.utils.available_cores import available_cores

WORKER = 'benchmarks.speed.streams_worker'
COUNTS = (1, 2, 4, 8, 16)
#: A further video may take this much more memory, without its frames.
WANTED_MIB = 5.0


def measure_streams(
    repeats: int,
    counts: Sequence[int] = COUNTS,
    seconds: float = 3.0,
    nanotrack: Sequence[str] | None = None,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure the packaged trackers in ONNX Runtime, and NanoTrack, one thread a step.

    Args:
        repeats: Rounds; all ways of a number of videos are measured in turn.
        counts: Numbers of videos.
        seconds: How long each measurement takes.
        nanotrack: NanoTrack's two ONNX files; None to leave it out.
        tick: Called with the name of what is measured next.

    Returns:
        A table a number of videos.
    """
    part = Part('streams')
    names = {model: [model] for model in available_models()}
    if nanotrack is not None:
        names[NANOTRACK] = [NANOTRACK, *nanotrack]
    found: dict[tuple[int, str, str], list[dict]] = {}
    for _ in range(repeats):
        for count in counts:
            for name, words in names.items():
                for way, split in (('one process', [count]), ('a process each', [1] * count)):
                    if count == 1 and way == 'a process each':
                        continue
                    tick(f'{count} videos, {name}, {way}')
                    measured = _run(words, split, seconds)
                    found.setdefault((count, name, way), []).append(measured)
    for (count, name, way), rounds in found.items():
        row = Row(
            f'{count} videos of 854 x 480, {available_cores()} cores, frames a second in sum',
            f'{name}, {way}',
            'frames/s',
            [one['rate'] for one in rounds],
            remark=f'{_middle(rounds, "mib"):.0f} MiB in all, '
            f'{_middle(rounds, "cpu_ms"):.1f} ms of the processor a frame',
        )
        lag = percentiles([1e3 * value for one in rounds for value in one['lags']])
        row.remark += ', from a frame to its result ' + ', '.join(
            f'{key} {lag[key]:.0f} ms' for key in lag
        )
        part.rows.append(row)
    part.remarks += [_memory(found, name, counts) for name in names if len(counts) > 1]
    return part


def _run(words: Sequence[str], split: Sequence[int], seconds: float) -> dict:
    """Sums over processes that track so many videos each, at the same time."""
    command = [sys.executable, '-m', WORKER, '--seconds', str(seconds), *words]
    workers = [
        subprocess.Popen(
            [*command, '--videos', str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for count in split
    ]
    # All have loaded their network and have their targets before one begins.
    for worker in workers:
        if worker.stdout.readline() != 'ready\n':
            raise RuntimeError(f'a process that was to be measured ended: {command}')
    for worker in workers:
        worker.stdin.write('begin\n')
        worker.stdin.flush()
    found = [json.loads(worker.communicate()[0]) for worker in workers]
    frames = sum(one['frames'] for one in found)
    return dict(
        rate=sum(one['frames'] / one['seconds'] for one in found),
        cpu_ms=1e3 * sum(one['cpu_seconds'] for one in found) / frames,
        mib=sum(one['mib'] for one in found),
        lags=[lag for one in found for lag in one['lags']],
    )


def _middle(rounds: Sequence[dict], key: str) -> float:
    return percentiles([one[key] for one in rounds])['p50']


def _memory(found: dict, name: str, counts: Sequence[int]) -> str:
    """MiB that a further video takes in the same process, once all its threads work on full batches."""
    full = [count for count in counts if count >= CPU_BATCH * available_cores()]
    first, last = min(full[:-1] or counts), max(counts)
    few, many = (_middle(found[count, name, 'one process'], 'mib') for count in (first, last))
    each = (many - few) / (last - first)
    return f'{name}: {each:.2f} MiB for a further video (at most {WANTED_MIB} wanted)'
