import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
from several_targets import draw_ids, trio_and_pair
from torch.utils.data import DataLoader

from mmpolar.datasets import BoxTrackDataset, CocoTrackDataset, DavisDataset
from mmpolar.mining import NegativePairDataset
from mmpolar.mining.pool.negative_pair_dataset import KINDS
from mmpolar.registry import DATASETS
from mmpolar.utils.image import read_mask

STILL = dict(template_shift=0, template_scale=0, search_shift=0, search_scale=0)
LOAD, PACK = dict(type='LoadPairImages'), dict(type='PackPairInputs')
CROP = dict(type='CropPair', flip_prob=0.5)
#: Value of each object in the masks, and its grey in the images. Everything else is darker.
GREYS = {1: 250, 2: 200, 3: 150}
BACKGROUND = 60


@pytest.fixture(scope='module')
def videos(shared_data):
    """Three videos, in each of which up to three objects move, with images in their greys."""
    masks = {
        **trio_and_pair(),
        'gone': [draw_ids(*[(1, 100, 60, 20)] * (i < 3), (2, 20, 120, 16)) for i in range(5)],
    }
    root = shared_data.davis(masks)
    greys = np.full(256, BACKGROUND, np.uint8)
    for value, grey in GREYS.items():
        greys[value] = grey
    for name, frames in masks.items():
        for number, ids in enumerate(frames):
            path = root / f'JPEGImages/480p/{name}/{number:05d}.jpg'
            assert cv2.imwrite(str(path), cv2.merge([greys[ids]] * 3), [1, 100])
    return root


@pytest.fixture(scope='module')
def davis(videos):
    return DavisDataset(videos, multi_object=True)


@pytest.fixture(scope='module')
def coco(shared_data):
    """Six images of 40 x 60 px: two objects of class 1 in the first four, one of class 2 in the others."""
    corners = [(2, 2, 6, 5), (48, 30, 7, 6)]
    annotations = [
        dict(image_id=image, bbox=list(corner), category_id=1 if image < 5 else 2)
        for image in range(1, 7)
        for corner in corners[: 2 if image < 5 else 1]
    ]
    return CocoTrackDataset(shared_data.coco(annotations, 6))


@pytest.fixture(scope='module')
def boxes(shared_data):
    lines = ['3,4,10,12', '5,4,10,12', 'nan,nan,nan,nan', '9,4,10,12']
    return BoxTrackDataset(shared_data.boxes(dict.fromkeys(('u', 'v'), lines)))


def pool_of(*datasets, length=60, **options):
    return NegativePairDataset(list(datasets), length, **options)


def only(kind):
    return {kind: 1.0}


def fingerprint(pair):
    """Everything about a pair, the state of its generator included, as a comparable value."""
    sides = [
        {
            key: getattr(value, 'tolist', lambda v=value: v)()
            for key, value in vars(pair[side]).items()
        }
        for side in ('template', 'search')
    ]
    draw = pair['rng'].random()
    return sides, pair['label'], pair['kind'], pair['sample_idx'], pair['dataset_name'], draw


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('crop', [CROP, CROP | STILL, CROP | dict(rotate=30)])
def test_crops_never_show_the_templates_target(davis, kind, crop):
    """By the pixels: the template's target would be the only thing of its grey."""
    seen = Counter()
    for seed in range(3):
        pool = pool_of(davis, length=24, kinds=only(kind), seed=seed, pipeline=[LOAD, crop])
        for index in range(len(pool)):
            pair = pool[index]
            template, search = pair['template'], pair['search']
            assert pair['label'] == 0
            seen[pair['kind']] += 1
            if template.video != search.video:
                continue
            side = len(template.img) // 2
            grey = int(template.img[side, side, 0])
            assert min(abs(grey - known) for known in GREYS.values()) < 12
            inner = cv2.erode(search.img[..., 0], np.ones((5, 5)))
            outer = cv2.dilate(search.img[..., 0], np.ones((5, 5)))
            is_flat_grey = (np.abs(inner.astype(int) - grey) < 12) & (
                np.abs(outer.astype(int) - grey) < 12
            )
            assert not is_flat_grey.any()
            if pair['kind'] == 'distractor':
                assert search.mask.any()
                assert len(np.unique(search.mask)) == 2
    assert seen[kind] > 35


@pytest.mark.parametrize('kind', ['background', 'distractor'])
def test_mask_of_the_target_mapped_into_the_crop_is_empty(davis, kind):
    """With the annotation of the search frame, read on its own."""
    checked = 0
    for seed in range(8):
        pool = pool_of(davis, length=12, kinds=only(kind), seed=seed, pipeline=[LOAD, CROP])
        for index in range(len(pool)):
            pair = pool[index]
            if pair['search'].avoid is None:
                continue
            info = pool.get_data_info(index)
            target_id = _object_at(info['template_path'], info['template_box'])
            mask = (_ids_of(info['img_path']) == target_id).astype(np.uint8)
            assert mask.any()
            mapped = cv2.warpAffine(mask, pair['search'].matrix, (255, 255), flags=cv2.INTER_LINEAR)
            assert not mapped.any()
            checked += 1
    assert checked > 40


