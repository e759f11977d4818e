import numpy as np
import pytest

from mmpolar.datasets import BoxTrackDataset, DavisDataset
from mmpolar.datasets.base_track_dataset import select_object
from mmpolar.registry import DATASETS
from mmpolar.utils.image import list_images


@pytest.fixture
def davis_root(data, rectangle):
    return data.davis(
        {
            'b': [rectangle(i, 2, i + 9, 11) for i in range(4)],
            'a': [rectangle(5, 5, 9, 9), np.zeros((40, 60), np.uint8)],
            'c': [rectangle(30, 20, 39, 29)],
        }
    )


def test_test_mode_flat_and_pair_index_give_the_same_frame(davis_root):
    dataset = DavisDataset(davis_root, test_mode=True, pipeline=[])
    assert (dataset.num_videos, len(dataset)) == (3, 7)
    pairs = [(v, f) for v in range(3) for f in range(dataset.get_len_per_video(v))]
    for flat, pair in enumerate(pairs):
        one, other = dataset[flat], dataset[pair]
        assert (one['video_id'], one['frame_id']) == pair
        assert one['img_path'] == other['img_path']
        np.testing.assert_array_equal(one['instances'][0]['bbox'], other['instances'][0]['bbox'])


def test_test_mode_frame_contents(davis_root):
    dataset = DavisDataset(davis_root, test_mode=True)
    present, absent = dataset[(0, 0)], dataset[(0, 1)]
    assert present['video_name'] == 'a'
    assert present['video_length'] == 2
    assert present['img_path'].endswith('a/00000.jpg')
    assert present['gt_mask'].sum() == 25
    (instance,) = present['instances']
    np.testing.assert_array_equal(instance['bbox'], np.float32([4.5, 4.5, 9.5, 9.5]))
    assert (instance['visible'], instance['bbox_label']) == (True, 0)
    (instance,) = absent['instances']
    np.testing.assert_array_equal(instance['bbox'], np.zeros(4, np.float32))
    assert instance['visible'] is False
    assert absent['gt_mask'] is None


@pytest.mark.parametrize('index', [7, -1, (3, 0), (0, 2), (0, -1)])
def test_test_mode_refuses_index_out_of_range(davis_root, index):
    with pytest.raises(IndexError, match='davis'):
        DavisDataset(davis_root, test_mode=True)[index]


def test_test_mode_iterates_over_all_frames_once(davis_root):
    frames = [(r['video_name'], r['frame_id']) for r in DavisDataset(davis_root, test_mode=True)]
    assert frames == [('a', 0), ('a', 1), ('b', 0), ('b', 1), ('b', 2), ('b', 3), ('c', 0)]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_subset_counts_its_own_frames(davis_root, serialize_data):
    dataset = DavisDataset(davis_root, test_mode=True, serialize_data=serialize_data)
    assert len(dataset) == 7
    subset = dataset.get_subset([1, 2])
    assert len(subset) == 5
    assert [r['video_name'] for r in subset] == ['b'] * 4 + ['c']
    dataset.get_subset_([2])
    assert [r['video_name'] for r in dataset] == ['c']


def test_train_mode_length_counts_tracks(davis_root):
    dataset = DavisDataset(davis_root)
    assert len(dataset) == dataset.num_videos == 3
    assert dataset[1]['video_name'] == 'b'


def test_lazy_init_indexes_on_first_use(davis_root):
    dataset = DavisDataset(davis_root, test_mode=True, lazy_init=True)
    assert not dataset._fully_initialized
    assert len(dataset) == 7


def test_min_area_turns_small_targets_absent(davis_root):
    dataset = DavisDataset(davis_root, min_area=26)
    assert dataset.load_target(0, 0) is None
    assert dataset.load_target(1, 0).mask.sum() == 100


def test_first_frame_without_target_is_refused_in_test_mode_only(data, rectangle):
    empty = np.zeros((40, 60), np.uint8)
    root = data.davis({'late': [empty, rectangle(1, 1, 5, 5)], 'fine': [rectangle(1, 1, 5, 5)]})
    assert len(DavisDataset(root)) == 2
    with pytest.raises(ValueError, match='"davis": no target in the first frame of late;'):
        DavisDataset(root, test_mode=True)
    root = data.boxes({'gone': ['nan,nan,nan,nan', '1,2,3,4']})
    with pytest.raises(ValueError, match='"boxes": no target in the first frame of gone;'):
        BoxTrackDataset(root, test_mode=True)


def test_name_is_the_folder_or_the_given_one(davis_root):
    assert DavisDataset(davis_root).name == 'davis'
    assert DavisDataset(davis_root, name='mine').name == 'mine'


def test_registry_builds_datasets_with_pipelines(davis_root):
    cfg = dict(
        type='DavisDataset',
        data_root=str(davis_root),
        test_mode=True,
        pipeline=[dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')],
    )
    assert DATASETS.build(cfg)[0]['inputs']['img'].shape == (1, 3, 40, 60)


def test_list_images_natural_order(data):
    names = ['10.jpg', '2.jpg', '1.jpg', 'b1.PNG', '.hidden.jpg', 'notes.txt']
    for name in names:
        (data.root / name).touch()
    got = [path.rsplit('/', 1)[-1] for path in list_images(data.root)]
    assert got == ['1.jpg', '2.jpg', '10.jpg', 'b1.PNG']
    assert list_images(data.root / 'nowhere') == []


def test_select_object():
    ids = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(select_object(ids, 2), [[0, 0, 1, 0]])
    np.testing.assert_array_equal(select_object(ids, None), [[0, 1, 1, 0]])
    assert select_object(ids, None).dtype == np.uint8
    single = np.array([[0, 1, 1, 0]], dtype=np.uint8)
    for object_id in (None, 1):
        np.testing.assert_array_equal(select_object(single, object_id), single)
    assert not select_object(single, 2).any()
