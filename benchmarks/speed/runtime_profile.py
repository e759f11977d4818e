"""Where ONNX Runtime spends its time in an exported tracker."""

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime

from mmpolar.runtime import ModelManifest
from mmpolar.runtime.graph_inputs import SEARCH_INPUT, TARGET_MAP_INPUT, TEMPLATE_INPUT

OTHER = 'input and output'
#: Parts of the network by what the names of their nodes hold; the first that fits counts.
_PARTS = {
    'backbone': ('/backbone/',),
    'neck + correlation': ('/neck/', '_combination/'),
    'head': ('/head/',),
}
_WARM_UPS = 3


def profile_search(folder: Path, threads: int, runs: int = 10, seed: int = 0) -> dict[str, float]:
    """Milliseconds of each part of the search graph, as ONNX Runtime's profiler sees them.

    Args:
        folder: Model folder.
        threads: Threads of the network.
        runs: Runs that the mean is taken of.
        seed: Seed of the crops, which are noise.

    Returns:
        Time a run by part. Work that ONNX Runtime adds on its own (changes of layout, moves
        between nodes) counts for the part whose name it bears, or as :data:`OTHER`.
    """
    manifest = ModelManifest.read(folder)
    params, rng = manifest.params, np.random.default_rng(seed)
    crops = [
        rng.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        for size in (params.template_size, params.search_size)
    ]
    template = _session(folder / manifest.template, threads)
    feed = {TEMPLATE_INPUT: crops[0]}
    if manifest.refines:
        feed[TARGET_MAP_INPUT] = np.ones(crops[0].shape[:3], np.uint8)
    kernels = template.run(list(manifest.kernels), feed)
    feed = {SEARCH_INPUT: crops[1], **dict(zip(manifest.kernels, kernels, strict=True))}
    with tempfile.TemporaryDirectory(prefix='mmpolar-profile-') as scratch:
        session = _session(
            folder / manifest.search_file(params.search_size), threads, f'{scratch}/run'
        )
        for _ in range(_WARM_UPS + runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    return _sum_up(events, runs)


def _session(path: Path, threads: int, profile: str | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def _sum_up(events: list[dict], runs: int) -> dict[str, float]:
    """Mean time of the last runs by part; the profiler counts in microseconds."""
    begins = sorted(event['ts'] for event in events if event['name'] == 'model_run')
    total: dict[str, float] = defaultdict(float)
    for event in events:
        if event['cat'] == 'Node' and event['ts'] >= begins[-runs]:
            total[_part_of(event['name'])] += event['dur'] / runs / 1e3
    order = (*_PARTS, OTHER)
    return {part: total[part] for part in order if part in total}


def _part_of(node: str) -> str:
    for part, marks in _PARTS.items():
        if any(mark in node for mark in marks):
            return part
    return OTHER
