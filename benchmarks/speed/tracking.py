"""Time of a tracking step: ours and everybody else's on the same frames."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.speed.clocks import synchronize
from benchmarks.speed.contenders import (
    Contender,
    build_family,
    build_original_family,
    packaged_weights,
    without_mask_stage,
)
from benchmarks.speed.machine import Peaks
from benchmarks.speed.peers import ROOT, opencv_trackers
from benchmarks.speed.results import Part, Row, compare, in_unit, percentiles
from benchmarks.speed.timing import Way, calls, interleave, spread
from benchmarks.speed.videos import FRAME_SIZES, Video, make_video
from mmpolar.datasets import DavisDataset
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.structures.crop import context_size, crop_image
from mmpolar.structures.polar import decode_points, rasterize_polygon
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.selection import select_location

CONFIGS = {
    'r50': ROOT / 'configs/ocean_polar/ocean-polar_r50_natural.py',
    'lite0': ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0_natural.py',
    'tiny': ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0-tiny_natural.py',
}
#: The config whose training pairs are timed: plain pairs, as the peer's.
PAIRS_CONFIG = ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0_own-data.py'
#: The config that shares its weights with the original.
ORIGINAL_CONFIG = 'r50'
#: Frames that the split by part is taken from; the first few settle the caches.
_SPLIT_FRAMES = 8
_CALIBRATION_VIDEOS = 6
#: A round of one tracker lasts at least this long: small networks are disturbed easily.
_ROUND_SECONDS = 1.0


def measure_tracking(
    peaks: Peaks,
    repeats: int,
    threads: int,
    configs: Mapping[str, str | Path] = CONFIGS,
    sizes: Sequence[str] = ('480p', '720p', '1080p'),
    frames: int = 12,
    checkpoints: Mapping[str, str] | None = None,
    nanotrack: tuple[str, str] | None = None,
    int8: bool = True,
    mask_stage: bool = True,
    seed: int = 0,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure one step of every tracker that can be had, video decoding excluded.

    Args:
        peaks: The machine's peaks, for the arithmetic bounds.
        repeats: Rounds. In each, every tracker is shown its target and follows it to the end.
        threads: Threads of ONNX Runtime; PyTorch's and OpenCV's are set by the caller.
        configs: Our configs by short name; ``'r50'`` runs with the weights of the original.
        sizes: Frame sizes, keys of :data:`benchmarks.videos.FRAME_SIZES`.
        frames: Frames of each video.
        checkpoints: Trained weights by a config's short name; by default those that come with the
            package where there are some of the config's name.
        nanotrack: NanoTrack's two ONNX files, backbone and head; a stand-in by default.
        int8: Whether to quantise and to measure int8.
        mask_stage: Whether the trackers have their mask stage; without it they give box and contour.
        seed: Seed of the videos.
        tick: Called with the name of what is measured next.

    Returns:
        Tables of the step, of what is outside the network, and of its stages.
    """
    part = Part('tracking')
    videos = {}
    for size in sizes:
        tick(f'making the {size} video')
        videos[size] = make_video(FRAME_SIZES[size], frames, seed)
    with tempfile.TemporaryDirectory(prefix='mmpolar-benchmark-') as folder:
        calibration = _calibration_data(folder) if int8 else None
        families = []
        for name, config in configs.items():
            tick(f'building {name}')
            checkpoint = (checkpoints or {}).get(name) or packaged_weights(config)
            if not mask_stage:
                config, checkpoint = without_mask_stage(config, checkpoint, Path(folder))
            common = (name, config, Path(folder, name), threads, calibration)
            if name == ORIGINAL_CONFIG and checkpoint is None:
                families.append(build_original_family(*common, next(iter(videos.values()))))
            else:
                families.append(build_family(*common, checkpoint))
        others, missing = opencv_trackers(Path(folder, 'nanotrack'), nanotrack)
        part.remarks += [remark for family in families for remark in family.remarks] + missing
        contenders = [one for family in families for one in family.contenders]
        contenders += [Contender(name, tracker) for name, tracker in others.items()]
        for size, video in videos.items():
            part.rows += step_rows(contenders, video, size, peaks, repeats, tick)
        for size, video in videos.items():
            tick(f'stages outside the network at {size}')
            part.rows += stage_rows(video, size, TrackParams(), repeats, seed)
    return part


