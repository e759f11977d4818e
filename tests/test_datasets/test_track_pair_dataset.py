from collections import Counter

import numpy as np
import pytest
from torch.utils.data import DataLoader

from mmpolar.datasets import BoxTrackDataset, CocoTrackDataset, DavisDataset, TrackPairDataset
from mmpolar.datasets.base_pair_dataset import apportion, interleave
from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.samplers import EpochPairSampler
from mmpolar.datasets.samplers.epoch_pair_sampler import epoch_indices, shard
from mmpolar.registry import DATASETS
from mmpolar.utils.image import ImageReadError


@pytest.fixture(scope='module')
def davis(shared_data, rectangle):
    two = [rectangle(30 - i, 20, 39, 25, 2, rectangle(3 + i, 4, 12, 9)) for i in range(6)]
    gap = [rectangle(i, i, 20 + i, 9) if i % 2 == 0 else np.zeros((40, 60)) for i in range(5)]
    return DavisDataset(
        shared_data.davis({'two': two, 'gap': gap}), multi_object=True, serialize_data=False
    )


@pytest.fixture(scope='module')
def boxes(shared_data):
    lines = ['0,0,0,0', '3,4,10,12', '5,4,10,12', 'nan,nan,nan,nan', '9,4,10,12']
    return BoxTrackDataset(shared_data.boxes(dict.fromkeys(('u', 'v'), lines)))


