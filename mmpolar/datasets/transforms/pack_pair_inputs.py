import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackPairInputs(BaseTransform):
    """Pack a training pair for the model.

    Required keys: ``template`` and ``search``; ``label``; ``dataset_name``; ``sample_idx``.
    Optional: ``polar``, the dense targets; ``target_map`` of ``template``, which
    ``DrawTemplateTarget`` makes; and ``matrix`` of ``search``, which ``CropPair`` makes.
    """

    def transform(self, results: dict) -> dict:
        """Pack the pair.

        Args:
            results: A pair with cropped images.

        Returns:
            ``inputs`` with ``img`` (1, 3, 127, 127) and ``search_img`` (1, 3, 255, 255), uint8
            BGR tensors that share memory with the crops; ``data_samples``, a ``DetDataSample``
            with ``gt_instances`` and ``search_gt_instances`` (``bboxes`` (1, 4), ``labels`` (1,):
            1, or 0 in the search region of a negative pair, ``masks`` where there are any, and in
            the first ``target_maps`` (1, 127, 127) where they were made), and with ``polar_targets`` where the dense targets were made. Its meta information
            has ``search_matrix``, the (2, 3) map from search frame to search crop, if it is known.
        """
        template, search = results['template'], results['search']
        sample = DetDataSample(
            metainfo=dict(
                img_path=template.img_path,
                search_img_path=search.img_path,
                dataset_name=results['dataset_name'],
                sample_idx=results['sample_idx'],
            )
        )
        sample.gt_instances = to_instances(template.box, 1, template.mask)
        if template.target_map is not None:
            sample.gt_instances.target_maps = torch.from_numpy(template.target_map)[None]
        sample.search_gt_instances = to_instances(search.box, results['label'], search.mask)
        if search.matrix is not None:
            sample.set_metainfo(dict(search_matrix=search.matrix.tolist()))
        if 'polar' in results:
            targets = {key: torch.from_numpy(value) for key, value in results['polar'].items()}
            sample.polar_targets = BaseDataElement(**targets)
        inputs = dict(img=to_image_tensor(template.img), search_img=to_image_tensor(search.img))
        return dict(inputs=inputs, data_samples=sample)


def to_image_tensor(img: np.ndarray) -> Tensor:
    """View an image as a tensor, without a copy.

    Args:
        img: Image of shape (H, W, 3), uint8.

    Returns:
        Tensor of shape (1, 3, H, W), uint8, on the same memory; the channels vary fastest in it.
    """
    return torch.from_numpy(img).permute(2, 0, 1).unsqueeze(0)


def to_instances(box: np.ndarray, label: int, mask: np.ndarray | None) -> InstanceData:
    """One object as instance data.

    Args:
        box: Box of shape (4,), xyxy.
        label: Label of the object.
        mask: Mask of shape (H, W), uint8, or None.

    Returns:
        ``bboxes`` (1, 4) float32, ``labels`` (1,) int64, and ``masks`` where there is a mask.
    """
    instances = InstanceData(
        bboxes=torch.as_tensor(box, dtype=torch.float32).reshape(1, 4),
        labels=torch.tensor([label]),
    )
    if mask is not None:
        instances.masks = BitmapMasks(mask[None], *mask.shape)
    return instances