def step_rows(
    contenders: Sequence[Contender],
    video: Video,
    size: str,
    peaks: Peaks,
    repeats: int,
    tick: Callable[[str], None] = lambda name: None,
) -> list[Row]:
    """Milliseconds of a step of each tracker, its bound, and where its time goes."""
    steps: dict[str, list[float]] = {one.name: [] for one in contenders}
    ways = {one.name: _follow(one, video, steps[one.name]) for one in contenders}
    for name, way in ways.items():
        tick(f'{size}, {name}, for the first time')
        way()
        steps[name].clear()
    seconds = interleave(ways, repeats, warm_up=False, tick=lambda name: tick(f'{size}, {name}'))
    rows = compare(f'tracking step at {size}', seconds, {one.name: one.peers for one in contenders})
    for row, contender in zip(rows, contenders, strict=True):
        row.remark = f'{1e3 / row.spread.median:.1f} frames/s'
        row.percentiles = percentiles([in_unit(one, 'ms') for one in steps[contender.name]])
        if contender.flops:
            row.gflop = contender.flops / 1e9
            bound = peaks.bound(contender.flops, contender.numbers)
            row.bound = None if bound is None else bound * 1e3
        if contender.split is not None:
            tick(f'{size}, {contender.name}, by part')
            _add_split(row, contender, video)
    return rows


def stage_rows(
    video: Video, size: str, params: TrackParams, repeats: int, seed: int, n_rays: int = 36
) -> list[Row]:
    """Milliseconds of the stages around the network, each on its own."""
    frame, box = video.frames[0], video.boxes[0]
    side = context_size(box, params.context_amount)
    scale = params.template_size / side
    out = params.search_size
    cells = (out - params.template_size) // params.stride + 9
    rng = np.random.default_rng(seed)
    score = rng.random((cells, cells), np.float32)
    ltrb = rng.uniform(24, 40, (4, cells, cells)).astype(np.float32)
    pole = (box[:2] + box[2:]) / 2
    radii = rng.uniform(0.8, 1, n_rays) * (box[2:] - box[:2]).min() / 2
    polygon = decode_points(pole, radii)
    ways = {
        'crop': calls(crop_image, frame, pole, out / scale, out, (127.0, 127.0, 127.0)),
        'decode': calls(select_location, score, ltrb, box, scale, out, params),
        'contour': calls(decode_points, pole, radii),
        'mask': calls(rasterize_polygon, polygon, frame.shape[:2]),
    }
    seconds = interleave(ways, repeats)
    seconds['together'] = [sum(values) for values in zip(*seconds.values(), strict=True)]
    rows = compare(f'outside the network at {size}', seconds, {})
    rows[-1].remark = 'wanted at 1080p: below 2 ms'
    return rows


def _calibration_data(folder: str) -> DavisDataset:
    """A few generated sequences."""
    root = generate_dataset(
        Path(folder, 'calibration'), 0, _CALIBRATION_VIDEOS, 3, (640, 480), progress=False
    )
    dataset = DavisDataset(str(root))
    dataset.full_init()
    return dataset


def _follow(contender: Contender, video: Video, taken: list[float]) -> Way:
    """A way whose unit of work is one step, the middle one by its time; ``taken`` gets those of all.

    Taking on the target is not counted. The video is played forwards and backwards until the time
    is over, one time at least. Steps in which the system puts all threads on one core take twice as
    long, and would decide a mean.
    """
    laps = video.frames[2:] + video.frames[-2:0:-1]

    def run() -> float:
        contender.tracker.init(video.frames[0], video.boxes[0])
        contender.tracker.step(video.frames[1])
        synchronize()
        steps: list[float] = []
        while len(steps) < len(laps) or sum(steps) < _ROUND_SECONDS:
            begin = time.perf_counter()
            contender.tracker.step(laps[len(steps) % len(laps)])
            synchronize()
            steps.append(time.perf_counter() - begin)
        taken.extend(steps)
        return spread(steps).median

    return run


def _add_split(row: Row, contender: Contender, video: Video) -> None:
    """Milliseconds of the network's parts, and of the rest of the same steps."""
    contender.tracker.init(video.frames[0], video.boxes[0])
    steps = []
    for frame in video.frames[1 : 1 + _SPLIT_FRAMES]:
        begin = time.perf_counter()
        parts = contender.split([frame])
        steps.append(
            parts | {'outside the network': time.perf_counter() - begin - sum(parts.values())}
        )
    row.split = {
        name: in_unit(spread([step[name] for step in steps]).median, 'ms') for name in steps[0]
    }
