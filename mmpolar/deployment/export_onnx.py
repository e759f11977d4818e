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
    ContourGraph,
    MaskGraph,
    SearchGraph,
    TemplateGraph,
    prepare,
    to_input,
)
from mmpolar.models.segmentors import StageReference
from mmpolar.models.trackers import Ocean
from mmpolar.runtime.graph_inputs import (
    ANSWERS,
    LOCATIONS,
    MASK_INPUTS,
    MASK_OUTPUTS,
    MIDDLE,
    PROTOTYPES,
    SEARCH_INPUT,
    TARGET_MAP_INPUT,
    TEMPLATE_INPUT,
    contour_feed,
    run_graph,
)
from mmpolar.runtime.model_folder import ANY_SIZE, ModelManifest, file_sha256, new_model_folder
from mmpolar.structures.target import draw_unknown_target
from mmpolar.utils.checkpoints import weights_sha256

#: Largest difference from PyTorch, absolute below 1 and relative above.
TOLERANCE = 1e-4
OPSET = 17
TEMPLATE_FILE = 'template.onnx'
CONTOUR_FILE = 'contour.onnx'
MASKS_FILE = 'masks.onnx'
# Other numbers of targets than the one that is traced, so that what is left open is tried.
_TARGETS_TO_TRACE = 2
_TARGETS_TO_CHECK = (1, 3)
_RADII = 'radii'


class ExportMismatchError(RuntimeError):
    """An exported graph computes something else than the tracker."""


def export_onnx(model: Ocean, folder: str | os.PathLike, static: bool = False) -> ModelManifest:
    """Write the template branch, the search branch and the contour of a tracker as ONNX graphs.

    ``template.onnx`` takes template crops and gives correlation kernels; ``search.onnx`` takes
    search crops and kernels and gives scores, boxes and feature maps. Both take uint8 BGR crops
    (T, X, X, 3) of any number of targets; normalisation is inside, batch norm is folded.
    ``contour.onnx`` takes the feature maps and gives the radii of one location of each target. Of a
    tracker with a refinement head the first also takes where the target is and gives prototypes,
    which the last one takes. The graphs are run in ONNX Runtime beside the tracker before
    ``model.json`` is written.

    Args:
        model: The tracker. It is not changed.
        folder: Folder to write to; it is made. An earlier export there is replaced at the end.
        static: Whether to write one search graph for each size of the search crop, named
            ``search_<side>.onnx``, for engines that want fixed sizes. By default one graph takes
            all of them.

    Returns:
        What ``model.json`` says.

    Raises:
        ExportMismatchError: If a graph differs from the tracker by more than ``TOLERANCE``. The
            folder is as it was then.
    """
    with new_model_folder(folder) as written:
        return _export(model, written, static)


def _export(model: Ocean, folder: Path, static: bool) -> ModelManifest:
    """Write the graphs and, once they are checked, ``model.json`` to an empty folder."""
    prepared = prepare(model)
    params = model.params
    kernels = _export_template(prepared, folder / TEMPLATE_FILE)
    prototypes = kernels.pop(PROTOTYPES, None)
    files = {str(size): f'search_{size}.onnx' for size in params.search_sizes}
    if not static:
        files = {ANY_SIZE: 'search.onnx'}
    for size, name in files.items():
        _export_search(prepared, kernels, size, folder / name)
    graphs = [TEMPLATE_FILE, *files.values()]
    if model.mask_head is not None:
        _export_contour(prepared, kernels, prototypes, folder / CONTOUR_FILE)
        graphs.append(CONTOUR_FILE)
    if model.mask_stage is not None:
        _export_masks(prepared, folder / MASKS_FILE)
        graphs.append(MASKS_FILE)
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
        contour=CONTOUR_FILE if model.mask_head is not None else None,
        refines=model.refine_head is not None,
        masks=MASKS_FILE if model.mask_stage is not None else None,
        mask_params=model.mask_params,
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
        got = _run_graphs(sessions, manifest, crops)
        for kind, value in expected.items():
            difference = largest_difference(got[kind], value.numpy())
            if not difference <= TOLERANCE:
                name = manifest.contour if kind == _RADII else manifest.search_file(size)
                raise ExportMismatchError(
                    f'{folder / name} differs from the tracker: {kind} by {difference:.2g} for {targets} '
                    f'search crops of {size} px, where {TOLERANCE:g} is allowed; nothing can be '
                    'tracked with this folder. Does the model have layers that depend on the data '
                    '(training mode, branches in Python)?'
                )
            worst = max(worst, difference)
    if manifest.masks is not None:
        worst = max(worst, _check_masks(model, folder / manifest.masks, sessions[manifest.masks]))
    return worst


