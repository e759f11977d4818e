"""CompositeDataset(same_target=True): each positive pair is of the target of its negative's template."""

from collections import Counter

import cv2
import numpy as np
import pytest
from several_targets import draw_ids, trio_and_pair
from torch.utils.data import DataLoader

from mmpolar.datasets import DavisDataset, TrackPairDataset
from mmpolar.mining import CompositeDataset, NegativePairDataset
from mmpolar.registry import DATASETS, TRANSFORMS

#: Colour and value in the masks of each object; the rest of a frame is black.
COLOURS = {1: (250, 0, 0), 2: (0, 250, 0), 3: (0, 0, 250)}
LOAD, CROP = dict(type='LoadPairImages'), dict(type='CropPair', flip_prob=0.5, keep_frames=True)
NUM_PAIRS = 40


@pytest.fixture(scope='module')
def root(shared_data):
    """Three videos, in two of which several objects move, each of a colour of its own."""
    masks = {
        **trio_and_pair(),
        'solo': [draw_ids((3, 100, 60 - i, 20)) for i in range(5)],
    }
    root = shared_data.davis(masks)
    palette = np.zeros((256, 3), np.uint8)
    for value, colour in COLOURS.items():
        palette[value] = colour
    for name, frames in masks.items():
        for number, ids in enumerate(frames):
            path = root / f'JPEGImages/480p/{name}/{number:05d}.jpg'
            assert cv2.imwrite(str(path), palette[ids], [cv2.IMWRITE_JPEG_QUALITY, 100])
    return root


@pytest.fixture(scope='module')
def davis(root):
    return DavisDataset(root, multi_object=True)


@pytest.fixture
def make(davis):
    """Function that makes composites of pairs of the three videos."""

    def build(pipeline=(), positives=None, negatives=None, crops=(), kinds=None, **options):
        return CompositeDataset(
            positives or TrackPairDataset([davis], NUM_PAIRS, negative_prob=0, pipeline=crops),
            negatives or NegativePairDataset([davis], NUM_PAIRS, kinds, pipeline=crops),
            pipeline or [tracks],
            **dict(num_composites=NUM_PAIRS, num_positives=1, num_negatives=1, same_target=True)
            | options,
        )

    return build


def shown(davis, side):
    """The track of a side of a pair, told from its image and its box."""
    found = [
        number
        for number in range(davis.num_videos)
        if (track := davis.get_track(number)).frames.count(side.img_path)
        and (target := davis.read_target(track, track.frames.index(side.img_path))) is not None
        and np.array_equal(target.box, side.box)
    ]
    [number] = found
    return number


def tracks(results):
    return (
        [pair['track'] for pair in results['positives']],
        [pair['track'] for pair in results['negatives']],
        results['shares_target'],
    )


def everything(results):
    """All that a composite is made of, as a comparable value."""
    sides = [
        (pair[side].img_path, pair[side].box.tolist(), pair['sample_idx'], pair['label'])
        for kind in ('positives', 'negatives')
        for pair in results[kind]
        for side in ('template', 'search')
    ]
    draws = [pair['rng'].random() for kind in ('positives', 'negatives') for pair in results[kind]]
    return sides, draws, results['rng'].random(), results['sample_idx']


@pytest.mark.parametrize('number', [1, 3])
def test_positives_are_of_the_target_of_their_negatives(make, davis, number):
    dataset = make([lambda results: results], num_positives=number, num_negatives=number)
    seen = set()
    for index in range(3 * NUM_PAIRS):
        item = dataset[index]
        assert item['shares_target'] == [True] * number
        for positive, negative in zip(item['positives'], item['negatives'], strict=True):
            wanted = shown(davis, negative['template'])
            assert shown(davis, positive['template']) == shown(davis, positive['search']) == wanted
            assert positive['track'] == negative['track'] == (0, wanted)
            assert (positive['label'], negative['label']) == (1, 0)
            seen.add(wanted)
    assert seen == set(range(davis.num_videos))


def test_positives_of_a_target_differ(make):
    """Each composite samples the frames again."""
    dataset = make([lambda results: results])
    frames = Counter()
    for index in range(4 * NUM_PAIRS):
        [positive] = dataset[index]['positives']
        sides = (positive['template'].img_path, positive['search'].img_path)
        frames[positive['track'], sides] += 1
    assert len(frames) > 60


