"""Write a tracker as a model folder for :mod:`mmpolar.runtime`, and check what was written."""

import copy
import itertools
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmpolar.deployment.ocean_graphs import (
    RefineGraph,
    SearchGraph,
    TemplateGraph,
    prepare,
    to_input,
)
from mmpolar.models.trackers import Ocean
from mmpolar.runtime.graph_inputs import (
    PROTOTYPES,
    REFINE_INPUTS,
    SEARCH_INPUT,
    TARGET_MAP_INPUT,
    TEMPLATE_INPUT,
    refine_feed,
    run_graph,
)
from mmpolar.runtime.model_folder import ANY_SIZE, ModelManifest, file_sha256
from mmpolar.structures.target import draw_unknown_target
from mmpolar.utils.checkpoint import weights_sha256

#: Largest difference from PyTorch, absolute below 1 and relative above.
TOLERANCE = 1e-4
OPSET = 17
TEMPLATE_FILE = 'template.onnx'
REFINE_FILE = 'refine.onnx'
# Other numbers of targets than the one that is traced, so that what is left open is tried.
_TARGETS_TO_TRACE = 2
_TARGETS_TO_CHECK = (1, 3)
_NAMES = ('scores', 'ltrb', 'radii')


class ExportMismatchError(RuntimeError):
    """An exported graph computes something else than the tracker."""


def export_onnx(model: Ocean, folder: str | os.PathLike, static: bool = False) -> ModelManifest:
    """Write the template branch and the search branch of a tracker as ONNX graphs.

    ``template.onnx`` takes template crops and gives correlation kernels; ``search.onnx`` takes
    search crops and kernels and gives scores, boxes and radii. Both take uint8 BGR crops
    (T, X, X, 3) of any number of targets; normalisation is inside, batch norm is folded. Of a
    tracker with a refinement head the first also takes where the target is and gives prototypes,
    the second gives feature maps, and ``refine.onnx`` makes better radii of them for one location
    of each target. The graphs are run in ONNX Runtime beside the tracker before ``model.json`` is
    written.

    Args:
        model: The tracker. It is not changed.
        folder: Folder to write to; it is made. Files of an earlier export are replaced.
        static: Whether to write one search graph for each size of the search crop, named
            ``search_<side>.onnx``, for engines that want fixed sizes. By default one graph takes
            all of them.

    Returns:
        What ``model.json`` says.

    Raises:
        ExportMismatchError: If a graph differs from the tracker by more than ``TOLERANCE``. The
            folder has no ``model.json`` then, so that nothing tracks with it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in (folder / 'model.json', *folder.glob('*.onnx')):
        old.unlink(missing_ok=True)
    prepared = prepare(model)
    params = model.params
    kernels = _export_template(prepared, folder / TEMPLATE_FILE)
    files = {str(size): f'search_{size}.onnx' for size in params.search_sizes}
    if not static:
        files = {ANY_SIZE: 'search.onnx'}
    for size, name in files.items():
        _export_search(prepared, kernels, size, folder / name)
    graphs = [TEMPLATE_FILE, *files.values()]
    if model.refine_head is not None:
        _export_refine(prepared, folder / REFINE_FILE)
        graphs.append(REFINE_FILE)
    preprocessor = model.data_preprocessor
    manifest = ModelManifest(
        params=params,
        n_rays=model.mask_head.n_rays if model.mask_head is not None else None,
        normalization=dict(
            mean=preprocessor.mean.flatten().tolist(),
            std=preprocessor.std.flatten().tolist(),
            bgr_to_rgb=preprocessor.bgr_to_rgb,
        ),
        precision='float32',
        kernels=tuple(kernels),
        template=TEMPLATE_FILE,
        search=files,
        refine=REFINE_FILE if model.refine_head is not None else None,
        weights_sha256=weights_sha256(model.state_dict()),
        file_sha256={name: file_sha256(folder / name) for name in graphs},
    )
    check_graphs(model, folder, manifest)
    manifest.write(folder)
    return manifest


def check_graphs(model: Ocean, folder: Path, manifest: ModelManifest) -> float:
    """Compare the graphs in a folder with the tracker that they come from, on random crops.

    Every size of the search crop is tried with one target and with three.

    Returns:
        The largest difference.

    Raises:
        ExportMismatchError: If it is above ``TOLERANCE``.
    """
    model = copy.deepcopy(model).cpu().eval()
    sessions = {name: _session(folder / name) for name in manifest.file_sha256}
    sizes = model.params.search_sizes
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for size, targets in itertools.product(sizes, _TARGETS_TO_CHECK):
        crops = [
            _random_crops(targets, side, generator) for side in (model.params.template_size, size)
        ]
        expected = _reference(model, *crops)
        got = _run_graphs(sessions, manifest, crops, model.params.stride)
        for kind, value in expected.items():
            difference = largest_difference(got[kind], value.numpy())
            if not difference <= TOLERANCE:
                name = manifest.refine if kind == 'refined' else manifest.search_file(size)
                raise ExportMismatchError(
                    f'{folder / name} differs from the tracker: {kind} by {difference:.2g} for {targets} '
                    f'search crops of {size} px, where {TOLERANCE:g} is allowed; nothing can be '
                    'tracked with this folder. Does the model have layers that depend on the data '
                    '(training mode, branches in Python)?'
                )
            worst = max(worst, difference)
    return worst


def _run_graphs(
    sessions: Mapping[str, onnxruntime.InferenceSession],
    manifest: ModelManifest,
    crops: Sequence[Tensor],
    stride: int,
) -> dict[str, NDArray[np.float32]]:
    """Outputs of all graphs by name; refined at the middle location."""
    template, search = (crop.numpy() for crop in crops)
    feed = {TEMPLATE_INPUT: template}
    if manifest.refine is not None:
        feed[TARGET_MAP_INPUT] = _target_maps(len(template), template.shape[1]).numpy()
    encoded = run_graph(sessions[manifest.template], feed)
    prototypes = encoded.pop(PROTOTYPES, None)
    graph = sessions[manifest.search_file(search.shape[1])]
    maps = run_graph(graph, {SEARCH_INPUT: search, **encoded})
    if manifest.refine is not None:
        locations = _middle_locations(len(search), maps['scores'].shape[-1])
        feed = refine_feed(maps, prototypes, locations.numpy(), search.shape[1], stride)
        [maps['refined']] = sessions[manifest.refine].run(None, feed)
    return maps


def largest_difference(got: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Largest difference of two arrays, relative where the second is above 1; NaN if either is."""
    if got.shape != expected.shape:
        return float('inf')
    return float((np.abs(got - expected) / np.maximum(np.abs(expected), 1)).max())


