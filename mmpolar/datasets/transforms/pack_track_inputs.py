import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmpolar.datasets.transforms.pack_pair_inputs import to_image_tensor, to_instances
from mmpolar.registry import TRANSFORMS

_META_KEYS = (
    'img_path',
    'ori_shape',
    'img_shape',
    'frame_id',
    'video_id',
    'video_length',
    'video_name',
    'instances',
)
#: What datasets of benchmarks add.
_OPTIONAL_META_KEYS = ('sequence', 'object_id', 'category', 'annotated', 'flags', 'gt_region')


@TRANSFORMS.register_module()
class PackTrackInputs(BaseTransform):
    """Pack a test frame for the model.

    Required keys: those that ``BaseTrackDataset.get_frame`` and ``LoadTrackFrame`` make.
    """

    def transform(self, results: dict) -> dict:
        """Pack the frame.

        Args:
            results: A frame with its image.

        Returns:
            ``inputs`` with ``img`` (1, 3, H, W), a uint8 BGR tensor that shares memory with the
            image; ``data_samples``, a ``DetDataSample`` with ``gt_instances`` (``bboxes`` (N, 4),
            ``labels`` (N,) and, where the data have masks, ``masks``; N is 1, or 0 where the
            target is absent), unless the frame is not annotated, and the other keys as meta
            information.
        """
        metainfo = {key: results[key] for key in _META_KEYS}
        metainfo |= {key: results[key] for key in _OPTIONAL_META_KEYS if key in results}
        sample = DetDataSample(metainfo=metainfo)
        if not results.get('annotated', True):
            return dict(inputs=dict(img=to_image_tensor(results['img'])), data_samples=sample)
        (instance,) = results['instances']
        if instance['visible']:
            sample.gt_instances = to_instances(
                instance['bbox'], instance['bbox_label'], results['gt_mask']
            )
        else:
            sample.gt_instances = InstanceData(
                bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
            )
        return dict(inputs=dict(img=to_image_tensor(results['img'])), data_samples=sample)
