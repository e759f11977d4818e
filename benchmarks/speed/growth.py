"""How time and memory grow with the frame, the targets, the rays and the length of a video."""

import json
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config

from benchmarks.speed.contenders import init_model
from benchmarks.speed.geometry import SEARCH_SIZE, search_masks
from benchmarks.speed.peers import ROOT
from benchmarks.speed.results import Curve, Part
from benchmarks.speed.timing import calls
from benchmarks.speed.tracking import CONFIGS
from benchmarks.speed.videos import FRAME_SIZES
from mmpolar.deployment import export_onnx
from mmpolar.structures.crop import score_locations
from mmpolar.structures.polar import decode_points, encode_radii, rasterize_polygon

WORKER = 'benchmarks.speed.growth_worker'
WIDTH, TARGETS, RAYS, FRAMES = 'frame width, px', 'targets', 'rays', 'frames tracked'
TIME, MEMORY = 'ms a frame', 'resident memory, MiB'
RAY_TIME, RAY_MEMORY = 'ms a call', 'memory allocated, MiB'
#: Layout of the plot: a row a quantity, time on the left and memory on the right.
_PANELS = (
    (WIDTH, TIME, MEMORY),
    (TARGETS, TIME, MEMORY),
    (RAYS, RAY_TIME, RAY_MEMORY),
    (FRAMES, TIME, MEMORY),
)
_STEPS = 20
_WARM_UPS = 4
#: Changes to the small config that leave as little network as possible: the long video is about
#: everything else.
_SLIM = {
    'model.backbone.out_indices': (2,),
    'model.backbone.init_cfg': None,
    'model.neck.in_channels': [40],
    'model.neck.out_channels': 8,
    'model.head.in_channels': 8,
    'model.head.feat_channels': 8,
    'model.head.num_convs': 1,
    'model.mask_head.in_channels': 8,
    'model.mask_head.num_convs': 1,
    'model.refine_head': None,
    'model.test_cfg.search_size': 143,
    'model.test_cfg.small_target_search_size': 143,
}
#: A process may keep this much more memory at the end of a video than after its first tenth.
_FLAT_MIB = 8.0


