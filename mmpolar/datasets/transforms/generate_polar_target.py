"""Turns the search mask of a pair into the radii that each location shall predict."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import score_locations
from mmpolar.structures.polar import CROSSINGS, encode_radii, mass_center, polar_centerness

POSITIVES = ('mask', 'box', 'center')


@TRANSFORMS.register_module()
class GeneratePolarTarget(BaseTransform):
    """Encode the search mask as radii around every positive location of the score map.

    Every location is its own pole. Radii are measured inside the crop: a target that sticks out
    of it ends at the crop's edge. A ray of a positive location outside the mask that meets no
    boundary has the radius :data:`~mmpolar.structures.polar.MIN_RADIUS`.

    Reads ``label``, and ``mask`` and ``box`` of ``search``, which must be in crop pixels. Adds
    ``polar``, a dict of

    - ``radii``: (n_rays, S, S) float32 pixels; 1 at locations that are not positive, so that a
      logarithm taken before they are masked out stays finite;
    - ``positive``: (S, S) bool;
    - ``centerness``: (S, S) float32 polar centerness in [0, 1]; 0 at locations that are not
      positive.

    Adds nothing where there is nothing to learn a contour from: in a negative pair, without a
    mask, and where the crop shows none of the mask.

    Args:
        n_rays: Number n of rays, at least 3.
        stride: Distance of neighbouring locations in pixels.
        score_size: Side S of the score map.
        search_size: Side of the search crop in pixels.
        crossing: ``'farthest'`` or ``'nearest'``, which crossing of the boundary ends a ray.
        positive: Which locations are positive: ``'mask'``, those inside the mask; ``'box'``,
            those strictly inside the box; ``'center'``, those within ``center_radius`` of the
            mask's mass centre, and of these the ones inside the mask if there are any. Where
            none qualifies, as with a target that fits between two locations, it is the one
            location nearest to the mass centre.
        center_radius: Radius for ``'center'`` in pixels.

    Raises:
        ValueError: If an argument is outside its range, the score map does not fit into the
            search crop, or a mask has not the size of the search crop.
    """

    def __init__(
        self,
        n_rays: int = 36,
        stride: int = 8,
        score_size: int = 25,
        search_size: int = 255,
        crossing: str = 'farthest',
        positive: str = 'mask',
        center_radius: float = 16.0,
    ) -> None:
        if n_rays < 3:
            raise ValueError(f'GeneratePolarTarget: n_rays must be at least 3, got {n_rays}')
        for name, value in (('stride', stride), ('score_size', score_size)):
            if value < 1:
                raise ValueError(f'GeneratePolarTarget: {name} must be at least 1, got {value}')
        if crossing not in CROSSINGS:
            raise ValueError(
                f'GeneratePolarTarget: crossing must be one of {CROSSINGS}, got {crossing!r}'
            )
        if positive not in POSITIVES:
            raise ValueError(
                f'GeneratePolarTarget: positive must be one of {POSITIVES}, got {positive!r}'
            )
        if center_radius <= 0:
            raise ValueError(
                f'GeneratePolarTarget: center_radius must be above 0, got {center_radius}'
            )
        self.locations = score_locations(score_size, stride, search_size)
        if self.locations.min() < 0 or self.locations.max() > search_size - 1:
            raise ValueError(
                f'GeneratePolarTarget: {score_size} locations {stride} px apart do not fit into a '
                f'search crop of {search_size} px; lower score_size or stride'
            )
        self.n_rays = n_rays
        self.search_size = search_size
        self.crossing = crossing
        self.positive = positive
        self.center_radius = center_radius

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the dense targets where there is a contour to learn.

        Args:
            results: A cropped pair.

        Returns:
            The same dictionary.
        """
        search = results['search']
        mask = search.mask
        if results['label'] == 0 or mask is None:
            return results
        if mask.shape != (self.search_size, self.search_size):
            raise ValueError(
                f'GeneratePolarTarget: the mask of {search.img_path} is {mask.shape}, not '
                f'{self.search_size} px a side; crop it first, and give CropPair and '
                'GeneratePolarTarget the same search_size'
            )
        if not mask.any():
            return results
        positive = self._positive(mask, search.box)
        found, _ = encode_radii(mask, self.locations[positive], self.n_rays, self.crossing)
        radii = np.ones((self.n_rays, *positive.shape), dtype=np.float32)
        radii[:, positive] = found.T
        centerness = np.zeros(positive.shape, dtype=np.float32)
        centerness[positive] = polar_centerness(found)
        results['polar'] = {'radii': radii, 'positive': positive, 'centerness': centerness}
        return results

    def _positive(self, mask: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(S, S) bool, true at one location at least."""
        x, y = self.locations[..., 0], self.locations[..., 1]
        if self.positive == 'box':
            positive = (x > box[0]) & (y > box[1]) & (x < box[2]) & (y < box[3])
        else:
            positive = mask[y.astype(int), x.astype(int)] > 0
        if self.positive == 'center':
            close = self._distance(mask) <= self.center_radius
            positive = close & positive if (close & positive).any() else close
        if not positive.any():
            distance = self._distance(mask)
            positive.flat[distance.argmin()] = True
        return positive

    def _distance(self, mask: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(S, S) distances in pixels of the locations from the mask's mass centre."""
        return np.linalg.norm(self.locations - mass_center(mask), axis=-1)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(n_rays={self.n_rays}, search_size={self.search_size}, '
            f'score_size={len(self.locations)}, crossing={self.crossing!r}, '
            f'positive={self.positive!r}, center_radius={self.center_radius})'
        )