def test_negatives_are_those_that_are_sampled_without_the_option(make):
    def negatives(**options):
        dataset = make([lambda results: results['negatives'][0]['sample_idx']], **options)
        dataset.mined.publish([3, 8, 21], 1)
        return [dataset[index] for index in range(2 * NUM_PAIRS)]

    assert negatives(mined_share=0.5) == negatives(mined_share=0.5, same_target=False)


def test_composites_depend_on_seed_round_and_index_alone(make):
    first, again, reseeded = (make([everything], seed=seed) for seed in (0, 0, 1))
    forwards = [first[i] for i in range(2 * NUM_PAIRS)]
    assert forwards == [again[i] for i in reversed(range(2 * NUM_PAIRS))][::-1]
    assert not any(a == reseeded[i] for i, a in enumerate(forwards))
    first.mined.publish(range(NUM_PAIRS), 1)
    assert [first[i] for i in range(2 * NUM_PAIRS)] != forwards


@pytest.mark.parametrize('num_workers', [1, 2])
def test_composites_do_not_depend_on_workers(make, num_workers):
    dataset = make([everything])
    loader = DataLoader(dataset, batch_size=4, num_workers=num_workers, collate_fn=list)
    in_workers = [item for batch in loader for item in batch]
    assert in_workers == [dataset[i] for i in range(NUM_PAIRS)]


def test_a_negative_that_takes_the_turn_of_an_unreadable_one_is_followed(make, davis):
    def refuse(pair):
        if pair['sample_idx'] % 4:
            raise OSError('damaged')
        return pair

    negatives = NegativePairDataset([davis], NUM_PAIRS, pipeline=[refuse])
    dataset = make([lambda results: results], negatives=negatives)
    for index in range(NUM_PAIRS):
        item = dataset[index]
        [positive], [negative] = item['positives'], item['negatives']
        assert negative['sample_idx'] % 4 == 0
        assert shown(davis, positive['template']) == shown(davis, negative['template'])


def test_another_pair_of_the_target_is_taken_where_the_pipeline_gives_none(make, davis):
    crops = [lambda pair: None if pair['sample_idx'] % 2 else pair]
    dataset = make(positives=TrackPairDataset([davis], NUM_PAIRS, 0, pipeline=crops))
    for index in range(NUM_PAIRS):
        [positive], [negative], [is_shared] = dataset[index]
        assert positive == negative
        assert is_shared


def test_another_target_is_taken_where_that_of_the_negative_gives_no_pair(make, davis):
    crops = [lambda pair: None if pair['track'] == (0, 0) else pair]
    dataset = make(positives=TrackPairDataset([davis], NUM_PAIRS, 0, pipeline=crops))
    others = 0
    for index in range(2 * NUM_PAIRS):
        [positive], [negative], [is_shared] = dataset[index]
        assert positive != (0, 0)
        assert is_shared == (positive == negative) == (negative != (0, 0))
        others += not is_shared
    assert others > 4


def test_another_target_is_taken_where_no_composite_of_that_of_the_negative_is_kept(make):
    def refuse(results):
        return None if results['positives'][0]['track'] == (0, 0) else tracks(results)

    dataset = make([refuse])
    found = [dataset[index] for index in range(2 * NUM_PAIRS)]
    assert any(negative == (0, 0) for _, [negative], _ in found)


# composites


def composed(make, way, kind, **options):
    """Composites of one way with negatives of one kind, with the pairs that they were made of."""
    composite = TRANSFORMS.build(
        dict(type='PairComposite', probs={way: 1.0}, fill_outside=options.pop('fill_outside', None))
    )
    dataset = make(
        [lambda results: (composite.transform(dict(results)), results)],
        crops=[LOAD, CROP],
        kinds={kind: 1.0},
        **options,
    )
    return [dataset[index] for index in range(NUM_PAIRS)]


@pytest.mark.parametrize('kind', ['background', 'distractor'])
@pytest.mark.parametrize('way', ['stitch', 'overlay', 'transplant'])
def test_regions_beside_the_target_are_combined_with_its_pairs(make, way, kind):
    """They are of the same video, and do not show the target by construction."""
    combined = [
        len(pair['composite_sources']) == 2
        for pair, results in composed(make, way, kind)
        if results['negatives'][0]['search'].avoid is not None
    ]
    assert len(combined) > 10
    assert np.mean(combined) > 0.9


def test_neighbours_are_pasted_beside_the_target(make):
    pasted = [
        len(pair['composite_sources']) == 2
        for pair, results in composed(make, 'paste', 'distractor')
        if results['negatives'][0]['search'].avoid is not None
    ]
    assert len(pasted) > 10
    assert np.mean(pasted) > 0.8


