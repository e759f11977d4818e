"""What the machine can do: its peaks, measured in the same run as everything that they bound."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from benchmarks.results import Part, Row
from benchmarks.timing import Way, calls, interleave

PACKAGES = (
    'torch',
    'onnxruntime',
    'opencv-python',
    'opencv-contrib-python',
    'numpy',
    'mmcv',
    'mmengine',
    'mmdet',
    'mmtrack',
    'mmpolar',
)
#: Sides of the square matrices that are multiplied: large enough for the peak.
MATRIX_SIZE = 2048
#: Bytes of the copied array: far larger than any cache.
COPY_BYTES = 1 << 28
#: Extensions of the instruction set that decide how fast networks run.
EXTENSIONS = ('avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16')


@dataclass(frozen=True)
class Peaks:
    """The most that the machine was seen to do.

    Attributes:
        fp32: Floating-point operations a second in float32 matrix products.
        bf16: The same in bfloat16, None if it cannot be measured.
        int8: Integer operations a second in 8-bit matrix products, None if not measured.
        bandwidth: Bytes a second read and written by a copy.
    """

    fp32: float
    bf16: float | None
    int8: float | None
    bandwidth: float

    def bound(self, flops: float, kind: str = 'fp32') -> float | None:
        """Seconds that so many operations take at the peak of a kind of numbers."""
        peak = getattr(self, kind)
        return None if peak is None else flops / peak


def measure_machine(
    threads: int, repeats: int, device: str = 'cpu', size: int = MATRIX_SIZE
) -> tuple[Part, Peaks]:
    """Describe the machine and measure its peaks.

    Args:
        threads: Threads of everything that is measured, for the report.
        repeats: Measurements of each peak; the best counts.
        device: PyTorch device whose peaks are measured.
        size: Side of the matrices that are multiplied.

    Returns:
        The report and the peaks.
    """
    ways, missing = _peak_ways(torch.device(device), size)
    seconds = interleave(ways, repeats)
    operations = 2 * size**3
    rows = [_copy_row(seconds.pop('copy'))]
    for kind, values in seconds.items():
        rates = [operations / value / 1e9 for value in values]
        name = 'GOP/s' if kind == 'int8' else 'GFLOP/s'
        rows.insert(-1, Row('peaks', f'{kind} matrix product, {size}', name, rates))
    best = {kind: operations / min(values) for kind, values in seconds.items()}
    peaks = Peaks(
        fp32=best['fp32'],
        bf16=best.get('bf16'),
        int8=best.get('int8'),
        bandwidth=max(rows[-1].values) * 1e9,
    )
    facts = describe_machine(threads, device)
    remarks = [', '.join(f'{key}: {value}' for key, value in facts.items()), *missing]
    return Part('machine', rows=rows, facts=facts, remarks=remarks), peaks


def describe_machine(threads: int, device: str = 'cpu') -> dict[str, str]:
    """Processor, its extensions, memory, load and versions of the packages that count."""
    facts = {
        'processor': _processor(),
        'cores': str(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else '?'),
        'threads': str(threads),
        'extensions': ' '.join(_extensions()) or 'unknown',
        'load': ' '.join(f'{value:.2f}' for value in os.getloadavg()),
        'system': f'{platform.system()} {platform.machine()}',
        'python': platform.python_version(),
    }
    if device != 'cpu':
        facts['device'] = torch.cuda.get_device_name(device)
    return facts | {name: version for name in PACKAGES if (version := _version(name))}


def _peak_ways(device: torch.device, size: int) -> tuple[dict[str, Way], list[str]]:
    """Ways to measure each peak, and remarks on those that this machine has no way for."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, size, size, generator=generator).to(device)
    halves = left.bfloat16(), right.bfloat16()
    source = torch.zeros(COPY_BYTES // 4, device=device)
    target = torch.ones_like(source)
    ways = {
        'fp32': calls(_synced(torch.mm, device), left, right),
        'bf16': calls(_synced(torch.mm, device), *halves),
        'copy': calls(_synced(target.copy_, device), source),
    }
    integers = (
        _integer_product(size) if device.type == 'cpu' else _cuda_integer_product(device, size)
    )
    if integers is None:
        return ways, ['the int8 peak needs onnx and onnxruntime, which are not installed']
    return {
        'fp32': ways['fp32'],
        'bf16': ways['bf16'],
        'int8': calls(integers),
        'copy': ways['copy'],
    }, []


def _synced(function: Callable, device: torch.device) -> Callable:
    """The function, and on a GPU a wait for its end."""
    if device.type == 'cpu':
        return function

    def run(*args: torch.Tensor) -> None:
        function(*args)
        torch.cuda.synchronize(device)

    return run


def _integer_product(size: int) -> Callable[[], object] | None:
    """An 8-bit matrix product by ONNX Runtime, which computes our quantised networks."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    rng = np.random.default_rng(0)
    left = rng.integers(0, 128, (size, size), dtype=np.uint8)
    right = rng.integers(-64, 64, (size, size), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node('MatMulInteger', ['left', 'right'], ['product'])],
        'product',
        [helper.make_tensor_value_info('left', TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info('product', TensorProto.INT32, [size, size])],
        [numpy_helper.from_array(right, 'right')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    return lambda: session.run(None, {'left': left})


def _cuda_integer_product(device: torch.device, size: int) -> Callable[[], object]:
    left, right = torch.randint(-64, 64, (2, size, size), dtype=torch.int8, device=device)
    product = _synced(torch._int_mm, device)
    return lambda: product(left, right)


def _copy_row(seconds: list[float]) -> Row:
    rates = [2 * COPY_BYTES / value / 1e9 for value in seconds]
    return Row('peaks', f'copy of {COPY_BYTES >> 20} MiB, read + written', 'GB/s', rates)


def _processor() -> str:
    for line in _cpuinfo():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.processor() or 'unknown'


def _extensions() -> list[str]:
    for line in _cpuinfo():
        if line.startswith('flags'):
            return [name for name in EXTENSIONS if name in line.split()]
    return []


def _cpuinfo() -> list[str]:
    path = Path('/proc/cpuinfo')
    return path.read_text().splitlines() if path.is_file() else []


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