def _ids_of(image_path):
    """Object ids of a frame."""
    path = image_path.replace('JPEGImages', 'Annotations').replace('.jpg', '.png')
    return read_mask(path)


def _object_at(image_path, box):
    """Id of the object in the middle of a box."""
    x, y = ((box[:2] + box[2:]) / 2).astype(int)
    return _ids_of(image_path)[y, x]


def test_distractor_is_another_object_of_the_same_frame(davis):
    pool = pool_of(davis, kinds=only('distractor'), length=90, pipeline=[LOAD, CROP | STILL])
    same_frame = 0
    for index in range(len(pool)):
        info, pair = pool.get_data_info(index), pool.get_pair(index)
        if info['kind'] != 'distractor':
            continue
        same_frame += 1
        shown = _object_at(info['img_path'], pair['search'].box)
        avoided = _object_at(info['img_path'], pair['search'].avoid)
        assert shown != avoided
        assert avoided == _object_at(info['template_path'], info['template_box'])
        crop = pool[index]['search']
        assert crop.mask.any()
    assert same_frame > 60


def test_distractor_of_the_same_class_comes_from_another_image(coco):
    pool = pool_of(coco, kinds=only('distractor'), length=40)
    kinds = Counter()
    for index in range(len(pool)):
        pair = pool.get_pair(index)
        is_same = pair['template'].img_path == pair['search'].img_path
        image = int(pair['template'].img_path.rsplit('/', 1)[1][:-4])
        other = int(pair['search'].img_path.rsplit('/', 1)[1][:-4])
        assert (image < 5) == (other < 5)
        assert is_same == (pair['search'].avoid is not None)
        kinds[pair['kind'], is_same] += 1
    assert kinds['distractor', False] > 0
    assert kinds['distractor', True] > 0
    assert {kind for kind, _ in kinds} == {'distractor'}


def test_other_videos_never_share_an_image(davis, coco, boxes):
    pool = pool_of(davis, coco, boxes, kinds=only('other'), length=120, quotas=[1, 1, 1])
    for index in range(len(pool)):
        pair = pool.get_pair(index)
        assert pair['template'].video != pair['search'].video
        assert pair['search'].avoid is None


def test_videos_without_what_is_wanted_fall_back_and_are_counted(boxes, data, rectangle):
    distractors = pool_of(boxes, kinds=only('distractor'), length=12)
    assert distractors.count_kinds() == {'other': 12}
    assert {distractors.wanted_kind(i) for i in range(12)} == {'distractor'}
    filled = DavisDataset(data.davis({n: [rectangle(0, 0, 59, 39)] * 2 for n in 'ab'}))
    background = pool_of(filled, kinds=only('background'), length=10)
    assert background.count_kinds() == {'other': 10}


def test_background_of_boxes_without_masks(boxes):
    pool = pool_of(boxes, kinds=only('background'), length=40, pipeline=[LOAD, CROP, PACK])
    assert pool.count_kinds()['background'] > 20
    frames = {pool.get_data_info(i)['img_path'].rsplit('/', 1)[1] for i in range(40)}
    # In the third frame nobody knows where the target is.
    assert frames == {'0001.jpg', '0002.jpg', '0004.jpg'}
    assert pool[0]['data_samples'].search_gt_instances.labels.tolist() == [0]


def test_background_is_not_taken_where_the_target_may_be_hidden(davis):
    pool = pool_of(davis, kinds=only('background'), length=90)
    for index in range(len(pool)):
        info = pool.get_data_info(index)
        if info['kind'] == 'background':
            target = _object_at(info['template_path'], info['template_box'])
            assert (_ids_of(info['img_path']) == target).any()


def test_shares_of_the_kinds_are_exact_and_not_in_step_with_the_datasets(davis, coco):
    pool = pool_of(
        davis, coco, length=200, kinds=dict(other=2, background=1, distractor=1), quotas=[1, 1]
    )
    wanted = Counter((pool._dataset_of[i], pool.wanted_kind(i)) for i in range(200))
    assert {kind: sum(wanted[d, kind] for d in (0, 1)) for kind in KINDS} == {
        'other': 100,
        'distractor': 50,
        'background': 50,
    }
    assert min(wanted[d, kind] for d in (0, 1) for kind in KINDS) > 12