def measure_growth(
    threads: int,
    config: str | Path = CONFIGS['tiny'],
    sizes: Sequence[str] = tuple(FRAME_SIZES),
    targets: Sequence[int] = (1, 2, 4, 8, 16),
    rays: Sequence[int] = (12, 24, 36, 72, 144, 288),
    long_frames: int = 100_000,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure the growth curves.

    Args:
        threads: Threads of the networks.
        config: The config whose export is measured.
        sizes: Frame sizes, keys of :data:`benchmarks.videos.FRAME_SIZES`.
        targets: Numbers of targets.
        rays: Numbers of rays.
        long_frames: Length of the long simulated video.
        tick: Called with the name of what is measured next.

    Returns:
        Curves, and in ``facts`` whether the memory stays flat.
    """
    part = Part('growth')
    with tempfile.TemporaryDirectory(prefix='mmpolar-growth-') as scratch:
        tick('exporting')
        model = _export(Config.fromfile(config), Path(scratch, 'model'))
        part.curves += _frame_curves(model, sizes, threads, tick)
        part.curves += _target_curves(model, targets, threads, tick)
        part.curves += _ray_curves(rays, tick)
        slim = Config.fromfile(config)
        slim.merge_from_dict(_SLIM)
        for backend, curves in _long_curves(slim, Path(scratch), long_frames, tick).items():
            part.curves += curves
            part.facts[backend] = _growth_of_memory(curves[1])
    part.remarks += [
        f'{backend}, {long_frames} frames of 320 x 240 px with next to no network: '
        f'{facts["after a tenth"]:.1f} MiB after a tenth of them, {facts["at the end"]:.1f} MiB at '
        f'the end: {"flat" if facts["flat"] else "NOT FLAT"}'
        for backend, facts in part.facts.items()
    ]
    return part


def plot_growth(curves: Sequence[Curve], path: str | Path) -> None:
    """Draw the curves: a row a quantity, time on the left, memory on the right.

    Args:
        curves: What :func:`measure_growth` found.
        path: Image to write; its folder is made.
    """
    rows = [row for row in _PANELS if any(curve.quantity == row[0] for curve in curves)]
    figure = Figure(figsize=(10, 2.7 * len(rows)), layout='constrained')
    panels = figure.subplots(len(rows), 2, squeeze=False)
    for (quantity, *measures), pair in zip(rows, panels, strict=True):
        for measure, axes in zip(measures, pair, strict=True):
            for curve in curves:
                if (curve.quantity, curve.measure) == (quantity, measure):
                    marker = 'o' if len(curve.x) < 20 else None
                    axes.plot(curve.x, curve.y, marker=marker, ms=3, lw=1.2, label=curve.name)
            axes.set_xlabel(quantity)
            axes.set_ylabel(measure)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
            axes.legend(fontsize='small')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _frame_curves(
    model: Path, sizes: Sequence[str], threads: int, tick: Callable[[str], None]
) -> list[Curve]:
    found = []
    for size in sizes:
        tick(f'frames of {size}')
        width, height = FRAME_SIZES[size]
        found.append((width, _work(model, threads=threads, width=width, height=height)))
    return _time_and_memory(WIDTH, 'ONNX Runtime, 1 target', found)


def _target_curves(
    model: Path, targets: Sequence[int], threads: int, tick: Callable[[str], None]
) -> list[Curve]:
    found = []
    for count in targets:
        tick(f'{count} targets')
        options = dict(width=1280, height=720, targets=count)
        found.append((count, _work(model, threads=threads, **options)))
    return _time_and_memory(TARGETS, 'ONNX Runtime, 720p', found)


def _ray_curves(rays: Sequence[int], tick: Callable[[str], None]) -> list[Curve]:
    """Encoding of a training target, and drawing of a contour of 500 px."""
    mask = search_masks(SEARCH_SIZE, seed=0)['object']
    locations = score_locations(search_size=SEARCH_SIZE).reshape(-1, 2).astype(int)
    poles = locations[mask[locations[:, 1], locations[:, 0]] > 0]

    def encode(n_rays: int) -> None:
        encode_radii(mask, poles, n_rays)

    def draw(n_rays: int) -> None:
        points = decode_points(np.array([250.0, 250.0]), np.full(n_rays, 240.0))
        rasterize_polygon(points, (500, 500))

    curves = []
    for name, function in (('encode a training target', encode), ('draw 500 x 500 px', draw)):
        tick(f'rays, {name}')
        milliseconds = [calls(function, n_rays)() * 1e3 for n_rays in rays]
        allocated = [_allocated(function, n_rays) for n_rays in rays]
        curves.append(Curve(RAYS, RAY_TIME, name, list(rays), milliseconds))
        curves.append(Curve(RAYS, RAY_MEMORY, name, list(rays), allocated))
    return curves


def _long_curves(
    config: Config, scratch: Path, frames: int, tick: Callable[[str], None]
) -> dict[str, list[Curve]]:
    """A long video in PyTorch and in ONNX Runtime, on a core each, at the same time."""
    tick(f'{frames} frames')
    path = scratch / 'slim.py'
    config.dump(path)
    common = dict(width=320, height=240, frames=frames, block=max(1, frames // 100), threads=1)
    workers = {
        'PyTorch': _start(path, backend='pytorch', **common),
        'ONNX Runtime': _start(_export(config, scratch / 'slim'), **common),
    }
    return {
        backend: [
            Curve(FRAMES, TIME, backend, found['frame'], found['ms']),
            Curve(FRAMES, MEMORY, backend, found['frame'], found['mib']),
        ]
        for backend, worker in workers.items()
        if (found := _finish(worker))
    }


def _growth_of_memory(curve: Curve) -> dict[str, float | bool]:
    """Medians around a tenth of the way and at the end, so that one sample does not decide."""
    tenth = max(1, len(curve.y) // 10)
    early = statistics.median(curve.y[tenth : 2 * tenth] or curve.y)
    late = statistics.median(curve.y[-tenth:])
    return {'after a tenth': early, 'at the end': late, 'flat': late - early < _FLAT_MIB}


def _time_and_memory(
    quantity: str, name: str, found: Sequence[tuple[int, Mapping[str, list[float]]]]
) -> list[Curve]:
    if not found:
        return []
    x = [value for value, _ in found]
    times = [statistics.median(result['ms'][_WARM_UPS:]) for _, result in found]
    memory = [max(result['mib']) for _, result in found]
    return [Curve(quantity, TIME, name, x, times), Curve(quantity, MEMORY, name, x, memory)]


def _export(config: Config, folder: Path) -> Path:
    export_onnx(init_model(config).eval(), folder)
    return folder


def _work(model: Path, **options: int | str) -> dict[str, list[float]]:
    return _finish(_start(model, frames=_STEPS + _WARM_UPS, **options))


def _start(model: Path, **options: int | str) -> subprocess.Popen:
    command = [sys.executable, '-m', WORKER, str(model)]
    command += [text for name, value in options.items() for text in (f'--{name}', str(value))]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def _finish(worker: subprocess.Popen) -> dict[str, list[float]]:
    out, errors = worker.communicate()
    if worker.returncode:
        raise RuntimeError(f'the process that was measured ended with an error:\n{errors[-2000:]}')
    return json.loads(out.splitlines()[-1])


def _allocated(function: Callable[[int], None], n_rays: int) -> float:
    """Most MiB that were allocated at one time during a call."""
    tracemalloc.start()
    try:
        function(n_rays)
        return tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()