def test_regions_of_the_same_video_are_left_out_where_targets_differ(make):
    """They may show the other target, which they were not cut to avoid."""
    for pair, results in composed(make, 'stitch', 'background', same_target=False):
        positive, negative = results['positives'][0], results['negatives'][0]
        if positive['template'].video == negative['search'].video:
            assert len(pair['composite_sources']) == 1


def coloured(img, colour):
    """Number of pixels of about a colour."""
    return int((np.abs(img.astype(int) - colour).max(axis=-1) < 60).sum())


@pytest.mark.parametrize('kind', ['background', 'distractor'])
@pytest.mark.parametrize('way', ['stitch', 'transplant', 'paste'])
@pytest.mark.parametrize('fill_outside', [None, dict(prob=1.0)], ids=['plain', 'filled'])
def test_composites_show_the_target_once(make, davis, way, kind, fill_outside):
    """By the pixels: in its own video no other object is of the target's colour."""
    checked = 0
    for pair, results in composed(make, way, kind, fill_outside=fill_outside):
        [positive], [negative] = results['positives'], results['negatives']
        if negative['search'].avoid is None:
            continue
        colour = COLOURS[davis.get_track(positive['track'][1]).object_id]
        mask = pair['search'].mask
        img = cv2.erode(pair['search'].img, np.ones((3, 3)))
        img[cv2.dilate(mask, np.ones((5, 5))) > 0] = 0
        assert coloured(img, colour) == 0
        assert coloured(pair['search'].img, colour) > 0
        checked += 1
    assert checked > 10


def test_both_pairs_of_a_target_are_filled_with_the_other_video(make):
    """Else a tracker would learn that an empty margin means that there is no target."""
    counts = Counter()
    for way in ('positive', 'negative'):
        for pair, results in composed(make, way, 'other', fill_outside=dict(prob=1.0)):
            plain = results['positives' if way == 'positive' else 'negatives'][0]
            counts[way] += not np.array_equal(pair['search'].img, plain['search'].img)
    assert min(counts.values()) > 10


# errors


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_positives=2), 'negative for each positive, got num_positives=2 and num_neg'),
        (dict(num_negatives=0), 'got num_positives=1 and num_negatives=0'),
        (dict(reviewed=dict(ann_file='none.json')), 'takes no reviewed positives'),
    ],
)
def test_options_that_do_not_go_together_are_refused(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_other_datasets_are_refused(make, davis):
    images = [dict(img_path='a.jpg')]
    with pytest.raises(TypeError, match='positives from a TrackPairDataset.*got list and Negative'):
        make(positives=images)
    with pytest.raises(
        TypeError, match='negatives from a NegativePairDataset, got Track.*and list'
    ):
        make(negatives=images)


def test_pairs_of_other_tracks_are_refused(make, root, davis):
    one_each = DavisDataset(root)
    renamed = DavisDataset(root, multi_object=True, name='renamed')
    for datasets in ([davis, davis], [one_each], [renamed]):
        negatives = NegativePairDataset(datasets, NUM_PAIRS)
        with pytest.raises(ValueError, match=r'same order, but the positives have ".*" \(6 tracks'):
            make(negatives=negatives)


def test_lazy_datasets_are_compared_when_they_are_indexed(make, root, davis):
    negatives = NegativePairDataset([DavisDataset(root)], NUM_PAIRS, lazy_init=True)
    dataset = make(negatives=negatives, lazy_init=True)
    with pytest.raises(ValueError, match='same order'):
        dataset.full_init()


def test_registry_builds_it_from_configs(root):
    videos = dict(
        datasets=[dict(type='DavisDataset', data_root=str(root), multi_object=True)],
        pipeline=[LOAD, CROP],
    )
    dataset = DATASETS.build(
        dict(
            type='CompositeDataset',
            positives=dict(type='TrackPairDataset', samples_per_epoch=8, negative_prob=0, **videos),
            negatives=dict(type='NegativePairDataset', length=8, **videos),
            pipeline=[dict(type='PairComposite'), dict(type='PackPairInputs')],
            num_composites=8,
            num_positives=1,
            num_negatives=1,
            same_target=True,
        )
    )
    labels = {dataset[i]['data_samples'].search_gt_instances.labels.item() for i in range(24)}
    assert labels == {0, 1}
