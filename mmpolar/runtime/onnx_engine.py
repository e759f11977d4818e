"""ONNX Runtime as a tracker's inference engine."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mmpolar.compat.onnx_threads import waiting_of_threads
from mmpolar.model_zoo import CHECKPOINT_SUFFIX, DEFAULT_FOLDER, find_model_folder, model_name
from mmpolar.runtime.graph_inputs import (
    FINE_MAP,
    MASK_INPUTS,
    MASK_OUTPUTS,
    PROTOTYPES,
    SEARCH_INPUT,
    TARGET_MAP_INPUT,
    TEMPLATE_INPUT,
    contour_feed,
    run_graph,
)
from mmpolar.runtime.model_folder import ModelFolderError, ModelManifest
from mmpolar.tracking.engine import CPU_BATCH, SearchMaps
from mmpolar.tracking.mask_stage import MaskInputs, MaskMaps, MaskParams
from mmpolar.tracking.online_model import is_of_stride
from mmpolar.tracking.params import TrackParams
from mmpolar.utils.available_cores import available_cores
from mmpolar.utils.checks import check_at_least

#: Threads that a network is given if nothing else is said. A second one saves a fifth of the time of a
#: step of the packaged trackers, also where other programs run; layers so small do not feed more.
USUAL_THREADS = 2
_ERRORS_ONLY = 3


class _Code(NamedTuple):
    """The encoded template of a target.

    Attributes:
        kernels: What the search graph takes, one array (1, C, w, h) per kernel.
        prototypes: What the contour graph takes for a refinement head, (1, C, 2, 1); None without
            one.
    """

    kernels: tuple[NDArray[np.float32], ...]
    prototypes: NDArray[np.float32] | None


class _Features(NamedTuple):
    """What :meth:`OnnxEngine.contours` reads.

    Attributes:
        maps: Outputs of the search graph by name.
        prototypes: Those of all targets, (T, C, 2, 1), or None.
        search_size: Side of the search crops in pixels.
    """

    maps: dict[str, NDArray[np.float32]]
    prototypes: NDArray[np.float32] | None
    search_size: int


class OnnxEngine:
    """A model folder as a :class:`mmpolar.tracking.TrackEngine`.

    Needs NumPy, OpenCV and ONNX Runtime only. Targets pass through the network two by two, as is
    fastest on a CPU. Trackers in several threads may share an engine.

    Args:
        model: Folder that ``mmpolar export`` wrote, or the name of a tracker that
            comes with the package; by default the one that mmpolar uses where none is named.
        threads: Threads that the network uses; by default two, or one where a single core is available
            (see :func:`mmpolar.utils.available_cores.available_cores`). Threads that wait sleep.

    Attributes:
        folder: The model folder.
        manifest: What it says.
        threads: Threads that the network uses.

    Raises:
        FileNotFoundError: If the folder or a file in it does not exist.
        ModelFolderError: If the folder is damaged or of another version.
        ValueError: If ``threads`` is below 1.

    Example:
        >>> from mmpolar.runtime import OnnxEngine
        >>> from mmpolar.tracking import Tracker
        >>> engine = OnnxEngine(threads=1)
        >>> engine.n_rays
        72
        >>> tracker = Tracker(engine)
    """

    #: ONNX Runtime's execution providers, best first.
    providers = ('CPUExecutionProvider',)

    def __init__(
        self, model: str | os.PathLike = DEFAULT_FOLDER, threads: int | None = None
    ) -> None:
        check_at_least(1, threads=threads)
        self.folder = _find_folder(model)
        self.manifest = ModelManifest.read(self.folder)
        self.batch_size = CPU_BATCH
        self.threads = threads or min(USUAL_THREADS, available_cores())
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._loading = threading.Lock()

    @property
    def params(self) -> TrackParams:
        """Hyper-parameters of tracking in the model folder."""
        return self.manifest.params

    @property
    def n_rays(self) -> int | None:
        """Rays of the contour; None for a tracker of boxes only."""
        return self.manifest.n_rays

    @property
    def mask_params(self) -> MaskParams | None:
        """How the mask stage in the model folder is used; None without one."""
        return self.manifest.mask_params

    def encode(self, crops: NDArray[np.uint8], target_maps: NDArray[np.uint8]) -> list[_Code]:
        """Encode templates, see :meth:`mmpolar.tracking.TrackEngine.encode`."""
        names, feed = list(self.manifest.kernels), {TEMPLATE_INPUT: crops}
        if self.manifest.refines:
            feed[TARGET_MAP_INPUT] = target_maps
            names.append(PROTOTYPES)
        encoded = self._session(self.manifest.template).run(names, feed)
        parts = [[part[t : t + 1] for part in encoded] for t in range(len(crops))]
        count = len(self.manifest.kernels)
        return [_Code(tuple(part[:count]), *(part[count:] or [None])) for part in parts]

    def search(self, codes: Sequence[_Code], crops: NDArray[np.uint8]) -> SearchMaps:
        """Look for targets, see :meth:`mmpolar.tracking.TrackEngine.search`."""
        size = crops.shape[1]
        kernels = [np.concatenate(parts) for parts in zip(*(c.kernels for c in codes), strict=True)]
        feed = {SEARCH_INPUT: crops, **dict(zip(self.manifest.kernels, kernels, strict=True))}
        maps = run_graph(self._session(self.manifest.search_file(size)), feed)
        prototypes = None
        if codes[0].prototypes is not None:
            prototypes = np.concatenate([code.prototypes for code in codes])
        return SearchMaps(maps['scores'], maps['ltrb'], _Features(maps, prototypes, size))

    def search_features(self, maps: SearchMaps) -> NDArray[np.float32] | None:
        """The fine map of the head's stride, see :meth:`mmpolar.tracking.TrackEngine.search_features`."""
        found = maps.features
        for name, values in found.maps.items():
            cells = values.shape[-1]
            if name.startswith(FINE_MAP) and is_of_stride(
                cells, found.search_size, self.params.stride
            ):
                return values
        return None

    def contours(self, maps: SearchMaps, locations: NDArray[np.int64]) -> NDArray[np.float32]:
        """Measure contours, see :meth:`mmpolar.tracking.TrackEngine.contours`."""
        found = maps.features
        feed = contour_feed(found.maps, found.prototypes, locations, found.search_size)
        [radii] = self._session(self.manifest.contour).run(None, feed)
        return radii

    def masks(self, inputs: MaskInputs) -> MaskMaps:
        """Decide on pixels, see :meth:`mmpolar.tracking.TrackEngine.masks`."""
        feed = dict(zip(MASK_INPUTS, inputs, strict=True))
        return MaskMaps(*self._session(self.manifest.masks).run(list(MASK_OUTPUTS), feed))

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """The graph in that file, loaded when it is first needed."""
        with self._loading:
            if name not in self._sessions:
                self._sessions[name] = self._load(self.folder / name)
            return self._sessions[name]

    def _load(self, path: Path) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = _ERRORS_ONLY
        for key, value in waiting_of_threads().items():
            options.add_session_config_entry(f'session.intra_op.{key}', value)
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=list(self.providers))
        except Exception as error:  # ONNX Runtime's errors have no base class
            raise ModelFolderError(
                f'{path} is no graph that this ONNX Runtime reads: {error}'
            ) from error


def _find_folder(model: str | os.PathLike) -> Path:
    """The folder that is meant: one of that path, or one that comes with the package."""
    name = model_name(model, DEFAULT_FOLDER)
    path = Path(name)
    if path.suffix == CHECKPOINT_SUFFIX:
        raise ModelFolderError(
            f'{name} is a checkpoint, and a folder of ONNX graphs is wanted: mmpolar export {name} --out DIR'
        )
    return path if path.is_dir() or path.name != name else find_model_folder(name)
