"""What a tracker asks of an inference engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmpolar.tracking.mask_stage import MaskInputs, MaskMaps, MaskParams
from mmpolar.tracking.params import TrackParams

Code = TypeVar('Code')

#: Targets that go through a network on a CPU together. The features of more do not fit into its
#: caches: 16 together took 1.4 to 2.3 times as long as one by one.
CPU_BATCH = 2


@dataclass(frozen=True)
class SearchMaps:
    """What a network says about the search crops of T targets.

    Attributes:
        scores: Classification scores in [0, 1], shape (T, S, S).
        ltrb: Distances from each location to the sides of its box, in pixels of the search crop,
            positive, shape (T, 4, S, S).
        features: Whatever the engine needs to find contours in these crops.

    Example:
        >>> import numpy as np
        >>> from mmpolar.tracking import SearchMaps
        >>> maps = SearchMaps(np.zeros((1, 25, 25)), np.full((1, 4, 25, 25), 20.0))
        >>> maps.scores.shape
        (1, 25, 25)
    """

    scores: NDArray[np.float32]
    ltrb: NDArray[np.float32]
    features: Any = None


class TrackEngine(Protocol[Code]):
    """A network behind an inference engine. It computes; it keeps nothing of a video.

    :class:`mmpolar.models.trackers.TorchEngine` and :class:`mmpolar.runtime.OnnxEngine` are the two
    that come with the package. One of your own needs these attributes and methods and no base class.

    Attributes:
        params: Hyper-parameters of tracking that the network is used with.
        n_rays: Rays of its contours; None for a network that gives boxes only.
        batch_size: For how many targets it is called at once; None for any number.
        mask_params: How its mask stage is used. None, or no such attribute, for a network without
            one; masks are then the insides of the contours.

    Example:
        A network that finds every target where it was:

        >>> import numpy as np
        >>> from mmpolar.tracking import SearchMaps, Tracker, TrackParams
        >>> class Still:
        ...     params, n_rays, batch_size = TrackParams(), 4, None
        ...     def encode(self, crops, target_maps):
        ...         return [None] * len(crops)
        ...     def search(self, codes, crops):
        ...         scores = np.zeros((len(crops), 25, 25))
        ...         scores[:, 12, 12] = 0.9
        ...         return SearchMaps(scores, np.full((len(crops), 4, 25, 25), 32.0))
        ...     def contours(self, maps, locations):
        ...         return np.full((len(locations), 4), 30.0)
        >>> tracker = Tracker(Still())
        >>> frame = np.zeros((120, 160, 3), np.uint8)
        >>> _ = tracker.init(frame, [[60, 40, 100, 80]])
        >>> [result] = tracker.step(frame)
        >>> result.polygon.shape
        (4, 2)
    """

    params: TrackParams
    n_rays: int | None
    batch_size: int | None
    mask_params: MaskParams | None = None

    def encode(self, crops: NDArray[np.uint8], target_maps: NDArray[np.uint8]) -> Sequence[Code]:
        """Encode the templates of T targets.

        Args:
            crops: Template crops, (T, template_size, template_size, 3) uint8 BGR.
            target_maps: 1 on the target and 0 elsewhere, (T, template_size, template_size) uint8.

        Returns:
            Of each target what :meth:`search` takes.
        """

    def search(self, codes: Sequence[Code], crops: NDArray[np.uint8]) -> SearchMaps:
        """Look for T targets, each in a search crop of its own.

        Args:
            codes: What :meth:`encode` gave for each of them.
            crops: Search crops of side X, (T, X, X, 3) uint8 BGR.
        """

    def search_features(self, maps: SearchMaps) -> NDArray[np.float32] | None:
        """Features of the search crops for online models; not called if ``online_share`` is 0.

        An engine may lack this method; it is then used without online models.

        Args:
            maps: What :meth:`search` gave.

        Returns:
            (T, C, h, w), cell (r, c) at pixel (r, c) times ``params.stride`` of the crop; None of a
            network that has no such map.
        """

    def contours(self, maps: SearchMaps, locations: NDArray[np.int64]) -> NDArray[np.float32]:
        """Measure the contour of each target from one location; not called if ``n_rays`` is None.

        Args:
            maps: What :meth:`search` gave.
            locations: A location of each target, counted row by row, (T,).

        Returns:
            Radii in pixels of the search crop, (T, n).
        """

    def masks(self, inputs: MaskInputs) -> MaskMaps:
        """Decide pixel by pixel what T targets are; not called if ``mask_params`` is None.

        Args:
            inputs: Crops around the targets' boxes, and what is known of them.
        """


def run_mask_stage(engine: TrackEngine, inputs: MaskInputs) -> MaskMaps:
    """Decide on any number T of targets, as many at once as suit the engine.

    Args:
        engine: A network with a mask stage.
        inputs: Crops around the targets' boxes, and what is known of them.
    """
    total = len(inputs.crops)
    at_most = engine.batch_size or total
    if total <= at_most:
        return engine.masks(inputs)
    found = [
        engine.masks(MaskInputs(*(array[first : first + at_most] for array in inputs)))
        for first in range(0, total, at_most)
    ]
    return MaskMaps(*map(np.concatenate, zip(*found, strict=True)))
