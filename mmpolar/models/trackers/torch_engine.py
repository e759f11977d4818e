"""PyTorch as a tracker's inference engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmpolar.models.heads import Kernels, OceanMaps
from mmpolar.models.segmentors import StageReference
from mmpolar.tracking.engine import CPU_BATCH, SearchMaps
from mmpolar.tracking.mask_stage import MaskInputs, MaskMaps, MaskParams
from mmpolar.tracking.online_model import is_of_stride
from mmpolar.tracking.params import TrackParams
from mmpolar.utils.torch_threads import torch_threads

if TYPE_CHECKING:
    from mmpolar.models.trackers.ocean import Ocean


def usual_threads(device: torch.device) -> int | None:
    """Threads of a tracker on a device: one on a CPU, as many as are set elsewhere.

    Beside other programs a second one made a step 30 times slower: at the end of every layer PyTorch's
    threads wait for each other in loops.
    """
    return 1 if device.type == 'cpu' else None


class _Features(NamedTuple):
    """What :meth:`TorchEngine.contours` reads.

    Attributes:
        maps: Maps of the head.
        prototypes: Those of the kernels.
    """

    maps: OceanMaps
    prototypes: Tensor | None


class TorchEngine:
    """An :class:`Ocean` model as a :class:`mmpolar.tracking.TrackEngine`.

    On a GPU all targets of a frame pass through the network together, on a CPU two by two.

    Args:
        model: The network, in test mode.
        dtype: Type in which convolutions are computed: ``torch.float32``, or for half the work on
            processors that have it ``torch.bfloat16`` (a GPU: ``torch.float16`` too). None leaves
            the autocast that is in force as it is.
        threads: Threads of its computations on a CPU, set for the time of a call; None for what is set
            for the process.
    """

    def __init__(
        self,
        model: 'Ocean',
        dtype: torch.dtype | None = torch.float32,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.dtype = dtype
        self.threads = threads

    @property
    def params(self) -> TrackParams:
        """Hyper-parameters of tracking in the model's config."""
        return self.model.params

    @property
    def n_rays(self) -> int | None:
        """Rays of the mask head; None without one."""
        return None if self.model.mask_head is None else self.model.mask_head.n_rays

    @property
    def batch_size(self) -> int | None:
        """Two targets on a CPU, any number elsewhere."""
        return CPU_BATCH if self.model.data_preprocessor.device.type == 'cpu' else None

    @property
    def mask_params(self) -> MaskParams | None:
        """How the model's mask stage is used; None without one."""
        return self.model.mask_params

    @torch.no_grad()
    def encode(self, crops: NDArray[np.uint8], target_maps: NDArray[np.uint8]) -> list[Kernels]:
        """Encode templates, see :meth:`mmpolar.tracking.TrackEngine.encode`."""
        with self._computing():
            template = self.model.data_preprocessor.normalize_crops(crops)
            return self.model.encode_template(template, torch.from_numpy(target_maps)).split()

    @torch.no_grad()
    def search(self, codes: Sequence[Kernels], crops: NDArray[np.uint8]) -> SearchMaps:
        """Look for targets, see :meth:`mmpolar.tracking.TrackEngine.search`."""
        kernels = Kernels.stack(codes)
        with self._computing():
            maps = self.model.search(kernels, self.model.data_preprocessor.normalize_crops(crops))
            scores = maps.scores(self.params.score_ratio)
        # One transfer to the host.
        both = torch.cat([scores[:, None].float(), maps.ltrb.float()], 1).cpu().numpy()
        return SearchMaps(both[:, 0], both[:, 1:], _Features(maps, kernels.prototypes))

    def search_features(self, maps: SearchMaps) -> NDArray[np.float32] | None:
        """The fine map of the head's stride, see :meth:`mmpolar.tracking.TrackEngine.search_features`."""
        found = maps.features.maps
        for fine in found.fine_features:
            if is_of_stride(fine.shape[-1], found.search_size, self.params.stride):
                return fine.float().cpu().numpy()
        return None

    @torch.no_grad()
    def contours(self, maps: SearchMaps, locations: NDArray[np.int64]) -> NDArray[np.float32]:
        """Measure contours, see :meth:`mmpolar.tracking.TrackEngine.contours`."""
        found = maps.features
        chosen = torch.from_numpy(locations)[:, None].to(found.maps.ltrb.device)
        with self._computing():
            radii = self.model.radii_at(found.maps, found.prototypes, chosen)
        return radii[:, 0].float().cpu().numpy()

    @torch.no_grad()
    def masks(self, inputs: MaskInputs) -> MaskMaps:
        """Decide on pixels, see :meth:`mmpolar.tracking.TrackEngine.masks`."""
        stage = self.model.mask_stage
        device = stage.data_preprocessor.device
        priors, keys, known = (torch.from_numpy(part).to(device) for part in inputs[1:])
        references = [StageReference(keys[:, slot], known[:, slot, None]) for slot in range(2)]
        with self._computing():
            features = stage.encode(stage.data_preprocessor.normalize_crops(inputs.crops))
            logits, quality = stage.decode(features, priors, references)
        found = (logits.float(), quality.float().sigmoid(), features.keys)
        return MaskMaps(*(value.cpu().numpy() for value in found))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Context in which the model computes in the engine's type, with its threads."""
        device = self.model.data_preprocessor.device.type
        autocast = (
            nullcontext()
            if self.dtype is None
            else torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32)
        )
        with torch_threads(self.threads), autocast:
            yield
