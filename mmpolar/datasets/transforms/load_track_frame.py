from mmcv.transforms import BaseTransform

from mmpolar.datasets.transforms.load_pair_images import check_mask_size
from mmpolar.registry import TRANSFORMS
from mmpolar.utils.image import read_image


@TRANSFORMS.register_module()
class LoadTrackFrame(BaseTransform):
    """Decode the image of a test frame.

    Required keys: ``img_path`` and ``gt_mask``. Added: ``img``, (H, W, 3) uint8 BGR, unless it is
    there already, and ``ori_shape`` and ``img_shape``, both (H, W).

    Raises:
        FileNotFoundError: If the image does not exist.
        ImageReadError: If the image cannot be decoded.
        ValueError: If the mask has not the size of the image.
    """

    def transform(self, results: dict) -> dict:
        """Add the image.

        Args:
            results: A frame as ``BaseTrackDataset.get_frame`` gives it.

        Returns:
            The same dictionary.
        """
        if 'img' not in results:
            results['img'] = read_image(results['img_path'])
        check_mask_size(results['img'], results['gt_mask'], results['img_path'])
        results['ori_shape'] = results['img_shape'] = results['img'].shape[:2]
        return results