def test_pool_depends_on_seed_and_index_alone(davis, coco):
    one, again = (pool_of(davis, coco, pipeline=[fingerprint]) for _ in range(2))
    reseeded = pool_of(davis, coco, pipeline=[fingerprint], seed=1)
    forwards = [one[i] for i in range(60)]
    assert forwards == [again[i] for i in reversed(range(60))][::-1]
    assert sum(a == reseeded[i] for i, a in enumerate(forwards)) == 0
    assert one.negative_keys() == again.negative_keys()
    copied = pickle.loads(pickle.dumps(pool_of(davis, coco)))
    assert copied.negative_keys() == one.negative_keys()


@pytest.mark.parametrize('num_workers', [1, 2])
def test_pool_is_the_same_in_any_worker(davis, coco, num_workers):
    def crops(workers):
        pool = pool_of(davis, coco, length=30, pipeline=[LOAD, CROP, PACK])
        loader = DataLoader(pool, batch_size=4, num_workers=workers, collate_fn=list)
        return [item for batch in loader for item in batch]

    for alone, item in zip(crops(0), crops(num_workers), strict=True):
        for key in ('img', 'search_img'):
            np.testing.assert_array_equal(alone['inputs'][key], item['inputs'][key])
        infos = [(s['data_samples'].img_path, s['data_samples'].search_img_path)
                 for s in (alone, item)]  # fmt: skip
        assert infos[0] == infos[1]


def test_another_pipeline_shows_the_same_pairs(davis):
    """The pool that is scored and the pool that is trained differ in their pipelines."""
    trained = pool_of(davis, pipeline=[LOAD, CROP])
    scored = pool_of(davis, pipeline=[LOAD, CROP | STILL, PACK])
    assert trained.negative_keys() == scored.negative_keys()
    for index in range(0, 60, 7):
        assert trained[index]['search'].img_path == scored[index]['data_samples'].search_img_path


def test_keys_are_distinct_and_name_what_is_shown(davis, coco):
    pool = pool_of(davis, coco)
    keys = pool.negative_keys()
    assert len(set(keys)) == 60
    for index, key in enumerate(keys):
        info = pool.get_data_info(index)
        assert key == info['img_id']
        for part in (info['kind'], info['template_path'], info['img_path']):
            assert part in key
        assert ','.join(f'{v:.1f}' for v in info['region'].tolist()) in key
    assert sum(pool.count_kinds().values()) == 60


def test_pair_whose_mask_cannot_be_read_has_a_key_that_says_so(data, rectangle):
    root = data.davis({name: [rectangle(5, 5, 12, 12)] * 2 for name in 'ab'})
    pool = pool_of(DavisDataset(root), kinds=only('other'), length=8)
    before = pool.negative_keys()
    (root / 'Annotations/480p/a/00000.png').write_bytes(b'')
    keys = pool_of(DavisDataset(root), kinds=only('other'), length=8).negative_keys()
    broken = [i for i in range(8) if keys[i] != before[i]]
    assert 0 < len(broken) < 8
    assert all('unreadable' in keys[i] and 'a/00000.png' in keys[i] for i in broken)


def test_registry_builds_a_pool_from_configs(davis):
    config = dict(
        type='NegativePairDataset',
        datasets=[dict(type='DavisDataset', data_root=davis.data_root, multi_object=True)],
        length=8,
        pipeline=[LOAD, CROP | STILL, PACK],
        lazy_init=True,
    )
    pool = DATASETS.build(config)
    assert len(pool) == 8
    item = pool[3]
    assert item['inputs']['search_img'].shape == (1, 3, 255, 255)
    assert item['data_samples'].search_gt_instances.labels.tolist() == [0]
    assert pool.metainfo['classes'] == ('target',)


def test_single_video_without_anything_else_is_a_clear_error(data, rectangle):
    root = data.davis({'solo': [rectangle(0, 0, 59, 39)] * 2})
    pool = pool_of(DavisDataset(root), length=2)
    with pytest.raises(RuntimeError, match='no video other than that of "solo".*"other"'):
        pool.get_pair(0)


@pytest.mark.parametrize('index', [-1, 60])
def test_index_outside_the_pool_is_refused(davis, index):
    with pytest.raises(IndexError, match=str(index)):
        pool_of(davis)[index]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(length=0), 'length must be at least 1, got 0'),
        (dict(kinds=dict(sky=1)), r"kinds has \['sky'\]"),
        (dict(kinds=dict(other=-1, background=2)), 'kinds must be shares'),
        (dict(kinds=dict(other=0)), 'kinds must be shares'),
        (dict(kinds={}), 'kinds must be shares'),
        (dict(search_size=127), 'search_size must exceed'),
        (dict(seed=-1), 'seed must be at least 0'),
        (dict(quotas=[1, 2]), 'quotas must be 1 positive'),
    ],
)
def test_bad_options(davis, options, message):
    with pytest.raises(ValueError, match=message):
        pool_of(davis, **options)
