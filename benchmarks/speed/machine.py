"""What the machine can do: its peaks, measured in the same run as everything that they bound."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.speed.results import Part, Row
from benchmarks.speed.timing import Way, calls, interleave

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
COPY = f'copy of {COPY_BYTES >> 20} MiB, read + written'
KINDS = ('fp32', 'bf16', 'int8')
CONVOLUTION = '3 x 3 convolution, 256 channels'
#: Of that convolution over four maps of 64 x 64 cells.
CONVOLUTION_OPERATIONS = 2 * 4 * 64**2 * 9 * 256**2
#: A measurement lasts this long: threads that must wake up first do not reach the peak.
_STEADY_SECONDS = 0.3
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
        threads: Threads of NumPy, and for the report; PyTorch's are set by the caller.
        repeats: Measurements of each peak; the best counts.
        device: PyTorch device whose peaks are measured.
        size: Side of the matrices that are multiplied.

    Returns:
        The report and the peaks.
    """
    ways, missing = _peak_ways(torch.device(device), size)
    with threadpool_limits(threads):
        seconds = interleave(ways, repeats)
    copy = _copy_row(seconds.pop(COPY))
    rows = [_rate_row(way, values, size) for way, values in seconds.items()]
    best = {
        kind: max((max(row.values) for row in rows if row.way.startswith(kind)), default=None)
        for kind in KINDS
    }
    peaks = Peaks(
        **{kind: None if rate is None else rate * 1e9 for kind, rate in best.items()},
        bandwidth=max(copy.values) * 1e9,
    )
    rows.append(copy)
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
    """Ways to each peak, the kind of numbers first in their names, and remarks on missing ones.

    No library is the fastest on every processor: the best of several is the peak.
    """
    steady = partial(calls, least_seconds=_STEADY_SECONDS)
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, size, size, generator=generator).to(device)
    conv, maps = _convolution(device)
    product, convolve = _synced(torch.mm, device), _synced(conv, device)
    ways = {
        f'fp32 product of {size} x {size}, PyTorch': steady(product, left, right),
        f'fp32 {CONVOLUTION}, PyTorch': steady(convolve, maps),
        f'bf16 product of {size} x {size}, PyTorch': steady(
            product, left.bfloat16(), right.bfloat16()
        ),
    }
    missing = []
    if device.type == 'cuda':
        ways[f'int8 product of {size} x {size}, PyTorch'] = steady(
            _cuda_integer_product(device, size)
        )
    else:
        ways[f'fp32 product of {size} x {size}, NumPy'] = steady(
            np.matmul, left.numpy(), right.numpy()
        )
        try:
            ways |= _runtime_ways(left.numpy(), right.numpy(), steady)
        except ImportError:
            missing.append('the int8 peak needs onnx and onnxruntime, which are not installed')
    source = torch.zeros(COPY_BYTES // 4, device=device)
    ways[COPY] = steady(_synced(torch.ones_like(source).copy_, device), source)
    return ways, missing


def _convolution(device: torch.device) -> tuple[torch.nn.Conv2d, torch.Tensor]:
    """A convolution like those of large networks, and its input, channels last."""
    conv = torch.nn.Conv2d(256, 256, 3, bias=False).to(device, memory_format=torch.channels_last)
    maps = torch.ones(4, 256, 66, 66, device=device)
    return conv.requires_grad_(False), maps.contiguous(memory_format=torch.channels_last)


def _synced(function: Callable, device: torch.device) -> Callable:
    """The function, and on a GPU a wait for its end."""
    if device.type == 'cpu':
        return function

    def run(*args: torch.Tensor) -> None:
        function(*args)
        torch.cuda.synchronize(device)

    return run


def _runtime_ways(
    left: np.ndarray, right: np.ndarray, steady: Callable[..., Way]
) -> dict[str, Way]:
    """Matrix products by ONNX Runtime, which computes our exported networks.

    Raises:
        ImportError: If ONNX or ONNX Runtime is not installed.
    """
    from onnx import TensorProto

    size = len(left)
    rng = np.random.default_rng(0)
    bytes_left = rng.integers(0, 128, left.shape, dtype=np.uint8)
    bytes_right = rng.integers(-64, 64, right.shape, dtype=np.int8)
    floats, integers = (TensorProto.FLOAT,) * 2, (TensorProto.UINT8, TensorProto.INT32)
    return {
        f'fp32 product of {size} x {size}, ONNX Runtime': steady(
            _runtime_product('MatMul', left, right, *floats)
        ),
        f'int8 product of {size} x {size}, ONNX Runtime': steady(
            _runtime_product('MatMulInteger', bytes_left, bytes_right, *integers)
        ),
    }


def _runtime_product(
    operator: str, left: np.ndarray, right: np.ndarray, taken: int, given: int
) -> Callable[[], object]:
    """A graph of one product with a constant right side."""
    import onnxruntime
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(operator, ['left', 'right'], ['product'])],
        'product',
        [helper.make_tensor_value_info('left', taken, left.shape)],
        [helper.make_tensor_value_info('product', given, left.shape)],
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


def _rate_row(way: str, seconds: list[float], size: int) -> Row:
    operations = CONVOLUTION_OPERATIONS if CONVOLUTION in way else 2 * size**3
    unit = 'GOP/s' if way.startswith('int8') else 'GFLOP/s'
    return Row('peaks', way, unit, [operations / value / 1e9 for value in seconds])


def _copy_row(seconds: list[float]) -> Row:
    return Row('peaks', COPY, 'GB/s', [2 * COPY_BYTES / value / 1e9 for value in seconds])


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
