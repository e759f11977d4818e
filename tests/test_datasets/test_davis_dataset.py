import numpy as np
import pytest

from mmpolar.datasets import DavisDataset


@pytest.fixture
def root(data, rectangle):
    two = rectangle(30, 20, 39, 25, value=2, base=rectangle(3, 4, 12, 9))
    only_second = rectangle(31, 20, 40, 25, value=2)
    return data.davis({'pair': [two, only_second], 'solo': [rectangle(0, 0, 9, 9)] * 3})


def write_list(root, text, path='ImageSets/2017/train.txt'):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return path


def test_all_sequences_without_list(root):
    dataset = DavisDataset(root)
    assert [dataset.get_track(i).video_name for i in range(2)] == ['pair', 'solo']


def test_list_of_names_chooses_and_orders(root):
    dataset = DavisDataset(root, write_list(root, 'solo\npair\n\n'))
    assert [dataset.get_track(i).video_name for i in range(2)] == ['solo', 'pair']
    assert len(DavisDataset(root, write_list(root, 'solo\n'))) == 1


def test_names_choose_and_order(root):
    dataset = DavisDataset(root, sequences=['solo', 'pair'])
    assert [dataset.get_track(i).video_name for i in range(2)] == ['solo', 'pair']
    assert len(DavisDataset(root, sequences=['solo'])) == 1
    with pytest.raises(FileNotFoundError, match='other'):
        DavisDataset(root, sequences=['solo', 'other'])


def test_names_are_given_once(root):
    with pytest.raises(ValueError, match=r"sequences=\['solo'\] and ann_file='list.txt'"):
        DavisDataset(root, 'list.txt', sequences=['solo'])
    with pytest.raises(ValueError, match=r'sequences=\[\]'):
        DavisDataset(root, sequences=[])


def test_list_of_pairs_chooses_frames(root):
    lines = [
        f'/JPEGImages/480p/solo/{i:05d}.jpg /Annotations/480p/solo/{i:05d}.png' for i in (0, 2)
    ]
    dataset = DavisDataset(root, write_list(root, '\n'.join(lines)))
    track = dataset.get_track(0)
    assert [path[-9:] for path in track.frames] == ['00000.jpg', '00002.jpg']
    assert dataset.load_target(0, 1).mask.sum() == 100


def test_single_object_joins_all_ids(root):
    target = DavisDataset(root).load_target(0, 0)
    assert target.mask.sum() == 120
    np.testing.assert_array_equal(target.box, np.float32([2.5, 3.5, 39.5, 25.5]))


def test_multi_object_gives_a_track_an_id(root):
    dataset = DavisDataset(root, multi_object=True)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    assert [t.video_name for t in tracks] == ['pair-1', 'pair-2', 'solo-1']
    np.testing.assert_array_equal(dataset.load_target(0, 0).box, np.float32([2.5, 3.5, 12.5, 9.5]))
    np.testing.assert_array_equal(
        dataset.load_target(1, 1).box, np.float32([30.5, 19.5, 40.5, 25.5])
    )
    assert dataset.load_target(0, 1) is None


def test_multi_object_looks_for_the_first_mask_with_objects(data, rectangle):
    empty = np.zeros((40, 60), np.uint8)
    void_only = rectangle(0, 0, 3, 3, value=255, base=rectangle(9, 9, 12, 12, value=4))
    root = data.davis({'late': [empty, void_only], 'never': [empty]})
    dataset = DavisDataset(root, multi_object=True)
    assert [dataset.get_track(i).video_name for i in range(len(dataset))] == ['late-4']


def test_void_pixels_are_not_the_target(data, rectangle):
    ids = rectangle(20, 20, 29, 29, value=255, base=rectangle(0, 0, 4, 4))
    dataset = DavisDataset(data.davis({'void': [ids]}))
    assert dataset.load_target(0, 0).mask.sum() == 25


def test_black_and_white_masks(data, rectangle):
    data.image('davis/JPEGImages/480p/bw/00000.jpg')
    data.mask('davis/Annotations/480p/bw/00000.png', rectangle(2, 3, 5, 6, value=255))
    for multi_object in (False, True):
        dataset = DavisDataset(data.root / 'davis', multi_object=multi_object)
        assert dataset.load_target(0, 0).mask.sum() == 16
        assert dataset.load_target(0, 0).mask.max() == 1


def test_missing_sequence_names_dataset_sequence_and_path(root):
    ann_file = write_list(root, 'solo\nlost\n')
    with pytest.raises(FileNotFoundError, match=r'"davis", sequence "lost": no images in .*lost'):
        DavisDataset(root, ann_file)


def test_missing_mask_folder_and_mask(root):
    masks = root / 'Annotations/480p/solo'
    (masks / '00001.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'"solo": 1 frames have no mask.*00001\.jpg'):
        DavisDataset(root)
    for path in masks.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r'"solo": no masks in .*Annotations'):
        DavisDataset(root)


