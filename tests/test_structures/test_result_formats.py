"""Results go to other programs' forms and come back; the real libraries read them, where installed."""

import numpy as np
import pytest

from mmpolar.structures import result_formats as formats
from mmpolar.structures.rle import decode_rle, encode_rle
from mmpolar.structures.track_result import TrackResult

SIZE = (40, 60)


def blob(left, top, right, bottom):
    mask = np.zeros(SIZE, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.fixture
def results():
    """A visible target, a lost one, and another visible one."""
    polygon = np.array([[10, 10], [20, 10], [20, 20]], np.float32)
    return [
        TrackResult(np.array([9.5, 9.5, 20.5, 15.25], np.float32), 0.75, polygon, blob(10, 10, 21, 16)),
        TrackResult(np.array([1, 2, 3, 4], np.float32), 0.1, None, np.zeros(SIZE, np.uint8), False),
        TrackResult(np.array([29.5, 4.5, 49.5, 34.5], np.float32), 1.0, polygon + 5, blob(30, 5, 50, 35)),
    ]  # fmt: skip


def assert_same(one, other, polygons=True, masks=True):
    np.testing.assert_allclose(one.box, other.box, atol=0.006)
    assert one.score == pytest.approx(other.score, abs=1e-4)
    assert one.visible == other.visible
    if polygons and other.polygon is not None:
        np.testing.assert_allclose(one.polygon, other.polygon, atol=0.006)
    if masks:
        np.testing.assert_array_equal(one.mask, other.mask)


def test_arrays_keep_lost_targets(results):
    arrays = formats.to_arrays(results)
    assert arrays['boxes'].shape == (3, 4)
    assert arrays['masks'].shape == (3, *SIZE)
    assert arrays['visible'].tolist() == [True, False, True]
    for back, result in zip(formats.from_arrays(arrays), results, strict=True):
        assert_same(back, result)
        assert (back.polygon is None) == (result.polygon is None)


def test_json_keeps_everything(results):
    back = formats.from_json(formats.to_json(results, [4, 7, 9]))
    assert list(back) == [4, 7, 9]
    for one, result in zip(back.values(), results, strict=True):
        assert_same(one, result)


def test_no_target_is_no_entry():
    assert formats.to_coco([], 0) == formats.to_json([]) == []
    assert formats.to_mot([], 0) == ''
    assert formats.to_arrays([])['boxes'].shape == (0, 4)


def test_coco_counts_from_pixel_corners_and_comes_back(results):
    entries = formats.to_coco(results, image_id=3, ids=[4, 7, 9])
    assert [entry['track_id'] for entry in entries] == [4, 9]
    # Pixels 10 to 20 of a row begin at the corner 10 and are 11 wide.
    assert entries[0]['bbox'] == [10, 10, 11, 5.75]
    back = formats.from_coco(entries)
    assert list(back) == [3]
    assert_same(back[3][4], results[0], polygons=False)
    assert_same(back[3][9], results[2], polygons=False)


def test_detections_without_numbers_are_numbered():
    entries = [dict(image_id=1, bbox=[0, 0, 4, 4], score=0.5)] * 2
    assert list(formats.from_coco(entries)[1]) == [1, 2]
    assert list(formats.from_mot('1,-1,0,0,4,4,.5\n1,-1,5,5,4,4,.4\n')[0]) == [1, 2]


def test_mot_lines_come_back(results):
    text = formats.to_mot(results, 0) + formats.to_mot(results[:1], 1)
    assert text.splitlines()[0] == '1,1,10.00,10.00,11.00,5.75,0.7500,-1,-1,-1'
    back = formats.from_mot(text)
    assert {frame: list(found) for frame, found in back.items()} == {0: [1, 3], 1: [1]}
    assert_same(back[0][3], results[2], polygons=False, masks=False)
    with pytest.raises(ValueError, match='line 2 is not frame'):
        formats.from_mot('1,1,2,3,4,5\nframe,id\n')


@pytest.mark.parametrize('seed', range(4))
def test_run_lengths_are_those_of_pycocotools(seed):
    coco = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 90, 2)
    for mask in (
        rng.random((height, width)) < rng.random(),
        np.zeros((height, width)),
        np.ones((height, width)),
        np.kron(rng.random((3, 4)) < 0.5, np.ones((300, 200))),
    ):
        mask = np.asfortranarray(mask, np.uint8)
        ours, theirs = encode_rle(mask), coco.encode(mask)
        assert ours['counts'].encode() == theirs['counts']
        assert ours['size'] == theirs['size']
        np.testing.assert_array_equal(decode_rle(ours), mask)
        np.testing.assert_array_equal(coco.decode(ours), mask)


def test_runs_of_crowds_are_lists():
    np.testing.assert_array_equal(
        decode_rle(dict(size=[2, 3], counts=[1, 2, 3])), [[0, 1, 0], [1, 0, 0]]
    )


@pytest.mark.parametrize('counts', [[1, 2], [7, -1], 'Q'])
def test_damaged_runs_are_refused(counts):
    with pytest.raises(ValueError, match='damaged'):
        decode_rle(dict(size=[2, 3], counts=counts))


def test_coco_itself_reads_the_entries(results):
    coco = pytest.importorskip('pycocotools.coco')
    dataset = coco.COCO()
    dataset.dataset = dict(
        images=[dict(id=0, height=SIZE[0], width=SIZE[1])], categories=[dict(id=1, name='target')]
    )
    dataset.createIndex()
    loaded = dataset.loadRes(formats.to_coco(results, 0))
    masks = [loaded.annToMask(annotation) for annotation in loaded.dataset['annotations']]
    np.testing.assert_array_equal(masks, [results[0].mask, results[2].mask])


def test_supervision_takes_and_gives_results(results):
    supervision = pytest.importorskip('supervision')
    detections = formats.to_supervision(results, [4, 7, 9])
    assert detections.tracker_id.tolist() == [4, 9]
    np.testing.assert_allclose(detections.xyxy[0], [10, 10, 21, 15.75])
    frame = np.zeros((*SIZE, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(frame.copy(), detections)
    assert (drawn.any(axis=2) == (results[0].mask | results[2].mask)).all()
    back = formats.from_supervision(detections)
    assert_same(back[4], results[0])
    assert_same(back[9], results[2])
    assert list(formats.from_supervision(detections[detections.confidence > 0.9])) == [9]
    assert formats.from_supervision(formats.to_supervision([])) == {}