@torch.no_grad()
def _check_masks(model: Ocean, path: Path, session: onnxruntime.InferenceSession) -> float:
    """Compare the graph of the mask stage with PyTorch; the largest difference.

    Raises:
        ExportMismatchError: If it is above ``TOLERANCE``.
    """
    worst = 0.0
    for targets in _TARGETS_TO_CHECK:
        inputs = _random_mask_inputs(model, targets)
        expected = _mask_reference(model, *inputs)
        feed = {name: value.numpy() for name, value in zip(MASK_INPUTS, inputs, strict=True)}
        got = run_graph(session, feed)
        for kind, value in zip(MASK_OUTPUTS, expected, strict=True):
            difference = largest_difference(got[kind], value.numpy())
            if not difference <= TOLERANCE:
                raise ExportMismatchError(
                    f'{path} differs from the tracker: {kind} by {difference:.2g} for {targets} '
                    f'crops, where {TOLERANCE:g} is allowed; nothing can be tracked with this folder'
                )
            worst = max(worst, difference)
    return worst


def _mask_reference(
    model: Ocean, crops: Tensor, priors: Tensor, keys: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What the graph of the mask stage shall give."""
    stage = model.mask_stage
    features = stage.encode(to_input(stage, crops))
    references = [StageReference(keys[:, slot], masks[:, slot : slot + 1]) for slot in range(2)]
    logits, quality = stage.decode(features, priors, references)
    return logits, quality.sigmoid(), features.keys


def _random_mask_inputs(model: Ocean, targets: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs of the graph of the mask stage, in the order of ``MASK_INPUTS``."""
    params, make = model.mask_params, torch.Generator().manual_seed(0)
    cells = params.cells
    keys = torch.randn(targets, 2, params.key_channels, params.key_count, generator=make)
    return (
        _random_crops(targets, params.crop_size, make),
        torch.rand(targets, 3, cells, cells, generator=make),
        nn.functional.normalize(keys, dim=2),
        torch.rand(targets, 2, cells, cells, generator=make),
    )


@torch.no_grad()
def _export_masks(model: Ocean, path: Path) -> None:
    """Write the graph of the mask stage, for any number of targets."""
    inputs = _random_mask_inputs(model, _TARGETS_TO_TRACE)
    axes = {name: {0: 'targets'} for name in (*MASK_INPUTS, *MASK_OUTPUTS)}
    _trace(MaskGraph(model), inputs, path, list(MASK_INPUTS), list(MASK_OUTPUTS), axes)


def _run_graphs(
    sessions: Mapping[str, onnxruntime.InferenceSession],
    manifest: ModelManifest,
    crops: Sequence[Tensor],
) -> dict[str, NDArray[np.float32]]:
    """Scores and distances everywhere, and radii at some locations, by name."""
    template, search = (crop.numpy() for crop in crops)
    feed = {TEMPLATE_INPUT: template}
    if manifest.refines:
        feed[TARGET_MAP_INPUT] = _target_maps(len(template), template.shape[1]).numpy()
    encoded = run_graph(sessions[manifest.template], feed)
    prototypes = encoded.pop(PROTOTYPES, None)
    graph = sessions[manifest.search_file(search.shape[1])]
    maps = run_graph(graph, {SEARCH_INPUT: search, **encoded})
    found = {name: maps[name] for name in ANSWERS}
    if manifest.contour is not None:
        session = sessions[manifest.contour]
        chosen = _some_locations(len(search), maps['scores'].shape[-1]).numpy()
        feeds = [contour_feed(maps, prototypes, one, search.shape[1]) for one in chosen.T]
        found[_RADII] = np.stack([session.run(None, feed)[0] for feed in feeds], 1)
    return found


def largest_difference(got: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Largest difference of two arrays, relative where the second is above 1; NaN if either is."""
    if got.shape != expected.shape:
        return float('inf')
    return float((np.abs(got - expected) / np.maximum(np.abs(expected), 1)).max())


def _export_template(model: Ocean, path: Path) -> dict[str, Tensor]:
    """Write the template graph; its outputs for an example by name."""
    size = model.params.template_size
    inputs = {TEMPLATE_INPUT: _random_crops(_TARGETS_TO_TRACE, size)}
    if model.refine_head is not None:
        inputs[TARGET_MAP_INPUT] = _target_maps(_TARGETS_TO_TRACE, size)
    graph = TemplateGraph(model)
    encoded = graph(*inputs.values())
    prototypes = [PROTOTYPES] * (model.refine_head is not None)
    names = [f'kernel_{index}' for index in range(len(encoded) - len(prototypes))] + prototypes
    axes = {name: {0: 'targets'} for name in (*inputs, *names)}
    _trace(graph, tuple(inputs.values()), path, list(inputs), names, axes)
    return dict(zip(names, encoded, strict=True))


@torch.no_grad()
def _export_search(model: Ocean, kernels: Mapping[str, Tensor], size: str, path: Path) -> None:
    side = model.params.search_size if size == ANY_SIZE else int(size)
    graph = SearchGraph(model)
    example = _random_crops(_TARGETS_TO_TRACE, side), tuple(kernels.values())
    maps = [*graph.find(*example)]
    axes = {name: {0: 'targets'} for name in (SEARCH_INPUT, *kernels, *maps)}
    if size == ANY_SIZE:
        axes[SEARCH_INPUT] |= {1: 'side', 2: 'side'}
        axes['scores'] |= {1: 'cells', 2: 'cells'}
        axes['ltrb'] |= {2: 'cells', 3: 'cells'}
        for name in maps[len(ANSWERS) :]:
            axes[name] |= {2: f'{name}_side', 3: f'{name}_side'}
    _trace(graph, example, path, [SEARCH_INPUT, *kernels], maps, axes)


@torch.no_grad()
def _export_contour(
    model: Ocean, kernels: Mapping[str, Tensor], prototypes: Tensor | None, path: Path
) -> None:
    """Write the graph that measures the rays of a location, for maps of any size."""
    side = model.params.search_size
    crops = _random_crops(_TARGETS_TO_TRACE, side)
    maps = SearchGraph(model).find(crops, tuple(kernels.values()))
    locations = _some_locations(_TARGETS_TO_TRACE, maps['scores'].size(-1))[:, 0]
    feed = contour_feed(
        {name: value.numpy() for name, value in maps.items()},
        None if prototypes is None else prototypes.numpy(),
        locations.numpy(),
        side,
    )
    axes = {name: {0: 'targets'} for name in (*feed, _RADII) if name != MIDDLE}
    for name in set(feed) & set(maps):
        axes[name] |= {2: f'{name}_side', 3: f'{name}_side'}
    del feed[LOCATIONS]
    inputs = tuple(torch.from_numpy(np.asarray(value)) for value in feed.values())
    graph = ContourGraph(model, tuple(feed))
    _trace(graph, (locations, inputs), path, [LOCATIONS, *feed], [_RADII], axes)


def _some_locations(targets: int, size: int) -> Tensor:
    """Locations of a map of size x size, counted row by row: corner, middle and edge, (T, 3)."""
    return torch.tensor([0, size // 2 * size + size // 2, size * size - 2]).repeat(targets, 1)


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
    """What the graphs shall give, by name."""
    target_map = _target_maps(len(template), template.size(1))
    kernels = model.encode_template(to_input(model, template), target_map)
    maps = model.search(kernels, to_input(model, search))
    found = dict(scores=maps.scores(model.params.score_ratio), ltrb=maps.ltrb)
    if model.mask_head is not None:
        locations = _some_locations(len(search), maps.ltrb.size(-1))
        found[_RADII] = model.radii_at(maps, kernels.prototypes, locations)
    return found


def _random_crops(count: int, side: int, generator: torch.Generator | None = None) -> Tensor:
    """Crops (T, X, X, 3) of smooth random colours, which look more like images than noise does."""
    coarse = torch.rand(count, 3, 12, 12, generator=generator) * 255
    crops = nn.functional.interpolate(coarse, size=(side, side), mode='bicubic').clamp(0, 255)
    return crops.permute(0, 2, 3, 1).round().to(torch.uint8).contiguous()


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