def test_missing_list_folder_and_listed_file(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'list file .*nothing\.txt does not exist'):
        DavisDataset(root, 'ImageSets/nothing.txt')
    with pytest.raises(FileNotFoundError, match=r'image folder .*JPEGImages/480p does not exist'):
        DavisDataset(tmp_path / 'empty')
    line = '/JPEGImages/480p/solo/00000.jpg /Annotations/480p/solo/00009.png'
    with pytest.raises(FileNotFoundError, match=r'"solo": .*00009\.png, listed in'):
        DavisDataset(root, write_list(root, line))


def test_list_of_names_and_pairs_is_malformed(root):
    text = 'pair\n/JPEGImages/480p/solo/00000.jpg /Annotations/480p/solo/00000.png'
    with pytest.raises(ValueError, match=r'train\.txt: expected a sequence name on every line'):
        DavisDataset(root, write_list(root, text))


@pytest.mark.parametrize('mark', ['', '\ufeff'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16-le'])
def test_names_with_spaces_in_any_encoding(data, rectangle, mark, encoding):
    root = data.davis({'big dog': [rectangle(0, 0, 9, 9)] * 2, 'c': [rectangle(0, 0, 9, 9)]})
    image, mask = 'JPEGImages/480p/big dog/00001.jpg', 'Annotations\\480p\\big dog\\00001.png'
    (root / 'list.txt').write_bytes(f'{mark}big dog\r\nc\r\n'.encode(encoding))
    (root / 'pairs.txt').write_bytes(f'{mark}{image} {mask}\n'.encode(encoding))
    if encoding != 'utf-8' and not mark:
        with pytest.raises(FileNotFoundError, match='no images in'):
            DavisDataset(root, 'list.txt')
        return
    dataset = DavisDataset(root, 'list.txt')
    assert [dataset.get_track(i).video_name for i in range(2)] == ['big dog', 'c']
    assert len(DavisDataset(root, 'pairs.txt').get_track(0)) == 1


def test_list_in_another_encoding_is_named(root):
    (root / 'list.txt').write_bytes('B\u00e4r'.encode('latin-1'))
    with pytest.raises(ValueError, match=r'list\.txt is no text in UTF-8'):
        DavisDataset(root, 'list.txt')


def test_objects_that_appear_late_start_where_they_appear(data, rectangle):
    first = rectangle(3, 4, 12, 9)
    both = rectangle(30, 20, 39, 25, value=2, base=first)
    root = data.davis({'late': [first * 0, first, both, both]})
    dataset = DavisDataset(root, multi_object=True, test_mode=True)
    tracks = [dataset.get_track(i) for i in range(dataset.num_videos)]
    assert [(t.video_name, len(t)) for t in tracks] == [('late-1', 3), ('late-2', 2)]
    dataset = DavisDataset(root, multi_object=True, late_objects=False)
    assert [dataset.get_track(i).object_id for i in range(dataset.num_videos)] == [1]


@pytest.mark.parametrize('multi_object', [False, True])
def test_soft_masks_are_cut_at_half_unless_their_values_are_ids(data, rectangle, multi_object):
    soft = rectangle(10, 10, 19, 19, value=255, base=rectangle(8, 8, 21, 21, value=90))
    data.image('davis/JPEGImages/480p/soft/00000.jpg')
    data.mask('davis/Annotations/480p/soft/00000.png', soft)
    dataset = DavisDataset(data.root / 'davis', multi_object=multi_object)
    assert dataset.num_videos == 1
    assert dataset.load_target(0, 0).mask.sum() == 100
    ids = DavisDataset(data.root / 'davis', multi_object=multi_object, mask_values='ids')
    assert ids.load_target(0, 0).mask.sum() == 96
    with pytest.raises(ValueError, match="mask_values must be one of .*'matte'.*got 'grey'"):
        DavisDataset(data.root / 'davis', mask_values='grey')


def test_no_object_at_all(data):
    root = data.davis({'void': [np.zeros((40, 60), np.uint8)]})
    with pytest.raises(ValueError, match='"davis".*has no track with a target'):
        DavisDataset(root, multi_object=True)


@pytest.mark.parametrize('multi_object', [False, True])
def test_frames_without_a_mask_may_be_left_unannotated(root, multi_object):
    for name in ('00001', '00002'):
        (root / f'Annotations/480p/solo/{name}.png').unlink()
    path = write_list(root, 'solo\n')
    with pytest.raises(FileNotFoundError, match='or set all_masks=False'):
        DavisDataset(root, path, multi_object=multi_object)
    dataset = DavisDataset(root, path, multi_object=multi_object, all_masks=False, test_mode=True)
    assert [frame['annotated'] for frame in dataset] == [True, False, False]
    assert dataset.load_target(0, 1) is None


def test_tracks_of_a_sequence_know_it(root):
    dataset = DavisDataset(root, multi_object=True, test_mode=True)
    frames = [dataset[(track, 0)] for track in range(3)]
    assert [f['sequence'] for f in frames] == ['pair', 'pair', 'solo']
    assert [f['object_id'] for f in frames] == [1, 2, 1]
