"""Numbers, ids and shapes of COCO's format are checked before they are believed."""

import json
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmpolar.datasets import CocoTrackDataset
from mmpolar.datasets.annotation_errors import AnnotationErrors
from mmpolar.datasets.coco_annotations import decode_segmentation, read_coco_file, segmentation_area
from mmpolar.datasets.left_out import LeftOut
from mmpolar.structures.polar import rasterize_polygon
from mmpolar.structures.rle import unpack_runs

SIZE = (40, 60)
SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]
HUGE = 2**63 - 1


def instance(**more):
    return dict(image_id=1, bbox=[10, 5, 20, 20], segmentation=[SQUARE]) | more


def image(**more):
    return dict(id=1, file_name='1.jpg', height=SIZE[0], width=SIZE[1]) | more


def read(path, content):
    """Instances, messages of errors and lines of what is left out."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    errors, left_out = AnnotationErrors(collects=True), LeftOut()
    _, instances = read_coco_file(path, errors, left_out)
    return list(instances), errors.messages, left_out.lines()


@pytest.mark.parametrize('seed', range(4))
def test_run_lengths_are_read_as_pycocotools_reads_them(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        size = tuple(rng.integers(1, 70, 2).tolist())
        mask = (rng.random(size) < rng.choice([0, 0.02, 0.5, 1])).astype(np.uint8)
        packed = coco_mask.encode(np.asfortranarray(mask))
        runs = unpack_runs(packed['counts'])
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(order='F')])))
        expected = np.diff([0, *edges, mask.size])
        np.testing.assert_array_equal(
            runs[runs.cumsum() > 0][-len(expected) :], expected[expected > 0]
        )
        for counts in (packed['counts'], packed['counts'].decode(), runs.tolist()):
            segmentation = dict(size=list(size), counts=counts)
            got = decode_segmentation(segmentation, size)
            np.testing.assert_array_equal(got, mask)
            assert got.dtype == np.uint8
            assert segmentation_area(segmentation, size) == mask.sum()


@pytest.mark.parametrize('counts', [[10, 5], [10, 5, 0], [10.0, 5.0], [], '', [2400]])
def test_run_lengths_that_end_early_are_filled_with_zeros(counts):
    junk = np.full(10**7, 7, np.uint8)  # what uninitialised memory would then hold
    del junk
    for _ in range(3):
        mask = decode_segmentation(dict(size=list(SIZE), counts=counts), SIZE)
        assert mask.sum() == (5 if counts[1:2] else 0)
        assert mask.max() <= 1


DAMAGED_RUNS = [
    dict(size=[40, 60], counts=[10, 2391]),
    dict(size=[40, 60], counts=[-10, 20]),
    dict(size=[40, 60], counts=[HUGE, HUGE, 2]),
    dict(size=[40, 60], counts=[2**64, 1]),
    dict(size=[40, 60], counts=[1.5, 2]),
    dict(size=[40, 60], counts=[None, 2]),
    dict(size=[40, 60], counts=[[1], [2]]),
    dict(size=[40, 60], counts=None),
    dict(size=[40, 60], counts={'a': 1}),
    dict(size=[40, 60]),
    dict(size=[40, 60], counts='P'),
    dict(size=[40, 60], counts='PPPPPPPPPPPPPPPPPPPP0'),
    dict(size=[40, 60], counts='\u00e4'),
    dict(size=[40, 60], counts='!'),
    dict(size=[40, 60], counts='nooooooO'),
    dict(size=[60, 40], counts=[10, 5]),
    dict(size=[200_000, 200_000], counts=[0, 100]),
    dict(size=None, counts=[10, 5]),
    dict(size='40x60', counts=[10, 5]),
]
DAMAGED_POLYGONS = [
    SQUARE,
    [[[10, 5], [30, 5], [30, 25]]],
    [[0, 0, 1e9, 0, 1e9, 1e9, 0, 1e9]],
    [[0, 0, math.nan, 0, 5, 5]],
    [[0, 0, math.inf, 0, 5, 5]],
    [[0, 0, 10**400, 0, 5, 5]],
    [[0, 0, '1', 0, 5, 5]],
    [[0, 0, None, 0, 5, 5]],
    [[0, 0, True, 0, 5, 5], ['x'] * 6],
    [[0, 0, 5, 5, 7, 7, 9]],
    [SQUARE, 'x'],
    [SQUARE, None],
    'polygon',
    7,
    True,
]


@pytest.mark.parametrize('segmentation', [*DAMAGED_RUNS, *DAMAGED_POLYGONS], ids=str)
def test_damaged_segmentations_are_errors_that_name_file_and_annotation(data, segmentation):
    root = data.coco([instance(segmentation=segmentation, id=7), instance(id=8)], 1)
    with pytest.raises(ValueError, match=r'annotations\.json: annotation 7: .'):
        CocoTrackDataset(root)
    instances, messages, _ = read(
        root / 'annotations.json', json.loads((root / 'annotations.json').read_text())
    )
    assert [found.id for found in instances] == [8]
    assert len(messages) == 1


@pytest.mark.parametrize(
    'box',
    [[1, 2, 3], [1, 2, 3, math.nan], [1, 2, math.inf, 4], [1, 2, 1e30, 4], ['1', '2', '3', '4']]
    + [[1, 2, None, 4], 'box', 5, {'x': 1}, None, [[1, 2], [3, 4]], [10**400, 1, 1, 1]],
    ids=str,
)
def test_damaged_boxes_are_errors_that_name_file_and_annotation(data, box):
    root = data.coco([instance(bbox=box, segmentation=None, id=7)], 1)
    with pytest.raises(ValueError, match=r'annotations\.json: annotation 7: .*bbox'):
        CocoTrackDataset(root)


def test_every_broken_entry_is_found_in_one_run(tmp_path):
    images = [
        image(),
        image(),
        image(id=2, height=None),
        image(id=3, width='60'),
        image(id=4, file_name=None),
        image(id=5, height=300_000, width=300_000),
        image(id=[6]),
        dict(id=7),
        'image',
        None,
        image(id=8, height=-4),
        image(id=9, width=True),
        image(id=10, width=6.5),
    ]
    annotations = [
        instance(id=1),
        instance(id=1),
        instance(id=2, image_id=99),
        instance(id=3, image_id=2),
        instance(id=4, image_id=[1]),
        instance(id={'a': 1}),
        None,
        'annotation',
        instance(),
        instance(id=5, segmentation=None, attributes=dict(rotation='x')),
        instance(id=6, segmentation=None, attributes='x'),
    ]
    found, messages, _ = read(tmp_path / 'a.json', dict(images=images, annotations=annotations))
    assert all(message.startswith(f'{tmp_path / "a.json"}: ') for message in messages)
    located = [message.split(': ')[1] for message in messages]
    assert located[:12] == [
        'image 1', 'image 2', 'image 3', 'image 4', 'image 5', 'image [6]', 'image 7',
        'image at index 8', 'image at index 9', 'image 8', 'image 9', 'image 10',
    ]  # fmt: skip
    assert located[12:] == [
        'two annotations have the id 1', 'annotation 2', 'annotation 3', 'annotation 4',
        "annotation {'a'", 'annotation at index 6', 'annotation at index 7', 'annotation 5',
    ]  # fmt: skip
    assert [entry.id for entry in found] == [1, 1, 8, 6]


@pytest.mark.parametrize(
    'text',
    ['', '[]', '{"images": 3, "annotations": []}', '{"images": []}', '[' * 100_000, '{"a": nul'],
)
def test_files_of_another_form_are_errors_that_name_the_file(tmp_path, text):
    with pytest.raises(ValueError, match=r'a\.json .*is not'):
        read(tmp_path / 'a.json', text)


def test_degenerate_polygons_are_left_out_and_counted(tmp_path):
    annotations = [
        instance(id=1, segmentation=[[1, 2, 3, 4], SQUARE]),
        instance(id=2, segmentation=[[]]),
        instance(id=3, iscrowd=1),
    ]
    found, messages, lines = read(
        tmp_path / 'a.json', dict(images=[image()], annotations=annotations)
    )
    assert [entry.segmentation for entry in found] == [[SQUARE], None]
    assert messages == []
    assert lines == [
        '2 polygon: fewer than three corners (first: annotation 1)',
        '1 crowd: a group of objects (first: annotation 3)',
    ]


@pytest.mark.parametrize('segmentation', [[SQUARE], dict(size=list(SIZE), counts=[405, 20])])
def test_an_instance_without_a_box_has_that_of_its_segmentation(tmp_path, segmentation):
    entry = instance(segmentation=segmentation)
    del entry['bbox']
    (found,), messages, _ = read(tmp_path / 'a.json', dict(images=[image()], annotations=[entry]))
    expected = [10, 5, 11, 25] if isinstance(segmentation, dict) else [10, 5, 30, 25]
    assert [*found.corners[0], *found.corners[2]] == expected
    assert messages == []


def test_brush_masks_that_cvat_marks_as_crowds_are_kept(data):
    attributes = dict(occluded=False, track_id=0, keyframe=True)
    root = data.coco([instance(iscrowd=1, attributes=attributes), instance(iscrowd=1)], 1)
    assert len(CocoTrackDataset(root)) == 1


def test_turned_box_gives_the_box_around_it(data):
    box = dict(bbox=[18, 16, 24, 8], segmentation=[], attributes=dict(rotation=90.0))
    dataset = CocoTrackDataset(data.coco([instance(**box)], 1))
    np.testing.assert_allclose(dataset.load_target(0, 0).box, [25.5, 7.5, 33.5, 31.5], atol=1e-4)


def test_backslashes_in_file_names_are_slashes(data):
    root = data.coco([instance()], 1)
    path = root / 'annotations.json'
    (root / 'images/deep').mkdir()
    (root / 'images/1.jpg').rename(root / 'images/deep/1.jpg')
    path.write_text(path.read_text().replace('1.jpg', r'deep\\1.jpg'))
    assert CocoTrackDataset(root).load_target(0, 0).mask.sum() == 400


def test_polygons_far_outside_of_the_image_need_no_more_memory(tmp_path):
    far = 10**7
    mask = decode_segmentation([[-far, 10, far, 10, far, 20, -far, 20]], SIZE)
    assert mask[10:20].all()
    assert mask.sum() == 10 * SIZE[1]
    assert not decode_segmentation([[far, 0, far + 9, 0, far, 9]], SIZE).any()


def test_contours_that_are_too_long_for_pycocotools_are_filled_alike():
    rng = np.random.default_rng(0)
    long = rng.uniform(0, 40, (80_000, 2)).round(1)
    got = decode_segmentation([long.ravel().tolist(), SQUARE], SIZE)
    square = np.array(SQUARE).reshape(-1, 2)
    expected = rasterize_polygon(long - 0.5, SIZE) | rasterize_polygon(square - 0.5, SIZE)
    np.testing.assert_array_equal(got, expected)


def test_a_polygon_that_crosses_too_many_rows_is_refused():
    zigzag = np.tile([0, 0, 9, 2000], 3000).tolist()
    with pytest.raises(ValueError, match='crosses 12,.* rows of pixels'):
        decode_segmentation([zigzag], (2000, 10))
