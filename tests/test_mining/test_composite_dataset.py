import json
import pickle
import random
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader, Dataset

from mmpolar.datasets.base_pair_dataset import MAX_ATTEMPTS
from mmpolar.datasets.samplers import EpochPairSampler
from mmpolar.datasets.samplers.epoch_pair_sampler import epoch_indices, shard
from mmpolar.mining import CompositeDataset
from mmpolar.registry import DATASETS

NUM_POSITIVES, NUM_NEGATIVES = 5, 9
#: Green value of the object of each class; the background of positives is black.
CLASS_COLOURS = (100, 220)
#: Red value of all pixels of negatives.
NEGATIVE_COLOUR = 255


class Items(Dataset):
    """A dataset in memory whose items are functions of their index."""

    metainfo = dict(classes=('thing',))

    def __init__(self, length, make=lambda i: dict(img_path=f'{i}')):
        self.length = length
        self.make = make

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        assert 0 <= index < self.length
        return self.make(index)

    def get_data_info(self, index):
        return dict(img_path=f'{index}')


def names(results):
    """Which images a composite is made of."""
    return tuple(
        tuple(int(image['img_path']) for image in results[kind])
        for kind in ('positives', 'negatives')
    )


@pytest.fixture
def numbered():
    """Function that makes a dataset of which an item tells the numbers of its images."""

    def make(num_positives=7, num_negatives=11, **options):
        defaults = dict(num_composites=10, pipeline=[names])
        return CompositeDataset(Items(num_positives), Items(num_negatives), **(defaults | options))

    return make


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A COCO data set of coloured rectangles, and a folder of negatives."""
    root = tmp_path_factory.mktemp('pools')
    (root / 'positives').mkdir()
    (root / 'negatives').mkdir()
    images, annotations = [], []
    for i in range(NUM_POSITIVES):
        canvas = np.zeros((80, 120, 3), dtype=np.uint8)
        for label, x in enumerate((10 + 3 * i, 70 - 3 * i)):
            x1, y1, x2, y2 = x, 20 + 4 * i, x + 25, 45 + 4 * i
            canvas[y1:y2, x1:x2, 1] = CLASS_COLOURS[label]
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=i,
                    category_id=label + 1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                    segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
                )
            )
        cv2.imwrite(str(root / f'positives/{i}.png'), canvas)
        images.append(dict(id=i, file_name=f'{i}.png', width=120, height=80))
    categories = [dict(id=1, name='knife'), dict(id=2, name='gun')]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / 'annotations.json').write_text(json.dumps(content))
    for i in range(NUM_NEGATIVES):
        canvas = np.zeros((60 + i, 90, 3), dtype=np.uint8)
        canvas[..., 0], canvas[..., 2] = 20 * i, NEGATIVE_COLOUR
        cv2.imwrite(str(root / f'negatives/{i}.png'), canvas)
    return root


def detection_config(root, composite='StitchComposite', **options):
    """Composites for a detector, by MMDetection's own dataset and transforms."""
    loading = [
        dict(type='LoadImageFromFile'),
        dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='mmdet.RandomFlip', prob=0.5),
    ]
    finish = [
        dict(type='mmdet.Resize', scale=(128, 96), keep_ratio=True),
        dict(type='mmdet.RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
        dict(type='mmdet.Pad', size=(128, 128), pad_val=dict(img=(114, 114, 114))),
        dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=True),
        dict(type='mmdet.PackDetInputs'),
    ]
    return (
        dict(
            type='CompositeDataset',
            positives=dict(
                type='mmdet.CocoDataset',
                data_root=str(root),
                ann_file='annotations.json',
                data_prefix=dict(img='positives'),
                metainfo=dict(classes=('knife', 'gun')),
                filter_cfg=dict(filter_empty_gt=True),
                pipeline=loading,
            ),
            negatives=dict(
                type='ImageFolderDataset',
                data_root=str(root),
                data_prefix=dict(img='negatives'),
                pipeline=[*loading],
            ),
            pipeline=[dict(type=composite, img_scale=(160, 120)), *finish],
            num_composites=12,
        )
        | options
    )


