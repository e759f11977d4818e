"""Pack a group of views for the mask stage."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmpolar.datasets.transforms.view_warp import halve
from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Pack a group for :class:`MaskStage`.

    Returns ``inputs``: ``img`` (V, 3, X, X), ``priors`` (V, 2, X / 2, X / 2), ``reference_masks``
    and ``gt_masks`` (V, X / 2, X / 2), uint8 tensors.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Stack the views."""
        views = results['views']
        images = np.stack([view['img'] for view in views])
        priors = np.stack([[view['box_map'], view['contour_map']] for view in views])
        inputs = dict(
            img=torch.from_numpy(images).permute(0, 3, 1, 2),
            priors=torch.from_numpy(priors),
            reference_masks=torch.from_numpy(np.stack([v['reference_mask'] for v in views])),
            gt_masks=torch.from_numpy(np.stack([halve(v['mask']) for v in views])),
        )
        return dict(inputs=inputs)
