"""Frames and training pairs a second on a GPU, each beside its bound; runs on a CPU just the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from benchmarks.speed.clocks import count_flops, synchronize
from benchmarks.speed.contenders import build_model
from benchmarks.speed.data_path import our_pairs
from benchmarks.speed.machine import Peaks
from benchmarks.speed.results import Part, Row, compare
from benchmarks.speed.timing import Way, calls, interleave, spread
from benchmarks.speed.videos import Video
from mmpolar.models.trackers import Ocean, TorchEngine
from mmpolar.tracking import SingleTargetTracker

#: Frames a second that were published: Ocean on a V100, SiamPolar on an unnamed GPU.
PUBLISHED = {'Ocean as published (V100)': 58.0, 'SiamPolar as published': 59.0}
PRECISIONS = ('fp32', 'bf16')
_MIN_SECONDS = 0.2
#: Runs before a graph is recorded, as PyTorch asks for.
_GRAPH_WARM_UPS = 3


def measure_accelerator(
    device: str,
    peaks: Peaks | None,
    repeats: int,
    configs: Mapping[str, str | Path],
    video: Video,
    data: str,
    batches: Sequence[int] = (1, 8),
    train_batch: int = 32,
    compiled: bool = True,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure the networks of some configs on a device, and a training step.

    Args:
        device: PyTorch device, for example ``'cuda'``.
        peaks: The device's peaks; None where they were not measured.
        repeats: Rounds.
        configs: Our configs by short name.
        video: Frames for the whole tracking step.
        data: Folder in the layout of DAVIS, for training pairs.
        batches: Search crops at once.
        train_batch: Pairs of a training step.
        compiled: Whether to measure the network under ``torch.compile``, too.
        tick: Called with the name of what is measured next.

    Returns:
        Tables; without such a device, a remark that says so.
    """
    part = Part('gpu')
    if torch.device(device).type == 'cuda' and not torch.cuda.is_available():
        part.remarks.append(
            'nothing was measured: PyTorch sees no CUDA device here. On a machine with one, run the '
            'same command there: python -m benchmarks.speed --only gpu --device cuda'
        )
        return part
    for name, config in configs.items():
        tick(f'{name} on {device}')
        model = build_model(config).to(device).eval()
        part.rows += network_rows(name, model, batches, repeats, peaks, compiled, tick)
        part.rows += [step_row(name, model, video, repeats)]
        tick(f'training {name} on {device}')
        part.rows += training_rows(name, config, model, data, train_batch, repeats, peaks)
    part.remarks.append(
        'published: ' + ', '.join(f'{name} {rate:.0f} frames/s' for name, rate in PUBLISHED.items())
    )
    return part


def network_rows(
    name: str,
    model: Ocean,
    batches: Sequence[int],
    repeats: int,
    peaks: Peaks | None,
    compiled: bool = True,
    tick: Callable[[str], None] = lambda name: None,
) -> list[Row]:
    """Search crops a second of a network in fp32, bf16, compiled and as CUDA graphs, with their bounds."""
    device = next(model.parameters()).device
    rows = []
    for batch in batches:
        kernels, crops = _search_input(model, batch, device)
        ways = {
            precision: calls(_search(model, precision, kernels, crops), least_seconds=_MIN_SECONDS)
            for precision in PRECISIONS
        }
        if compiled:
            for precision in PRECISIONS:
                search = _search(model, precision, kernels, crops, compiled=True)
                tick(f'compiling {name}, {precision}, batch {batch}')
                search()
                ways[f'{precision}, compiled'] = calls(search, least_seconds=_MIN_SECONDS)
        if device.type == 'cuda':
            for precision in PRECISIONS:
                replay = _graphed(_search(model, precision, kernels, crops, waits=False))
                ways[f'{precision}, CUDA graph'] = calls(replay, least_seconds=_MIN_SECONDS)
        seconds = {
            way: [value / batch for value in values]
            for way, values in interleave(ways, repeats).items()
        }
        task = f'{name}, network, batch {batch}'
        found = compare(task, seconds, {way: ['fp32'] for way in seconds}, unit='frames')
        with torch.no_grad():
            flops = count_flops(lambda: _SearchNetwork(model)(kernels, crops)) / batch  # noqa: B023
        traffic = (_bytes(model.parameters()) + _bytes([crops])) / batch
        for row in found:
            _add_bounds(row, flops, traffic, peaks, row.way.split(',')[0])
        rows += found
    return rows


def step_row(name: str, model: Ocean, video: Video, repeats: int) -> Row:
    """Frames a second of the whole tracking step, crop, decoding and mask included."""
    tracker = SingleTargetTracker(TorchEngine(model))

    def run() -> float:
        tracker.init(video.frames[0], video.boxes[0])
        synchronize()
        begin = time.perf_counter()
        for frame in video.frames[1:]:
            tracker.step(frame)
        synchronize()
        return (time.perf_counter() - begin) / (len(video.frames) - 1)

    seconds = interleave({'whole step': run}, repeats)
    height, width = video.frames[0].shape[:2]
    return compare(f'{name}, tracking step, {width} x {height}', seconds, {}, unit='frames')[0]