def loaded(dataset, epochs=1, publish=None, **options):
    """Batches of some epochs, as bytes; before each epoch something may be published."""
    sampler = EpochPairSampler(dataset, seed=3)
    loader = DataLoader(
        dataset, batch_size=3, sampler=sampler, collate_fn=pseudo_collate, **options
    )
    answer = []
    for epoch in range(epochs):
        if publish is not None:
            dataset.mined.publish(publish[epoch], epoch + 1)
        sampler.set_epoch(epoch)
        answer.append([fingerprint(batch, i) for batch in loader for i in range(3)])
    return answer


def fingerprint(batch, i):
    sample = batch['data_samples'][i]
    instances = sample.gt_instances
    return (
        batch['inputs'][i].numpy().tobytes(),
        instances.bboxes.numpy().tobytes(),
        instances.labels.tolist(),
        instances.masks.masks.tobytes(),
        sample.img_path,
    )


@pytest.mark.parametrize('composite', ['StitchComposite', 'OverlayComposite'])
def test_stock_datasets_and_transforms_keep_boxes_on_their_objects(folder, composite):
    dataset = DATASETS.build(detection_config(folder, composite))
    assert len(dataset) == 12
    assert dataset.metainfo['classes'] == ('knife', 'gun')
    num_boxes = 0
    for index in range(40):
        item = dataset[index]
        image = item['inputs']
        instances = item['data_samples'].gt_instances
        assert (image.dtype, image.shape) == (torch.uint8, (3, 128, 128))
        assert (instances.labels.dtype, instances.bboxes.dtype) == (torch.int64, torch.float32)
        assert len(instances.masks) == len(instances.labels) > 0
        for box, label, mask in zip(
            instances.bboxes.tensor, instances.labels, instances.masks.masks, strict=True
        ):
            x1, y1, x2, y2 = box.tolist()
            assert 0 <= x1 < x2 <= 128
            assert 0 <= y1 < y2 <= 128
            assert np.abs(np.array(bounds_of(mask)) - box.numpy()).max() <= 2
            if composite == 'StitchComposite':
                inside = image[:, int(y1) + 2 : int(y2) - 2, int(x1) + 2 : int(x2) - 2]
                assert torch.all((inside[1] - CLASS_COLOURS[label]).abs() <= 1)
                assert torch.all(inside[2] <= 1)
            num_boxes += 1
    assert num_boxes >= 80


def bounds_of(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize(
    ('method', 'num_workers'),
    [('fork', 1), ('fork', 2), ('spawn', 1), pytest.param('spawn', 2, marks=pytest.mark.slow)],
)
def test_composites_do_not_depend_on_workers_and_persistent_ones_see_new_picks(
    folder, method, num_workers
):
    config = detection_config(folder)
    # These draw from the global generators, a new number for each image.
    config['negatives']['pipeline'].append(dict(type='mmdet.YOLOXHSVRandomAug'))
    config['pipeline'].insert(1, dict(type='mmdet.PhotoMetricDistortion'))
    picks = [[0, 1, 2], [8, 7]]

    def run(**options):
        return loaded(DATASETS.build(config), 2, picks, **options)

    expected = run(num_workers=0)
    assert len({item[0] for epoch in expected for item in epoch}) == 24
    in_workers = run(
        num_workers=num_workers, multiprocessing_context=method, persistent_workers=True
    )
    assert in_workers == expected


def test_picks_alone_are_shown_from_the_epoch_after_they_were_published(folder):
    config = detection_config(folder, num_positives=1, num_negatives=3)
    config['pipeline'] = [dict(type='StitchComposite', img_scale=(80, 60)), sources]
    dataset = DATASETS.build(config)
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=EpochPairSampler(dataset, seed=0),
        num_workers=2,
        persistent_workers=True,
        collate_fn=list,
        multiprocessing_context='fork',
    )
    for epoch, picks in enumerate(([4], [0, 1], [8, 2, 3])):
        dataset.mined.publish(picks, epoch + 1)
        loader.sampler.set_epoch(epoch)
        shown = {number for batch in loader for item in batch for number in item}
        assert shown == set(picks)


