"""MMTracking's visualizer, for data samples with ground-truth masks."""

import numpy as np
from mmengine.structures import InstanceData
from mmtrack.visualization import TrackLocalVisualizer

from mmpolar.registry import VISUALIZERS
from mmpolar.utils.deprecation import moved_names


@VISUALIZERS.register_module()
class MaskLocalVisualizer(TrackLocalVisualizer):
    """Draws boxes, scores and masks as MMTracking's ``TrackLocalVisualizer`` does.

    That one cannot draw the mask structures of MMDetection, in which datasets with masks hold the
    ground truth; here they reach it as arrays. Use it with MMTracking's ``TrackVisualizationHook``.
    """

    def _draw_instances(self, image: np.ndarray, instances: InstanceData) -> np.ndarray:
        if hasattr(instances.get('masks'), 'to_ndarray'):
            instances = instances.clone()
            instances.masks = instances.masks.to_ndarray().astype(bool)
        return super()._draw_instances(image, instances)


VISUALIZERS.register_old_name('OutlineLocalVisualizer', 'MaskLocalVisualizer')
__getattr__ = moved_names(__name__, {'OutlineLocalVisualizer': f'{__name__}:MaskLocalVisualizer'})