@pytest.fixture(scope='module')
def coco(shared_data):
    polygon = [10, 5, 30, 5, 30, 25, 10, 25]
    boxes = [dict(image_id=1 + i // 3, bbox=[10, 5, 20, 20]) for i in range(9)]
    return CocoTrackDataset(
        shared_data.coco([b | dict(segmentation=[polygon]) for b in boxes], 3), serialize_data=False
    )


def fingerprint(pair):
    """Everything about a pair, the state of its generator included, as a comparable value."""
    views = [pair['template'], pair['search']]
    masks = [None if v.mask is None else v.mask.tobytes() for v in views]
    paths = [v.img_path for v in views]
    boxes = [v.box.tobytes() for v in views]
    draw = pair['rng'].random()
    return (paths, boxes, masks, pair['label'], pair['sample_idx'], pair['dataset_name'], draw)


@pytest.fixture
def mixed(davis, boxes, coco):
    def make(**options):
        defaults = dict(samples_per_epoch=50, negative_prob=0.3, pipeline=[fingerprint])
        return TrackPairDataset([davis, boxes, coco], **(defaults | options))

    return make


def test_results_have_the_keys_and_types_of_the_contract(mixed):
    pairs = [mixed(pipeline=[]).get_pair(i) for i in range(50)]
    for index, pair in enumerate(pairs):
        assert set(pair) == {
            'template',
            'search',
            'label',
            'rng',
            'sample_idx',
            'dataset_name',
            'track',
        }
        assert pair['sample_idx'] == index
        assert pair['dataset_name'] in {'davis', 'boxes', 'coco'}
        assert isinstance(pair['rng'], np.random.Generator)
        for view in (pair['template'], pair['search']):
            assert isinstance(view, PairSide)
            assert view.img is None
            assert (view.box.shape, view.box.dtype) == ((4,), np.float32)
            assert (view.mask is None) == ('/boxes/' in view.img_path)
    assert {pair['label'] for pair in pairs} == {0, 1}


def test_pair_depends_on_seed_and_index_alone(mixed):
    one, other, reseeded = mixed(), mixed(), mixed(seed=1)
    forwards = [one[i] for i in range(100)]
    backwards = [other[i] for i in reversed(range(100))][::-1]
    assert forwards == backwards
    assert (
        sum(a == b for a, b in zip(forwards, (reseeded[i] for i in range(100)), strict=True)) == 0
    )


def test_pair_knows_its_track(mixed):
    """Also where the scheduled track has no target and another one takes its turn."""
    pairs = mixed(pipeline=[])
    for index in range(100):
        pair = pairs.get_pair(index)
        number, track_id = pair['track']
        track = pairs.datasets[number].get_track(track_id)
        assert pair['template'].img_path in track.frames
        target = pairs.datasets[number].read_target(
            track, track.frames.index(pair['template'].img_path)
        )
        np.testing.assert_array_equal(target.box, pair['template'].box)


def test_scheduled_pair_is_the_pair_of_its_track(mixed):
    scheduled, pairs = mixed(pipeline=[]), mixed()
    for index in range(100):
        track = scheduled.get_pair(index)['track']
        assert pairs.pair_of(track, index) == pairs[index] == mixed().pair_of(track, index)


def test_pairs_of_a_track_go_through_its_frames(davis):
    pairs = TrackPairDataset([davis, davis], samples_per_epoch=50, negative_prob=0)
    [track_id] = [i for i in range(davis.num_videos) if len(davis.get_track(i).frames) == 5]
    frames = set()
    for index in range(100):
        pair = pairs.pair_of((1, track_id), index)
        assert (pair['track'], pair['sample_idx']) == ((1, track_id), index)
        frames |= {pair['template'].img_path, pair['search'].img_path}
    # The target shows in every other one.
    assert frames == set(davis.get_track(track_id).frames[::2])


@pytest.mark.parametrize('persistent', [False, True])
def test_pairs_do_not_depend_on_workers(mixed, persistent):
    def epochs(num_workers):
        dataset = mixed()
        loader = DataLoader(
            dataset,
            batch_size=4,
            sampler=EpochPairSampler(dataset, seed=3),
            num_workers=num_workers,
            collate_fn=list,
            persistent_workers=persistent and num_workers > 0,
        )
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            yield [pair for batch in loader for pair in batch]

    alone, in_workers = list(epochs(0)), list(epochs(2))
    assert alone == in_workers
    assert len(alone[0]) == 50
    assert not {pair[-1] for pair in alone[0]} & {pair[-1] for pair in alone[1]}


@pytest.mark.parametrize('world_size', [2, 5])
def test_pairs_of_an_epoch_do_not_depend_on_the_split_over_ranks(mixed, world_size):
    dataset = mixed()
    order = epoch_indices(50, epoch=1, seed=3)
    together = [dataset[i] for i in order]
    parts = [[mixed()[i] for i in shard(order, r, world_size)] for r in range(world_size)]
    interleaved = [pair for group in zip(*parts, strict=True) for pair in group]
    assert interleaved == together


def test_plain_indices_work_with_a_default_loader(mixed):
    dataset = mixed()
    pairs = [pair for (pair,) in DataLoader(dataset, batch_size=1, collate_fn=list)]
    assert pairs == [dataset[i] for i in range(50)]
    assert dataset[np.int64(7)] == dataset[7]


def test_resumed_epoch_equals_that_of_the_unbroken_run(mixed):
    def run(first_epoch):
        dataset = mixed()
        sampler = EpochPairSampler(dataset, seed=5)
        for epoch in range(first_epoch, 3):
            sampler.set_epoch(epoch)
            yield [dataset[i] for i in sampler]

    assert list(run(0))[2] == list(run(2))[0]


def test_quotas_are_exact_in_every_epoch(mixed):
    dataset = mixed(samples_per_epoch=40, quotas=[5, 2, 1], pipeline=[])
    for epoch in range(3):
        names = Counter(dataset.get_pair(40 * epoch + i)['dataset_name'] for i in range(40))
        assert names == {'davis': 25, 'boxes': 10, 'coco': 5}


def test_shares_follow_the_number_of_tracks_without_quotas(mixed):
    dataset = mixed(samples_per_epoch=28, pipeline=[])
    names = Counter(dataset.get_pair(i)['dataset_name'] for i in range(28))
    assert names == {'davis': 6, 'boxes': 4, 'coco': 18}


@pytest.mark.parametrize('samples_per_epoch', [4, 9, 20])
def test_tracks_are_visited_evenly_over_epochs(coco, samples_per_epoch):
    dataset = TrackPairDataset([coco], samples_per_epoch, negative_prob=0)
    visits = Counter()
    for index in range(5 * samples_per_epoch):
        visits[dataset._scheduled_track(*divmod(index, samples_per_epoch))] += 1
        counts = [visits[(0, track)] for track in range(9)]
        if index % samples_per_epoch == samples_per_epoch - 1:
            assert max(counts) - min(counts) <= 1
    assert sum(counts) == 5 * samples_per_epoch


def test_tracks_come_in_another_order_in_each_tour(coco):
    dataset = TrackPairDataset([coco], samples_per_epoch=9, negative_prob=0)
    tours = [tuple(dataset._scheduled_track(e, i)[1] for i in range(9)) for e in range(6)]
    assert all(sorted(tour) == list(range(9)) for tour in tours)
    assert len(set(tours)) == 6


@pytest.mark.parametrize('frame_range', [1, 2, 100])
def test_search_frame_is_another_one_within_range(davis, frame_range):
    dataset = TrackPairDataset([davis], 200, negative_prob=0, frame_range=frame_range)
    distances = set()
    for i in range(200):
        pair = dataset.get_pair(i)
        paths = [pair[key].img_path for key in ('template', 'search')]
        videos, frames = zip(*(path.rsplit('/', 2)[1:] for path in paths), strict=True)
        assert videos[0] == videos[1]
        if videos[0] == 'two':
            distances.add(abs(int(frames[0][:5]) - int(frames[1][:5])))
    assert distances == set(range(1, min(frame_range, 5) + 1))


def test_frame_range_for_each_dataset(davis, boxes):
    dataset = TrackPairDataset([davis, boxes], 60, negative_prob=0, frame_range=[0, 100])
    for i in range(60):
        pair = dataset.get_pair(i)
        is_same = pair['template'].img_path == pair['search'].img_path
        assert is_same == (pair['dataset_name'] == 'davis')


def test_still_image_is_paired_with_itself(coco):
    dataset = TrackPairDataset([coco], samples_per_epoch=9, negative_prob=0)
    pair = dataset.get_pair(0)
    assert pair['template'].img_path == pair['search'].img_path
    np.testing.assert_array_equal(pair['template'].mask, pair['search'].mask)


def test_frames_without_the_target_are_never_drawn(davis, boxes):
    dataset = TrackPairDataset([davis, boxes], samples_per_epoch=300, negative_prob=0.5)
    drawn = set()
    for i in range(300):
        pair = dataset.get_pair(i)
        drawn |= {pair[key].img_path.rsplit('/', 2)[-2:][-1] for key in ('template', 'search')}
        for key in ('template', 'search'):
            view = pair[key]
            assert (view.box[2:] > view.box[:2]).all()
            assert view.mask is None or view.mask.any()
    assert drawn & {'0001.jpg', '0004.jpg'} == set()
    assert {'0002.jpg', '0003.jpg', '0005.jpg'} <= drawn


def test_target_in_one_frame_only_is_paired_with_itself(data, rectangle):
    empty = np.zeros((40, 60))
    davis = DavisDataset(data.davis({'once': [empty, rectangle(1, 1, 9, 9), empty]}))
    pair = TrackPairDataset([davis], samples_per_epoch=1, negative_prob=0).get_pair(0)
    assert pair['template'].img_path == pair['search'].img_path
    assert pair['template'].img_path.endswith('00001.jpg')


def test_tracks_without_a_target_give_way_to_others_or_a_clear_error(data, rectangle):
    empty = np.zeros((40, 60))
    root = data.davis({'void': [empty], 'full': [rectangle(1, 1, 9, 9)]})
    dataset = TrackPairDataset([DavisDataset(root)], samples_per_epoch=4, negative_prob=0)
    assert all('/full/' in dataset.get_pair(i)['template'].img_path for i in range(4))
    void = DavisDataset(data.davis({'void': [empty]}, 'hollow'))
    dataset = TrackPairDataset([void], samples_per_epoch=4, negative_prob=0)
    with pytest.raises(RuntimeError, match='"hollow": no target in 20 tracks, .*"void"'):
        dataset.get_pair(0)


def test_negatives_never_share_video_or_image(mixed):
    dataset = mixed(samples_per_epoch=300, negative_prob=1.0, quotas=[1, 1, 1], pipeline=[])
    sources = set()
    for i in range(300):
        pair = dataset.get_pair(i)
        assert pair['label'] == 0
        template, search = (pair[key].img_path for key in ('template', 'search'))
        is_still = '/coco/' in template
        assert template != search
        assert is_still or template.rsplit('/', 1)[0] != search.rsplit('/', 1)[0]
        sources.add((pair['dataset_name'], search.split('/JPEG')[0].split('/img')[0]))
    assert len(sources) > 6


def test_share_of_negatives(mixed):
    dataset = mixed(samples_per_epoch=1000, negative_prob=0.3, pipeline=[])
    negatives = sum(dataset.get_pair(i)['label'] == 0 for i in range(1000))
    assert abs(negatives - 300) < 60


def test_the_same_video_in_two_datasets_is_no_negative(davis):
    again = DavisDataset(davis.data_root, name='again')
    dataset = TrackPairDataset([davis, again], samples_per_epoch=60, negative_prob=1.0)
    for i in range(60):
        pair = dataset.get_pair(i)
        videos = {pair[key].img_path.split('/')[-2] for key in ('template', 'search')}
        assert videos == {'two', 'gap'}


def test_negative_is_found_where_nearly_all_tracks_are_of_one_video(data, rectangle):
    crowd = np.zeros((40, 60), np.uint8)
    for value in range(1, 121):
        crowd[(value - 1) // 12 * 4, (value - 1) % 12 * 5] = value
    root = data.davis({'crowd': [crowd], 'other': [rectangle(1, 1, 9, 9)]})
    dataset = TrackPairDataset(
        [DavisDataset(root, multi_object=True)], samples_per_epoch=121, negative_prob=1.0
    )
    for i in range(30):
        pair = dataset.get_pair(i)
        assert pair['template'].img_path != pair['search'].img_path


def test_no_other_video_for_a_negative_is_a_clear_error(data, rectangle):
    two = rectangle(30, 20, 39, 25, value=2, base=rectangle(3, 4, 12, 9))
    root = data.davis({'two': [two, two]})
    dataset = TrackPairDataset(
        [DavisDataset(root, multi_object=True)], samples_per_epoch=2, negative_prob=1.0
    )
    with pytest.raises(RuntimeError, match='no video other than that of "two-[12]".*negative_prob'):
        dataset.get_pair(0)
    with pytest.raises(ValueError, match='need two tracks'):
        TrackPairDataset([DavisDataset(root)], samples_per_epoch=2)


@pytest.mark.parametrize('index', [-1, -50])
def test_negative_index_is_refused(mixed, index):
    with pytest.raises(IndexError, match=str(index)):
        mixed()[index]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(quotas=[1, 2]), 'quotas must be 3 positive numbers'),
        (dict(quotas=[1, 2, 0]), 'quotas must be 3 positive numbers'),
        (dict(samples_per_epoch=0), 'samples_per_epoch must be at least 1, got 0'),
        (dict(negative_prob=1.5), 'negative_prob must lie in 0..1, got 1.5'),
        (dict(frame_range=[1, 2]), 'frame_range must be one number or 3'),
        (dict(frame_range=-1), 'frame_range must be one number or 3'),
        (dict(seed=-1), 'seed must be at least 0, got -1'),
    ],
)
def test_bad_options(mixed, options, message):
    with pytest.raises(ValueError, match=message):
        mixed(**options)