def sources(results):
    """Numbers of the negatives in a composite."""
    entries = [entry for entry in results['composite_sources'] if entry['is_negative']]
    return [int(entry['img_path'].split('/')[-1].split('.')[0]) for entry in entries]


def test_dataset_survives_pickling_with_its_picks(folder):
    dataset = DATASETS.build(detection_config(folder))
    dataset.mined.publish([3], 1)
    copied = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copied[5]['inputs'], dataset[5]['inputs'])


def global_states():
    return (
        random.getstate(),
        [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        torch.get_rng_state().tolist(),
    )


def draw_globally(_):
    return (random.random(), float(np.random.rand()), float(torch.rand(1)))  # noqa: NPY002


def test_global_generators_are_seeded_inside_and_untouched_outside():
    dataset = CompositeDataset(Items(3, draw_globally), Items(3, draw_globally), num_composites=4)
    random.seed(7)
    before = global_states()
    items = [dataset[i] for i in range(4)]
    assert global_states() == before
    draws = [draw for item in items for kind in ('positives', 'negatives') for draw in item[kind]]
    assert len(set(np.ravel(draws))) == 48
    random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    again = [dataset[i] for i in range(4)]
    assert [item['positives'] for item in again] == [item['positives'] for item in items]
    assert [item['negatives'] for item in again] == [item['negatives'] for item in items]


def test_global_generators_are_untouched_by_an_item_that_fails():
    dataset = CompositeDataset(Items(3, fail), Items(3), num_composites=4)
    before = global_states()
    with pytest.raises(RuntimeError, match='positive "'):
        dataset[0]
    assert global_states() == before


def fail(index):
    raise OSError(f'cannot read {index}')


def test_items_depend_on_seed_round_and_index_alone(numbered):
    first, second = numbered(), numbered()
    for dataset in (first, second):
        dataset.mined.publish(range(11), 1)
    forwards = [first[i] for i in range(60)]
    assert forwards == [second[i] for i in reversed(range(60))][::-1]
    assert first[np.int64(7)] == first[7]
    first.mined.publish(range(11), 2)
    assert [first[i] for i in range(60)] != forwards
    assert [numbered(seed=1)[i] for i in range(60)] != [numbered()[i] for i in range(60)]


def test_generator_of_an_item_differs_with_index_round_and_seed():
    def draws(dataset):
        return [dataset[i] for i in range(5)]

    def make(seed):
        pipeline = [lambda results: results['rng'].random()]
        return CompositeDataset(
            Items(2), Items(2), pipeline, num_composites=2, seed=seed, mined_share=0
        )

    dataset, other = make(0), make(1)
    unmined = draws(dataset)
    dataset.mined.publish([0], 1)
    assert len({*unmined, *draws(dataset), *draws(other)}) == 15


@pytest.mark.parametrize(('num_positives', 'num_negatives'), [(1, 0), (1, 3), (2, 2), (3, 1)])
def test_positives_and_negatives_are_used_equally_often(numbered, num_positives, num_negatives):
    dataset = numbered(num_positives=7, num_negatives=11)
    dataset = CompositeDataset(
        dataset.positives,
        dataset.negatives,
        [names],
        num_composites=77,
        num_positives=num_positives,
        num_negatives=num_negatives,
    )
    for epoch in range(2):
        items = [dataset[77 * epoch + i] for i in range(77)]
        assert {(len(p), len(n)) for p, n in items} == {(num_positives, num_negatives)}
        positives = Counter(number for item in items for number in item[0])
        negatives = Counter(number for item in items for number in item[1])
        assert positives == dict.fromkeys(range(7), 11 * num_positives)
        assert negatives == (dict.fromkeys(range(11), 7 * num_negatives) if num_negatives else {})


def test_picks_are_used_equally_often_and_nothing_else_is(numbered):
    dataset = numbered(num_composites=15)
    dataset.mined.publish([9, 2, 5], 1)
    used = Counter(number for i in range(15) for number in dataset[i][1])
    assert used == {9: 10, 2: 10, 5: 10}
    dataset.mined.clear()
    assert len({number for i in range(15) for number in dataset[i][1]}) == 11


def test_walks_are_shuffled_anew_in_each_tour(numbered):
    dataset = numbered(num_composites=7)
    tours = [tuple(n for i in range(7) for n in dataset[7 * k + i][0]) for k in range(20)]
    assert len({*tours}) == 20


@pytest.mark.parametrize(('share', 'low', 'high'), [(0, 0, 0), (0.7, 0.65, 0.75), (1, 1, 1)])
def test_mined_share_is_the_share_of_picks(numbered, share, low, high):
    dataset = numbered(num_negatives=10000, mined_share=share)
    dataset.mined.publish([17], 1)
    drawn = [number for i in range(1000) for number in dataset[i][1]]
    assert low <= np.mean([number == 17 for number in drawn]) <= high + 0.001


def test_each_mining_round_has_its_share_and_the_last_one_stays(numbered):
    dataset = numbered(num_negatives=10000, mined_share=(1.0, 0.3))
    for number, (low, high) in {1: (1, 1), 2: (0.25, 0.35), 3: (0.25, 0.35)}.items():
        dataset.mined.publish([17], number)
        drawn = [number for i in range(1000) for number in dataset[i][1]]
        assert low <= np.mean([number == 17 for number in drawn]) <= high


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_out_the_composites_of_one_rank(numbered, world_size):
    dataset = numbered(num_composites=60)
    order = epoch_indices(60, epoch=2, seed=1)
    whole = {int(i): dataset[i] for i in order}
    parts = [
        {int(i): numbered(num_composites=60)[i] for i in shard(order, rank, world_size)}
        for rank in range(world_size)
    ]
    assert sum(len(part) for part in parts) == 60
    assert {index: item for part in parts for index, item in part.items()} == whole


def test_index_beyond_the_length_is_a_later_epoch_and_a_negative_one_is_refused(numbered):
    dataset = numbered()
    assert len(dataset) == 10
    assert [dataset[10 + i] for i in range(10)] != [dataset[i] for i in range(10)]
    assert dataset[10**9] == dataset[10**9]
    with pytest.raises(IndexError, match='composite index must be at least 0, got -1'):
        dataset[-1]


def test_positives_whose_index_carries_the_epoch_get_one_that_does():
    class Endless(Items):
        index_carries_epoch = True

        def __getitem__(self, index):
            return dict(img_path=f'{index}')

    dataset = CompositeDataset(
        Endless(4), None, [names], num_composites=4, num_positives=2, num_negatives=0
    )
    for tour in range(6):
        drawn = [number for i in range(2) for number in dataset[2 * tour + i][0]]
        assert sorted(drawn) == list(range(4 * tour, 4 * tour + 4))


@pytest.fixture
def damaged(folder, tmp_path):
    """Function that makes a dataset whose negatives are damaged in different ways, save some."""
    for i in range(NUM_NEGATIVES):
        (tmp_path / f'{i}.png').write_bytes((folder / f'negatives/{i}.png').read_bytes())

    def make(num_good=NUM_NEGATIVES - 3, **options):
        config = detection_config(folder, **options)
        config['negatives']['data_root'] = str(tmp_path)
        config['negatives']['data_prefix'] = dict(img='')
        config['pipeline'] = [dict(type='StitchComposite', img_scale=(80, 60)), sources]
        dataset = DATASETS.build(config)
        damages = [
            lambda path: path.write_bytes(b''),
            lambda path: path.write_bytes(b'no image'),
            lambda path: path.unlink(),
        ]
        for i in range(num_good, NUM_NEGATIVES):
            damages[i % 3](tmp_path / f'{i}.png')
        return dataset

    return make


@pytest.fixture
def warnings(tmp_path):
    """Function that gives the lines about unreadable images in the log so far."""
    file = tmp_path / 'log.txt'
    MMLogger.get_instance(f'test_{tmp_path.name}', log_file=str(file))
    return lambda: [line for line in file.read_text().splitlines() if 'cannot be read' in line]


def test_unreadable_negative_is_replaced_and_named_once(damaged, warnings):
    dataset = damaged()
    items = [dataset[i] for i in range(30)]
    assert {len(item) for item in items} == {2}
    assert {number for item in items for number in item} == set(range(6))
    named = {line.split('negative "')[1].split('"')[0].split('/')[-1] for line in warnings()}
    assert named == {'6.png', '7.png', '8.png'}
    assert len(warnings()) == 3


def test_workers_of_later_epochs_do_not_repeat_a_warning(damaged, warnings):
    dataset = damaged()
    for _ in range(2):
        loader = DataLoader(
            dataset, batch_size=6, num_workers=1, collate_fn=list, multiprocessing_context='fork'
        )
        items = [item for batch in loader for item in batch]
        assert len(warnings()) == 3
    assert items == [dataset[i] for i in range(12)]
    assert len(warnings()) == 3


def test_replacements_of_unreadable_picks_are_picks(damaged):
    dataset = damaged()
    dataset.mined.publish([7, 2, 8, 4], 1)
    assert {number for i in range(20) for number in dataset[i]} == {2, 4}


def test_pool_without_a_readable_image_ends_with_an_error(damaged):
    dataset = damaged(num_good=0)
    message = f'{MAX_ATTEMPTS} negatives in a row were not readable; the last of them: negative "'
    with pytest.raises(RuntimeError, match=message):
        dataset[0]


def test_faults_of_a_pipeline_are_not_taken_for_unreadable_images():
    def faulty(index):
        raise TypeError('unexpected argument')

    dataset = CompositeDataset(Items(3), Items(3, faulty), num_composites=4)
    with pytest.raises(TypeError, match='unexpected argument'):
        dataset[0]


def test_unreadable_positive_is_named(folder, tmp_path):
    config = detection_config(folder)
    config['positives']['data_prefix'] = dict(img=str(tmp_path))
    with pytest.raises(RuntimeError, match=rf'positive "{tmp_path}/\d.png" cannot be read'):
        DATASETS.build(config)[0]


def test_images_whose_pipeline_gives_none_are_redrawn():
    def odd(index):
        return dict(img_path=f'{index}') if index % 2 else None

    dataset = CompositeDataset(Items(6, odd), Items(6, odd), [names], num_composites=4)
    drawn = [dataset[i] for i in range(30)]
    assert {number for item in drawn for kind in item for number in kind} == {1, 3, 5}
    assert drawn == [dataset[i] for i in range(30)]
    never = CompositeDataset(Items(6, lambda i: None), Items(6), [names], num_composites=4)
    with pytest.raises(RuntimeError, match=f'positives gave None for {MAX_ATTEMPTS} images'):
        never[0]


def test_composites_whose_pipeline_gives_none_are_redrawn_with_other_images():
    def only_even(results):
        numbers = names(results)
        return None if any(n % 2 for n in numbers[0]) else numbers

    dataset = CompositeDataset(Items(6), Items(6), [only_even], num_composites=4, num_positives=1)
    assert {dataset[i][0] for i in range(40)} == {(0,), (2,), (4,)}
    never = CompositeDataset(Items(6), Items(6), [lambda results: None], num_composites=4)
    with pytest.raises(
        RuntimeError, match=f'composite 3: the pipeline gave None for {MAX_ATTEMPTS}'
    ):
        never[3]


def test_negatives_are_named_by_path_or_id(folder, numbered):
    dataset = DATASETS.build(detection_config(folder))
    expected = [str(folder / f'negatives/{i}.png') for i in range(NUM_NEGATIVES)]
    assert dataset.negative_keys() == expected
    assert dataset.mined.capacity == NUM_NEGATIVES

    class ById(Items):
        def get_data_info(self, index):
            return dict(img_id=100 + index)

    assert CompositeDataset(Items(2), ById(2), num_composites=1).negative_keys() == ['100', '101']
    ById.get_data_info = lambda self, index: {}
    nameless = CompositeDataset(Items(2), ById(2), num_composites=1)
    with pytest.raises(KeyError, match='neither "img_path" nor "img_id"'):
        nameless.negative_keys()
    with pytest.raises(TypeError, match='list has no get_data_info'):
        CompositeDataset(Items(2), [1, 2], num_composites=1).negative_keys()


def test_lazy_dataset_is_indexed_when_needed(folder, tmp_path):
    config = detection_config(folder, lazy_init=True)
    config['positives']['lazy_init'] = config['negatives']['lazy_init'] = True
    dataset = DATASETS.build(config)
    assert len(dataset) == 12
    assert dataset.mined.capacity == NUM_NEGATIVES
    eager = DATASETS.build(detection_config(folder))
    assert torch.equal(dataset[1]['inputs'], eager[1]['inputs'])


def test_without_negatives_none_are_needed(numbered):
    dataset = CompositeDataset(Items(3), None, [names], num_composites=4, num_negatives=0)
    assert {dataset[i][1] for i in range(8)} == {()}
    assert (dataset.mined.capacity, dataset.negative_keys()) == (0, [])


@pytest.mark.parametrize(
    ('positives', 'negatives', 'message'),
    [
        (Items(3), Items(0), 'negatives: Items has no image; check its paths or set num_neg'),
        (Items(0), Items(3), 'positives: Items has no image'),
        (Items(3), None, 'num_negatives=2 needs a dataset of negatives'),
    ],
)
def test_empty_pool_is_refused(positives, negatives, message):
    with pytest.raises(ValueError, match=message):
        CompositeDataset(positives, negatives, num_composites=4)


def test_empty_folder_of_negatives_is_refused(folder, tmp_path):
    config = detection_config(folder)
    config['negatives']['data_root'] = str(tmp_path)
    config['negatives']['data_prefix'] = dict(img='')
    with pytest.raises(ValueError, match=f'image folder "{tmp_path}" has no image'):
        DATASETS.build(config)


@pytest.mark.parametrize(
    'options',
    [
        dict(num_composites=0),
        dict(num_positives=0),
        dict(num_negatives=-1),
        dict(mined_share=1.5),
        dict(mined_share=(0.5, -0.1)),
        dict(mined_share=()),
        dict(seed=-1),
    ],
)
def test_options_outside_their_range_are_refused(options):
    with pytest.raises(ValueError, match=f'{next(iter(options))} must'):
        CompositeDataset(Items(3), Items(3), **(dict(num_composites=4) | options))


def test_positives_without_a_single_box_are_refused(folder):
    config = detection_config(folder)
    config['positives'] |= dict(metainfo=dict(classes=('spoon',)), filter_cfg=None)
    with pytest.raises(ValueError, match=r'none of the \d+ positives has a box.*metainfo\.classes'):
        DATASETS.build(config)


def test_excluded_negatives_are_shown_no_more(numbered):
    dataset = numbered(num_composites=40, mined_share=0.5)
    dataset.mined.exclude([0, 3, 10])
    dataset.mined.publish([5, 6], 1)
    shown = {negative for index in range(40) for negative in dataset[index][1]}
    assert shown == set(range(11)) - {0, 3, 10}
    again = pickle.loads(pickle.dumps(dataset.mined))
    assert np.flatnonzero(again.excluded).tolist() == [0, 3, 10]
    dataset.mined.exclude(range(11))
    with pytest.raises(RuntimeError, match='all 11 negatives are excluded'):
        [dataset[index] for index in range(10)]
    dataset.mined.exclude([])
    assert not dataset.mined.excluded.any()
    with pytest.raises(ValueError, match='is not in the pool'):
        dataset.mined.exclude([11])
