import json

import numpy as np
import pytest
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask

from mmpolar.datasets import CocoTrackDataset
from mmpolar.datasets.coco_track_dataset import decode_segmentation

SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]


def instance(image_id=1, box=(10, 5, 20, 20), polygons=(SQUARE,), **more):
    return dict(image_id=image_id, bbox=list(box), segmentation=list(polygons), **more)


def test_polygon_gives_mask_and_its_box(data):
    dataset = CocoTrackDataset(data.coco([instance()], 1))
    target = dataset.load_target(0, 0)
    expected = np.zeros((40, 60), np.uint8)
    expected[5:25, 10:30] = 1
    np.testing.assert_array_equal(target.mask, expected)
    np.testing.assert_array_equal(target.box, np.float32([9.5, 4.5, 29.5, 24.5]))
    assert (target.mask.dtype, target.box.dtype) == (np.uint8, np.float32)


def test_each_instance_is_a_track_of_one_frame(data):
    root = data.coco([instance(1), instance(1), instance(2, category_id=7)], 2)
    dataset = CocoTrackDataset(root)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    assert [t.video_name for t in tracks] == ['1.jpg-1', '1.jpg-2', '2.jpg-3']
    assert [t.category for t in tracks] == [1, 1, 7]
    assert [dataset.get_len_per_video(i) for i in range(3)] == [1, 1, 1]


def test_polygons_of_one_instance_are_joined(data):
    far = [40, 5, 50, 5, 50, 15, 40, 15]
    target = CocoTrackDataset(data.coco([instance(polygons=[SQUARE, far])], 1)).load_target(0, 0)
    assert target.mask.sum() == 400 + 100
    np.testing.assert_array_equal(target.box, np.float32([9.5, 4.5, 49.5, 24.5]))


def test_run_lengths_compressed_or_not_equal_the_polygon(data):
    mask = decode_segmentation([SQUARE], (40, 60))
    packed = coco_mask.encode(np.asfortranarray(mask))
    packed['counts'] = packed['counts'].decode()
    flat = mask.flatten(order='F')
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    plain = dict(size=[40, 60], counts=counts)
    root = data.coco([instance() | dict(segmentation=runs) for runs in (packed, plain)], 1)
    dataset = CocoTrackDataset(root)
    for i in range(2):
        np.testing.assert_array_equal(dataset.load_target(i, 0).mask, mask)


@pytest.mark.parametrize('polygons', [[], [[1, 2, 3, 4]], None])
def test_instance_without_polygons_has_a_box_only(data, polygons):
    root = data.coco([instance() | dict(segmentation=polygons)], 1)
    target = CocoTrackDataset(root).load_target(0, 0)
    assert target.mask is None
    np.testing.assert_array_equal(target.box, np.float32([9.5, 4.5, 29.5, 24.5]))


def test_polygon_that_covers_no_pixel_has_a_box_only(data):
    outside = [100, 5, 120, 5, 120, 25, 100, 25]
    target = CocoTrackDataset(data.coco([instance(polygons=[outside])], 1)).load_target(0, 0)
    assert target.mask is None


def test_crowds_are_skipped(data):
    root = data.coco([instance(iscrowd=1), instance(iscrowd=0)], 1)
    assert len(CocoTrackDataset(root)) == 1


@pytest.mark.parametrize(
    'small',
    [
        instance(box=(1, 1, 0, 9), polygons=[]),
        instance(box=(1, 1, -5, -5), polygons=[]),
        instance(box=(1, 1, 7, 7), polygons=[]),
        instance(polygons=[[10, 5, 30, 5, 10, 6]]),
        instance(polygons=[[10, 5, 20, 5, 30, 5]]),
    ],
)
def test_degenerate_instances_are_left_out_and_counted(data, small, caplog, monkeypatch):
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handlers', [caplog.handler])
    root = data.coco([small, instance()], 1)
    dataset = CocoTrackDataset(root, min_area=64)
    assert len(dataset) == 1
    assert '"coco": left out 1 instances below 64 px^2' in caplog.text


def test_nothing_left_is_an_error(data):
    root = data.coco([instance(box=(0, 0, 0, 0))], 1)
    with pytest.raises(ValueError, match=r'annotations\.json\) has no track with a target'):
        CocoTrackDataset(root)


def test_missing_image_names_json_and_file_at_first_use(data):
    root = data.coco([instance(1), instance(2)], 2)
    (root / 'images/2.jpg').unlink()
    dataset = CocoTrackDataset(root)
    assert dataset.load_target(0, 0) is not None
    with pytest.raises(FileNotFoundError, match=r'2\.jpg, listed in .*annotations\.json'):
        dataset.load_target(1, 0)


def test_bad_annotation_files(data):
    root = data.coco([instance()], 1)
    path = root / 'annotations.json'
    content = json.loads(path.read_text())

    def changed(**parts):
        path.write_text(json.dumps(content | parts))
        return root

    with pytest.raises(ValueError, match=r'annotations\.json: annotation 5: belongs to image 9'):
        CocoTrackDataset(changed(annotations=[instance(image_id=9, id=5)]))
    with pytest.raises(ValueError, match='annotation 5: needs a "bbox" of four'):
        CocoTrackDataset(changed(annotations=[instance(box=(1, 2), id=5)]))
    with pytest.raises(ValueError, match=r"image 1: it lacks \['height', 'width'\]"):
        CocoTrackDataset(changed(images=[dict(id=1, file_name='1.jpg')]))
    path.write_text('[]')
    with pytest.raises(ValueError, match=r"annotations\.json is not in COCO's instances format"):
        CocoTrackDataset(root)
    path.write_text('{"images": [')
    with pytest.raises(ValueError, match=r'annotations\.json is not valid JSON'):
        CocoTrackDataset(root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'annotations\.json does not exist'):
        CocoTrackDataset(root)