def test_no_dataset():
    with pytest.raises(ValueError, match='datasets is empty'):
        TrackPairDataset([], samples_per_epoch=1)


def test_unreadable_image_fails_loudly(data, rectangle):
    davis = DavisDataset(data.davis({'solo': [rectangle(1, 1, 9, 9)]}))
    (path,) = davis.get_track(0).frames
    with open(path, 'wb'):
        pass
    pipeline = [dict(type='LoadPairImages')]
    dataset = TrackPairDataset([davis], 1, negative_prob=0, pipeline=pipeline)
    with pytest.raises(ImageReadError, match=r'solo/00000\.jpg has zero bytes'):
        dataset[0]


def test_registry_builds_a_lazy_dataset_from_configs(davis, boxes):
    cfg = dict(
        type='TrackPairDataset',
        datasets=[
            dict(type='DavisDataset', data_root=davis.data_root, lazy_init=True),
            dict(type='BoxTrackDataset', data_root=boxes.data_root, lazy_init=True),
        ],
        samples_per_epoch=8,
        pipeline=[dict(type='LoadPairImages'), dict(type='PackPairInputs')],
        lazy_init=True,
    )
    dataset = DATASETS.build(cfg)
    assert not dataset.datasets[0]._fully_initialized
    assert len(dataset) == 8
    assert dataset[0]['inputs']['img'].shape == (1, 3, 40, 60)
    assert dataset.metainfo['classes'] == ('target',)


@pytest.mark.parametrize('total', [1, 7, 100, 1001])
def test_apportion_is_within_one_of_the_share(total):
    shares = np.array([0.3, 5.0, 1.7, 1.7])
    counts = apportion(total, shares)
    assert counts.sum() == total
    assert (np.abs(counts - total * shares / shares.sum()) < 1).all()


def test_interleave_spreads_turns_evenly():
    counts = np.array([60, 30, 0, 10])
    numbers, turns = interleave(counts)
    for number, count in enumerate(counts):
        np.testing.assert_array_equal(turns[numbers == number], np.arange(count))
    for end in range(1, 101):
        seen = np.bincount(numbers[:end], minlength=4)
        assert (np.abs(seen - counts * end / 100) < 1.5).all()