def _export_template(model: Ocean, path: Path) -> dict[str, Tensor]:
    """Write the template graph; the kernels of its example by name."""
    size = model.params.template_size
    inputs = {TEMPLATE_INPUT: _random_crops(_TARGETS_TO_TRACE, size)}
    if model.refine_head is not None:
        inputs[TARGET_MAP_INPUT] = _target_maps(_TARGETS_TO_TRACE, size)
    graph = TemplateGraph(model)
    encoded = graph(*inputs.values())
    count = len(encoded) - (model.refine_head is not None)
    named = {f'kernel_{index}': kernel for index, kernel in enumerate(encoded[:count])}
    outputs = [*named] + [PROTOTYPES] * (len(encoded) - count)
    axes = {name: {0: 'targets'} for name in (*inputs, *outputs)}
    _trace(graph, tuple(inputs.values()), path, list(inputs), outputs, axes)
    return named


def _export_search(model: Ocean, kernels: Mapping[str, Tensor], size: str, path: Path) -> None:
    side = model.params.search_size if size == ANY_SIZE else int(size)
    crops = _random_crops(_TARGETS_TO_TRACE, side)
    outputs = [*_NAMES] if model.mask_head is not None else [*_NAMES[:2]]
    maps = _refined_maps(model)
    axes = {name: {0: 'targets'} for name in (SEARCH_INPUT, *kernels, *outputs, *maps)}
    if size == ANY_SIZE:
        axes[SEARCH_INPUT] |= {1: 'side', 2: 'side'}
        for name in outputs:
            rank = 3 if name == 'scores' else 4
            axes[name] |= {rank - 2: 'cells', rank - 1: 'cells'}
        for name in maps:
            axes[name] |= {2: f'{name}_side', 3: f'{name}_side'}
    _trace(
        SearchGraph(model),
        (crops, tuple(kernels.values())),
        path,
        [SEARCH_INPUT, *kernels],
        [*outputs, *maps],
        axes,
    )