def training_rows(
    name: str,
    config: str | Path,
    model: Ocean,
    data: str,
    batch: int,
    repeats: int,
    peaks: Peaks | None,
) -> list[Row]:
    """Training pairs a second in fp32 and with bf16 autocast, and where the time goes.

    The pairs are read before; the data path, which runs in other processes, is measured apart.
    """
    dataset = our_pairs(config, data)
    pairs = pseudo_collate([dataset[index % len(dataset)] for index in range(batch)])
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    clocks: dict[str, list[dict[str, float]]] = {precision: [] for precision in PRECISIONS}

    def step(precision: str) -> Way:
        def run() -> float:
            clocks[precision].append(_training_step(model, optimizer, pairs, precision))
            return sum(clocks[precision][-1].values()) / batch

        return run

    try:
        seconds = interleave({one: step(one) for one in PRECISIONS}, repeats)
        flops = _training_flops(model, pairs) / batch
    finally:
        model.eval()
    task = f'{name}, training step of {batch} pairs'
    rows = compare(task, seconds, {'bf16': ['fp32']}, unit='pairs')
    for row in rows:
        _add_bounds(row, flops, 0.0, peaks, row.way)
        steps = clocks[row.way][1:] or clocks[row.way]
        row.split = {
            f'{stage}, ms': spread([one[stage] for one in steps]).median * 1e3 for stage in steps[0]
        }
    return rows


def _training_step(
    model: Ocean, optimizer: torch.optim.Optimizer, pairs: Mapping[str, Any], precision: str
) -> dict[str, float]:
    """Seconds of the stages of one update."""
    device = next(model.parameters()).device
    stages: dict[str, float] = {}
    last = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal last
        synchronize()
        now = time.perf_counter()
        stages[stage] = now - last
        last = now

    batch = model.data_preprocessor(dict(pairs), training=True)
    lap('to the device')
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bf16'):
        losses = model(**batch, mode='loss')
        loss = sum(losses.values())
    lap('forward')
    loss.backward()
    lap('backward')
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    lap('update')
    return stages


def _training_flops(model: Ocean, pairs: Mapping[str, Any]) -> int:
    """Operations of a forward and a backward pass."""
    batch = model.data_preprocessor(dict(pairs), training=True)

    def run() -> None:
        with torch.enable_grad():
            sum(model(**batch, mode='loss').values()).backward()

    return count_flops(run)


def _search_input(model: Ocean, batch: int, device: torch.device) -> tuple[Any, torch.Tensor]:
    """Kernels of a template a crop, and normalised search crops."""
    params = model.params
    generator = torch.Generator().manual_seed(0)
    templates, crops = (
        torch.rand(batch, 3, size, size, generator=generator).to(device)
        for size in (params.template_size, params.search_size)
    )
    with torch.no_grad():
        return model.encode_template(templates), crops


def _search(
    model: Ocean,
    precision: str,
    kernels: Any,
    crops: torch.Tensor,
    compiled: bool = False,
    waits: bool = True,
) -> Callable[[], None]:
    """The network's work on a batch, waited for unless it is recorded."""
    network = torch.compile(_SearchNetwork(model)) if compiled else _SearchNetwork(model)

    @torch.no_grad()
    def run() -> None:
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=precision == 'bf16'):
            network(kernels, crops)
        if waits:
            synchronize()

    return run


def _graphed(run: Callable[[], None]) -> Callable[[], None]:
    """The same work, whose kernels are launched together."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(_GRAPH_WARM_UPS):
            run()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()

    def replay() -> None:
        graph.replay()
        synchronize()

    return replay


class _SearchNetwork(nn.Module):
    """What a tracker computes for every frame, as a module that can be compiled."""

    def __init__(self, model: Ocean) -> None:
        super().__init__()
        self.model = model

    def forward(self, kernels: Any, crops: torch.Tensor) -> Any:
        """Maps of normalised search crops (N, 3, X, X), and the contour at the first location."""
        maps = self.model.search(kernels, crops)
        if self.model.mask_head is None:
            return maps
        first = torch.zeros(len(crops), 1, dtype=torch.long, device=crops.device)
        return maps, self.model.radii_at(maps, kernels.prototypes, first)


def _add_bounds(row: Row, flops: float, traffic: float, peaks: Peaks | None, numbers: str) -> None:
    """The rate that operations and the bytes that must be read at least allow."""
    row.gflop = flops / 1e9
    seconds = None if peaks is None else peaks.bound(flops, numbers)
    if seconds is None:
        return
    row.bound = 1 / seconds
    row.remark = f'{row.spread.median / row.bound:.1%} of the bound by operations'
    if traffic:
        row.remark += f'; reading weights and crops allows {peaks.bandwidth / traffic:.0f}/s'


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
