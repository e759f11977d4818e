"""Positives and negatives as training images of their own."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from mmpolar.mining.composites import SeparateImages
from mmpolar.mining.composites.separate_images import flat_collate

PACK = dict(type='mmdet.PackDetInputs', meta_keys=('img_path', 'img_shape'))


def image(name, boxes=None, masks=False, size=(40, 60)):
    """Results as MMDetection loads them; without boxes those of a negative."""
    results = dict(img=np.full((*size, 3), len(name) * 20, np.uint8), img_path=name, img_id=name)
    if boxes is not None:
        results.update(
            gt_bboxes=HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32)),
            gt_bboxes_labels=np.zeros(len(boxes), np.int64),
            gt_ignore_flags=np.zeros(len(boxes), bool),
        )
        if masks:
            results['gt_masks'] = BitmapMasks(np.ones((len(boxes), *size), np.uint8), *size)
    return results


def made(masks=False, **options):
    transform = SeparateImages(img_scale=(64, 64), scale_range=(1.0, 1.0), **options)
    results = dict(
        positives=[image('a', [[10, 10, 30, 30]], masks), image('bb', [[0, 0, 60, 40]], masks)],
        negatives=[image('ccc')],
        rng=np.random.default_rng(0),
        sample_idx=3,
    )
    return transform(results)


@pytest.mark.parametrize('masks', [False, True])
def test_each_image_is_one_of_its_own(masks):
    first, second, negative = made(masks)
    for results, name, count in ((first, 'a', 1), (second, 'bb', 1), (negative, 'ccc', 0)):
        assert results['img'].shape == (64, 64, 3)
        assert results['img_path'] == name
        assert len(results['gt_bboxes']) == len(results['gt_bboxes_labels']) == count
        (source,) = results['composite_sources']
        assert source['is_negative'] == (name == 'ccc')
        x1, y1, x2, y2 = source['region']
        assert (results['img'][y1:y2, x1:x2] == len(name) * 20).all()
        assert ('gt_masks' in results) == masks
        if masks:
            assert results['gt_masks'].masks.shape == (count, 64, 64)
    # 60 x 40 pixels fit into 64 x 64 with a factor of 64 / 60.
    width, height = (second['gt_bboxes'].tensor[0, 2:] - second['gt_bboxes'].tensor[0, :2]).tolist()
    assert (width, height) == pytest.approx((64, 43), abs=0.5)


def test_batch_holds_the_images_of_all_items():
    items = [made(transforms=[PACK]), made(transforms=[PACK])]
    batch = flat_collate(items)
    assert len(batch['inputs']) == len(batch['data_samples']) == 6
    assert [len(sample.gt_instances) for sample in batch['data_samples']] == [1, 1, 0] * 2


def test_wrong_range_is_explained():
    with pytest.raises(ValueError, match='two positive numbers in order'):
        SeparateImages(scale_range=(2, 1))
