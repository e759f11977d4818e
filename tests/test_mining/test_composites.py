import copy

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from mmpolar.mining import OverlayComposite, StitchComposite
from mmpolar.mining.composites.stitch_composite import grid_shape

PAD = 114
#: Canvas that 1 x 1 up to 3 x 3 equal cells fill exactly.
CANVAS = (120, 84)
#: Positives, negatives, and the larger side of their grid.
COUNTS = [(1, 0, 1), (1, 1, 2), (2, 0, 2), (1, 3, 2), (2, 2, 2), (3, 2, 3), (2, 5, 3)]
SEEDS = range(40)


def coded_image(number, size=CANVAS):
    """Each pixel tells its column (blue), its row (green), and the image (red)."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, number)], axis=-1).astype(np.uint8)


def as_results(img, number, boxes=(), labels=None, **others):
    boxes = torch.tensor(np.reshape(boxes, (-1, 4)), dtype=torch.float32)
    labels = np.arange(len(boxes)) if labels is None else np.asarray(labels)
    return dict(
        img=img,
        img_path=f'{number}.png',
        img_id=number,
        gt_bboxes=HorizontalBoxes(boxes),
        gt_bboxes_labels=labels.astype(np.int64),
        gt_ignore_flags=np.zeros(len(boxes), dtype=bool),
        **others,
    )


def input_of(positives, negatives, seed):
    rng = np.random.default_rng(seed)
    return dict(positives=positives, negatives=negatives, rng=rng, sample_idx=seed)


def draw_boxes(rng, count, size, least=6, most=30):
    """Boxes with corners between pixels, inside an image."""
    sides = rng.integers(least, most, size=(count, 2))
    starts = rng.integers(0, np.asarray(size) - sides, endpoint=True)
    return np.concatenate([starts, starts + sides], axis=1)


def natural_stitch(larger, **options):
    """A stitch in which images as large as the canvas keep their size."""
    defaults = dict(img_scale=CANVAS, scale_range=(larger, larger), jitter=0)
    return StitchComposite(**(defaults | options))


def bounds_of(chosen):
    rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize(('num_positives', 'num_negatives', 'larger'), COUNTS)
def test_every_pixel_of_a_stitch_comes_from_one_place_of_one_image(
    num_positives, num_negatives, larger
):
    count = num_positives + num_negatives
    images = [as_results(coded_image(i), i) for i in range(count)]
    stitch = natural_stitch(larger)
    for seed in SEEDS:
        results = stitch(input_of(images[:num_positives], images[num_positives:], seed))
        canvas = results['img']
        assert (canvas.shape, canvas.dtype) == ((CANVAS[1], CANVAS[0], 3), np.uint8)
        rows, columns = np.mgrid[: CANVAS[1], : CANVAS[0]]
        is_padding = (canvas == PAD).all(axis=-1)
        num_shown = 0
        for number, entry in enumerate(results['composite_sources']):
            shown = (canvas[..., 2] == number) & ~is_padding
            num_shown += shown.sum()
            shifts_x = columns[shown] - canvas[shown][:, 0]
            shifts_y = rows[shown] - canvas[shown][:, 1]
            assert {*shifts_x} == {entry['offset'][0]}
            assert {*shifts_y} == {entry['offset'][1]}
            x1, y1, x2, y2 = bounds_of(shown)
            assert shown.sum() == (x2 - x1) * (y2 - y1)
            assert entry['region'] == (x1, y1, x2, y2)
            assert entry['is_negative'] == (number >= num_positives)
            assert entry['img_path'] == f'{number}.png'
            assert entry['scale_factor'] == (1, 1)
        assert num_shown + is_padding.sum() == canvas[..., 0].size
        # Images are as large as the canvas, so each fills its cell.
        areas = {shown_area(entry) for entry in results['composite_sources']}
        assert areas == {CANVAS[0] * CANVAS[1] // np.prod(grid_shape(count))}


def shown_area(entry):
    x1, y1, x2, y2 = entry['region']
    return (x2 - x1) * (y2 - y1)


def test_each_image_gets_each_cell_and_the_centre_moves():
    images = [as_results(coded_image(i), i) for i in range(4)]
    corners, centres = set(), set()
    for seed in range(150):
        results = StitchComposite(img_scale=CANVAS, scale_range=(3, 3), jitter=0.4)(
            input_of(images[:2], images[2:], seed)
        )
        regions = [entry['region'] for entry in results['composite_sources']]
        centre = max(region[0] for region in regions), max(region[1] for region in regions)
        centres.add(centre)
        corners |= {(i, r[0] > 0, r[1] > 0) for i, r in enumerate(regions)}
    assert len(corners) == 16
    x, y = np.array([*centres]).T / np.array(CANVAS)[:, None]
    for values in (x, y):
        assert 0.29 < values.min() < 0.33
        assert 0.67 < values.max() < 0.71


@pytest.mark.parametrize('transform', ['stitch', 'overlay'])
def test_scaled_images_show_the_right_source_pixels(transform):
    sizes = [(200, 90), (50, 120), (31, 17), (250, 250), (120, 84)]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        images = [
            as_results(coded_image(i, size), i) for i, size in enumerate(rng.permutation(sizes))
        ]
        if transform == 'stitch':
            composite = StitchComposite(img_scale=(160, 128), scale_range=(0.4, 2.5))
            results = composite(input_of(images[:2], images[2:], seed))
        else:
            composite = OverlayComposite(img_scale=(160, 128), ratio_range=(1, 1))
            results = composite(input_of(images[:1], images[1:2], seed))
        for entry in results['composite_sources']:
            if entry['weight'] == 0:
                continue
            source = images[int(entry['img_path'].split('.')[0])]['img']
            height, width = source.shape[:2]
            x1, y1, x2, y2 = entry['region']
            seen = results['img'][y1:y2, x1:x2].astype(float)
            columns = (np.arange(x1, x2) + 0.5 - entry['offset'][0]) / entry['scale_factor'][
                0
            ] - 0.5
            rows = (np.arange(y1, y2) + 0.5 - entry['offset'][1]) / entry['scale_factor'][1] - 0.5
            expected_columns = np.broadcast_to(columns.clip(0, width - 1), seen.shape[:2])
            expected_rows = np.broadcast_to(rows.clip(0, height - 1)[:, None], seen.shape[:2])
            # A grey level for each of the two steps of scaling, which round.
            assert np.abs(seen[..., 0] - expected_columns).max() <= 2
            assert np.abs(seen[..., 1] - expected_rows).max() <= 2
            assert {*seen[..., 2].ravel()} == {source[0, 0, 2]}
            ratio = entry['scale_factor'][0] / entry['scale_factor'][1]
            assert abs(np.log(ratio)) < 1 / min(seen.shape[:2]) + 0.1


def scene(rng, number, count, is_negative=False):
    """An image with objects of one colour each, apart from each other; and which pixels are whose."""
    owner = np.zeros((CANVAS[1], CANVAS[0]), dtype=np.uint8)
    boxes, labels = [], []
    for box in draw_boxes(rng, 4 * count, CANVAS):
        x1, y1, x2, y2 = box
        if len(boxes) < count and not owner[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1].any():
            boxes.append(box)
            labels.append(20 * number + len(boxes))
            owner[y1:y2, x1:x2] = labels[-1]
    colour = 255 if is_negative else 0
    img = np.dstack([np.full_like(owner, colour), owner, np.full_like(owner, colour)])
    masks = BitmapMasks([(owner == label).astype(np.uint8) for label in labels], *owner.shape)
    return as_results(img, number, boxes, labels, gt_masks=masks), owner


@pytest.mark.parametrize('min_visible', [0, 0.5, 1])
@pytest.mark.parametrize(('num_positives', 'num_negatives', 'larger'), COUNTS)
def test_boxes_and_masks_of_a_stitch_lie_on_their_pixels(
    num_positives, num_negatives, larger, min_visible
):
    stitch = natural_stitch(larger, min_visible=min_visible)
    num_dropped, num_ignored = 0, 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        scenes = [scene(rng, i, 4) for i in range(num_positives)]
        # Negatives hold objects and annotations too, none of which may come through.
        negatives = [scene(rng, 50, 3, is_negative=True)[0] for _ in range(num_negatives)]
        results = stitch(input_of([image for image, _ in scenes], negatives, seed))
        found = dict(
            zip(
                results['gt_bboxes_labels'].tolist(),
                zip(
                    results['gt_bboxes'].numpy().tolist(),
                    results['gt_ignore_flags'].tolist(),
                    results['gt_masks'].masks,
                    strict=True,
                ),
                strict=True,
            )
        )
        assert len(found) == len(results['gt_bboxes'])
        is_positive = results['img'][..., 0] == 0
        for image, owner in scenes:
            wholes = 0
            for label in image['gt_bboxes_labels'].tolist():
                shown = is_positive & (results['img'][..., 1] == label)
                if not shown.any():
                    assert label not in found
                    num_dropped += 1
                    continue
                box, is_ignored, mask = found.pop(label)
                assert box == bounds_of(shown)
                np.testing.assert_array_equal(mask, shown)
                share = shown.sum() / (owner == label).sum()
                assert is_ignored == (share < min_visible)
                num_ignored += is_ignored
                wholes += share == 1
            # Cells are at least 28 pixels high and wide, and boxes at most 29.
            assert wholes >= 1 or larger == 3
        assert not found
    assert num_ignored > 0 if min_visible and larger > 1 else num_ignored == 0
    assert (num_dropped > 0) == (larger > 1)


@pytest.mark.parametrize('transform', ['stitch', 'overlay'])
def test_boxes_and_masks_follow_scaled_images_within_a_pixel(transform):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        size = tuple(int(v) for v in rng.integers(60, 300, size=2))
        canvas_size = tuple(int(v) for v in rng.integers(80, 160, size=2))
        mask = np.zeros(size[::-1], dtype=np.uint8)
        centre, radii = [int(v / 2) for v in size], [int(v / 4) for v in size]
        cv2.ellipse(mask, centre, radii, 30, 0, 360, 1, -1)
        img = np.dstack([mask * 200] * 3)
        positive = as_results(
            img, 0, bounds_of(mask), [7], gt_masks=BitmapMasks([mask], *mask.shape)
        )
        negative = as_results(np.zeros((50, 60, 3), np.uint8), 1)
        if transform == 'stitch':
            composite = StitchComposite(canvas_size, scale_range=(0.7, 2), min_visible=0, pad_val=0)
            least = 199
        else:
            composite = OverlayComposite(canvas_size, ratio_range=(0.5, 0.5), pad_val=0)
            least = 99
        results = composite(input_of([positive], [negative], seed))
        assert results['gt_bboxes_labels'].tolist() == [7]
        (found,) = results['gt_masks'].masks
        entry = results['composite_sources'][0]
        x1, y1, x2, y2 = entry['region']
        seen, found = results['img'][y1:y2, x1:x2, 0], found[y1:y2, x1:x2]
        # Scaling blurs, a pixel to each side at half the colour, two at the most.
        for width, low, high in ((3, least / 2, least / 2), (5, 0, least)):
            kernel = np.ones((width, width), dtype=np.uint8)
            inside = cv2.erode(found, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) == 1
            assert (seen[inside] >= high).all()
            assert (seen[cv2.dilate(found, kernel) == 0] <= low).all()
        assert results['gt_masks'].masks.sum() == found.sum() > 0
        (box,) = results['gt_bboxes'].numpy() - [x1, y1, x1, y1]
        # The visible part of an ellipse cut off by the cell may be smaller than its clipped box.
        bounds = np.array(bounds_of(found))
        slack = 1 + max(entry['scale_factor'])
        assert (box[:2] <= bounds[:2] + slack).all()
        assert (box[2:] >= bounds[2:] - slack).all()
        assert (box >= 0).all()
        assert (box <= [x2 - x1, y2 - y1] * 2).all()
        if transform == 'overlay':
            assert np.abs(box - bounds).max() <= slack
            scale = np.tile(entry['scale_factor'], 2)
            offset = np.tile(entry['offset'], 2)
            expected = positive['gt_bboxes'].numpy()[0] * scale + offset
            np.testing.assert_allclose(results['gt_bboxes'].numpy()[0], expected, atol=1e-3)


@pytest.mark.parametrize(('num_positives', 'num_negatives'), [c[:2] for c in COUNTS])
def test_overlay_is_the_weighted_sum_of_its_layers(num_positives, num_negatives):
    overlay = OverlayComposite(CANVAS, ratio_range=(0.3, 0.8), pad_val=(10, 90, 250))
    shares = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        sizes = [(CANVAS[1], 50), (60, CANVAS[0]), (CANVAS[1], CANVAS[0]), (CANVAS[1], 119)]
        images = [
            as_results(rng.integers(256, size=(*rng.choice(sizes), 3), dtype=np.uint8), i)
            for i in range(num_positives + num_negatives)
        ]
        results = overlay(input_of(images[:num_positives], images[num_positives:], seed))
        expected = np.zeros((CANVAS[1], CANVAS[0], 3))
        for image, entry in zip(images, results['composite_sources'], strict=True):
            layer = np.empty_like(expected)
            layer[:] = (10, 90, 250)
            x1, y1, x2, y2 = entry['region']
            layer[y1:y2, x1:x2] = image['img']
            expected += entry['weight'] * layer
        assert results['img'].dtype == np.uint8
        assert np.abs(results['img'] - expected).max() <= 1
        weights = np.array([entry['weight'] for entry in results['composite_sources']])
        assert weights.sum() == pytest.approx(1)
        assert np.ptp(weights[:num_positives]) == 0
        assert num_negatives == 0 or np.ptp(weights[num_positives:]) == 0
        shares.append(weights[:num_positives].sum())
    if num_negatives:
        assert 0.3 <= min(shares) < 0.45 < 0.65 < max(shares) <= 0.8
    else:
        assert np.allclose(shares, 1)


def test_overlay_keeps_all_boxes_of_positives_and_none_of_negatives():
    overlay = OverlayComposite((CANVAS[0] + 9, CANVAS[1]))
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        positives = [scene(rng, i, 3)[0] for i in range(3)]
        negatives = [scene(rng, 9, 3)[0] for _ in range(2)]
        positives[1]['gt_ignore_flags'][0] = True
        results = overlay(input_of(positives, negatives, seed))
        expected = [
            (label, (box + np.tile(entry['offset'], 2)).tolist(), bool(is_ignored))
            for image, entry in zip(positives, results['composite_sources'][:3], strict=True)
            for label, box, is_ignored in zip(
                image['gt_bboxes_labels'].tolist(),
                image['gt_bboxes'].numpy(),
                image['gt_ignore_flags'],
                strict=True,
            )
        ]
        boxes = results['gt_bboxes'].numpy().tolist()
        flags = results['gt_ignore_flags'].tolist()
        labels = results['gt_bboxes_labels'].tolist()
        assert list(zip(labels, boxes, flags, strict=True)) == expected
        assert results['gt_masks'].masks.shape == (len(labels), CANVAS[1], CANVAS[0] + 9)
        for box, mask in zip(boxes, results['gt_masks'].masks, strict=True):
            assert bounds_of(mask) == box
            assert mask.sum() == (box[2] - box[0]) * (box[3] - box[1])


@pytest.fixture(params=[StitchComposite, OverlayComposite])
def composite(request):
    return request.param(img_scale=CANVAS)


def test_results_have_the_keys_and_types_that_stock_transforms_take(composite):
    rng = np.random.default_rng(0)
    positives = [scene(rng, i, 2)[0] for i in (3, 4)]
    results = composite(input_of(positives, [], seed=5))
    assert isinstance(results['gt_bboxes'], HorizontalBoxes)
    assert results['gt_bboxes'].dtype == torch.float32
    assert results['gt_bboxes_labels'].dtype == np.int64
    assert results['gt_ignore_flags'].dtype == bool
    assert isinstance(results['gt_masks'], BitmapMasks)
    assert results['img_shape'] == results['ori_shape'] == CANVAS[::-1]
    assert (results['scale_factor'], results['flip']) == ((1.0, 1.0), False)
    assert (results['img_id'], results['img_path']) == (3, '3.png')
    assert results['sample_idx'] == 5
    assert not {'positives', 'negatives'} & set(results)


def test_equal_generators_give_equal_composites_and_the_images_stay_as_they_were(composite):
    rng = np.random.default_rng(0)
    positives, negatives = ([scene(rng, i, 2)[0] for i in pair] for pair in ((0, 1), (2, 3)))
    before = copy.deepcopy(positives + negatives)
    first, second, other = (composite(input_of(positives, negatives, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first['img'], second['img'])
    assert torch.equal(first['gt_bboxes'].tensor, second['gt_bboxes'].tensor)
    assert (first['img'] != other['img']).any()
    for image, copied in zip(positives + negatives, before, strict=True):
        np.testing.assert_array_equal(image['img'], copied['img'])
        assert torch.equal(image['gt_bboxes'].tensor, copied['gt_bboxes'].tensor)
        np.testing.assert_array_equal(image['gt_masks'].masks, copied['gt_masks'].masks)


def test_positives_without_boxes_and_negatives_without_annotations_are_fine(composite):
    bare = dict(img=coded_image(1))
    results = composite(input_of([as_results(coded_image(0), 0)], [bare], 0))
    assert results['gt_bboxes'].tensor.shape == (0, 4)
    assert results['gt_bboxes_labels'].shape == results['gt_ignore_flags'].shape == (0,)
    assert 'gt_masks' not in results
    masks = BitmapMasks([], CANVAS[1], CANVAS[0])
    results = composite(input_of([as_results(coded_image(0), 0, gt_masks=masks)], [bare], 0))
    assert results['gt_masks'].masks.shape == (0, CANVAS[1], CANVAS[0])


def test_polygons_plain_boxes_and_grey_images_are_taken(composite):
    polygon = np.array([10.0, 20, 50, 20, 50, 60, 10, 60])
    masks = PolygonMasks([[polygon]], CANVAS[1], CANVAS[0])
    positive = dict(
        img=np.full(CANVAS[::-1], 77, dtype=np.uint8),
        gt_bboxes=np.array([[10, 20, 50, 60]], dtype=np.float32),
        gt_bboxes_labels=np.array([1]),
        gt_masks=masks,
    )
    results = composite(input_of([positive], [], 3))
    assert results['img'].shape == (CANVAS[1], CANVAS[0], 3)
    assert results['gt_ignore_flags'].tolist() == [False]
    (box,), (mask,) = results['gt_bboxes'].numpy(), results['gt_masks'].masks
    assert np.abs(np.array(bounds_of(mask)) - box).max() <= 2


def test_box_that_sticks_out_of_its_image_is_cut_to_it_first():
    positive = as_results(coded_image(0), 0, [-40, -40, 20, 20])
    results = OverlayComposite(CANVAS)(input_of([positive], [], 0))
    assert results['gt_bboxes'].numpy().tolist() == [[0, 0, 20, 20]]
    assert results['gt_ignore_flags'].tolist() == [False]


def test_box_whose_mask_is_cut_off_is_dropped_and_one_whose_mask_was_empty_stays():
    mask = np.zeros((CANVAS[1], CANVAS[0]), dtype=np.uint8)
    cornered = mask.copy()
    cornered[0, 0] = 1
    everywhere = [0, 0, *CANVAS]
    for masks, num_left in (([cornered], {0, 1}), ([mask], {1})):
        positive = as_results(
            coded_image(0), 0, everywhere, gt_masks=BitmapMasks(masks, *mask.shape)
        )
        lefts = set()
        for seed in SEEDS:
            results = natural_stitch(2, min_visible=0)(input_of([positive], [positive], seed))
            is_corner_shown = (
                results['composite_sources'][0]['region'][:2]
                == (results['composite_sources'][0]['offset'])
            )
            lefts.add(len(results['gt_bboxes']))
            assert len(results['gt_bboxes']) == len(results['gt_masks'])
            assert len(results['gt_bboxes']) == (is_corner_shown or masks[0] is mask)
        assert lefts <= num_left


@pytest.mark.parametrize('count', range(1, 40))
def test_grid_is_nearly_square_and_has_no_spare_row(count):
    smaller, larger = grid_shape(count)
    assert smaller * larger >= count
    assert 0 <= larger - smaller <= 1
    assert (smaller - 1) * larger < count


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (lambda r: r.update(positives=[]), ValueError, 'at least one positive'),
        (lambda r: r['positives'][0].pop('img'), KeyError, '"0.png" has no "img"'),
        (lambda r: r['negatives'][0].pop('img'), KeyError, '"2.png" has no "img"'),
        (
            lambda r: r['negatives'][0].update(img=np.zeros((5, 5, 3), np.float32)),
            TypeError,
            '"2.png": an image must be a uint8 .* behind the composite',
        ),
        (lambda r: r['positives'][1].pop('gt_bboxes'), KeyError, '"1.png" has no "gt_bboxes"'),
        (lambda r: r['positives'][1].pop('gt_masks'), ValueError, r"these do not: \['1.png'\]"),
    ],
)
def test_what_is_missing_or_wrong_is_named(composite, change, error, message):
    rng = np.random.default_rng(0)
    results = input_of([scene(rng, i, 2)[0] for i in (0, 1)], [scene(rng, 2, 0)[0]], 0)
    change(results)
    with pytest.raises(error, match=message):
        composite(results)


@pytest.mark.parametrize(
    ('cls', 'options'),
    [
        (StitchComposite, dict(img_scale=(0, 5))),
        (StitchComposite, dict(scale_range=(0, 1))),
        (StitchComposite, dict(scale_range=(2, 1))),
        (StitchComposite, dict(jitter=0.5)),
        (StitchComposite, dict(min_visible=1.1)),
        (OverlayComposite, dict(img_scale=(5, -1))),
        (OverlayComposite, dict(ratio_range=(0, 1))),
        (OverlayComposite, dict(ratio_range=(0.5, 1.2))),
        (OverlayComposite, dict(ratio_range=(0.7, 0.5))),
    ],
)
def test_options_outside_their_range_are_refused(cls, options):
    with pytest.raises(ValueError, match=f'{cls.__name__}: {next(iter(options))} must'):
        cls(**options)


def test_canvas_with_fewer_pixels_than_cells_is_refused():
    images = [as_results(coded_image(i), i) for i in range(9)]
    with pytest.raises(ValueError, match='side of 2 pixels is too short for 3 images'):
        StitchComposite(img_scale=(2, 2))(input_of(images, [], 0))