@torch.no_grad()
def _export_refine(model: Ocean, path: Path) -> None:
    """Write the graph that measures the rays of a location again, for maps of any size."""
    params = model.params
    crops = [
        _random_crops(_TARGETS_TO_TRACE, side)
        for side in (params.template_size, params.search_size)
    ]
    template = TemplateGraph(model)
    *kernels, prototypes = template(crops[0], _target_maps(_TARGETS_TO_TRACE, params.template_size))
    scores, ltrb, radii, *maps = SearchGraph(model)(crops[1], tuple(kernels))
    names = ('scores', 'ltrb', 'radii', *_refined_maps(model))
    found = dict(zip(names, (scores, ltrb, radii, *maps), strict=True))
    found = {name: value.numpy() for name, value in found.items()}
    locations = _middle_locations(_TARGETS_TO_TRACE, scores.size(-1)).numpy()
    feed = refine_feed(found, prototypes.numpy(), locations, params.search_size, params.stride)
    feed = {name: torch.from_numpy(np.asarray(value)) for name, value in feed.items()}
    plain = [feed[name] for name in REFINE_INPUTS]
    maps = [feed[name] for name in _refined_maps(model)[1:]]
    axes = {name: {0: 'targets'} for name in feed if name != 'middle'} | {'refined': {0: 'targets'}}
    for name in _refined_maps(model):
        axes[name] |= {2: f'{name}_side', 3: f'{name}_side'}
    _trace(RefineGraph(model), (*plain, tuple(maps)), path, list(feed), ['refined'], axes)


def _refined_maps(model: Ocean) -> list[str]:
    """Names of the maps that the search graph hands to the graph that refines."""
    if model.refine_head is None:
        return []
    return ['combined', *(f'fine_{index}' for index in range(len(model.refine_head.strides)))]


def _middle_locations(targets: int, size: int) -> Tensor:
    """The location in the middle of a map of size x size, for each target, (T,)."""
    return torch.full((targets,), size // 2 * size + size // 2)


def _target_maps(targets: int, size: int) -> Tensor:
    """Discs of half the width of a template crop, (T, size, size) uint8."""
    return torch.from_numpy(draw_unknown_target(size)).repeat(targets, 1, 1)


def _trace(
    graph: nn.Module,
    example: tuple,
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings():
        # Shapes become Python numbers here and there; check_graphs tries other shapes.
        warnings.filterwarnings('ignore', category=torch.jit.TracerWarning)
        warnings.filterwarnings('ignore', category=DeprecationWarning)
        warnings.filterwarnings('ignore', message='Constant folding - Only steps=1')
        # The exporter that traces takes seconds. The one over torch.export takes a minute or two
        # with sizes left open, for the same graph.
        torch.onnx.export(
            graph,
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
        )


@torch.no_grad()
def _reference(model: Ocean, template: Tensor, search: Tensor) -> dict[str, Tensor]:
    """What the graphs shall give, by name; refined at the middle location."""
    target_map = _target_maps(len(template), template.size(1))
    kernels = model.encode_template(to_input(model, template), target_map)
    maps, radii = model.search(kernels, to_input(model, search))
    found = dict(scores=maps.scores(model.params.score_ratio), ltrb=maps.ltrb)
    if radii is not None:
        found['radii'] = radii
    if model.refine_head is not None:
        locations = _middle_locations(len(search), radii.size(-1))[:, None]
        found['refined'] = model.radii_at(maps, radii, kernels.prototypes, locations)[:, 0]
    return found


def _random_crops(count: int, side: int, generator: torch.Generator | None = None) -> Tensor:
    """Crops (T, X, X, 3) of smooth random colours, which look more like pictures than noise does."""
    coarse = torch.rand(count, 3, 12, 12, generator=generator) * 255
    crops = nn.functional.interpolate(coarse, size=(side, side), mode='bicubic').clamp(0, 255)
    return crops.permute(0, 2, 3, 1).round().to(torch.uint8).contiguous()


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
