import json

import numpy as np
import pytest
from benchmark_folders import filled, write_youtube_vos

from mmpolar.datasets import YouTubeVOSDataset

FIRST, SECOND = filled(2, 3, 9, 9), filled(20, 10, 29, 19, value=2)
BOTH = filled(2, 3, 9, 9, base=SECOND)
OBJECTS = {'a1': {'1': ['00000', '00005', '00010'], '2': ['00005', '00010', '00015']}}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    masks = {'00000': FIRST, '00005': BOTH, '00010': BOTH, '00015': SECOND}
    write_youtube_vos(root, 'train', {'a1': masks}, OBJECTS)
    # As published: a mask file for each first appearance, with the new objects only.
    return write_youtube_vos(root, 'valid', {'a1': {'00000': FIRST, '00005': SECOND}}, OBJECTS)


def stems(track):
    return [path[-9:-4] for path in track.frames]


@pytest.mark.parametrize('split', ['train', 'valid'])
def test_late_object_starts_at_its_first_frame(root, split):
    dataset = YouTubeVOSDataset(root, split=split)
    early, late = (dataset.get_track(i) for i in range(2))
    assert (early.video_name, late.video_name) == ('a1-1', 'a1-2')
    assert (early.sequence, late.sequence) == ('a1', 'a1')
    assert stems(early) == ['00000', '00005', '00010', '00015']
    assert stems(late) == ['00005', '00010', '00015']
    assert late.category == 'dog'
    np.testing.assert_array_equal(dataset.load_target(1, 0).mask, SECOND == 2)


def test_training_masks_tell_presence_in_all_frames(root):
    dataset = YouTubeVOSDataset(root)
    assert [dataset.load_target(0, i) is None for i in range(4)] == [False, False, False, True]
    np.testing.assert_array_equal(dataset.load_target(0, 1).mask, BOTH == 1)
    assert dataset.get_track(0).annotated is None


def test_validation_frames_are_not_annotated_after_the_first(root):
    dataset = YouTubeVOSDataset(root, split='valid', test_mode=True)
    frames = list(dataset)
    assert [f['annotated'] for f in frames] == [True, False, False, False, True, False, False]
    assert [f['object_id'] for f in frames] == [1] * 4 + [2] * 3
    assert all(f['flags']['evaluated'] for f in frames)


def test_all_frames_flag_those_to_be_sent_in(root):
    dataset = YouTubeVOSDataset(root, split='valid', all_frames=True, test_mode=True)
    assert [dataset.get_len_per_video(i) for i in range(2)] == [16, 11]
    evaluated = [f['img_path'][-9:-4] for f in dataset if f['flags']['evaluated']]
    assert evaluated == ['00000', '00005', '00010', '00015', '00005', '00010', '00015']
    train = YouTubeVOSDataset(root, all_frames=True)
    assert np.flatnonzero(train.get_track(0).annotated).tolist() == [0, 5, 10, 15]
    assert train.load_target(0, 1) is None


def test_own_part_of_the_training_split_to_validate_on(root, tmp_path):
    meta = json.loads((root / 'train/meta.json').read_text())
    del meta['videos']['a1']['objects']['1']
    (tmp_path / 'mine.json').write_text(json.dumps(meta))
    dataset = YouTubeVOSDataset(root, ann_file=str(tmp_path / 'mine.json'), test_mode=True)
    assert [f['annotated'] for f in dataset] == [True] * 3


def test_broken_meta(root, tmp_path):
    path = tmp_path / 'meta.json'
    path.write_text('{"videos": {"a1": {}}}')
    with pytest.raises(ValueError, match="is not like meta.json of YouTube-VOS.*'objects'"):
        YouTubeVOSDataset(root, ann_file=str(path))
    path.write_text(json.dumps({'videos': {'a1': {'objects': {'1': {'frames': ['00003']}}}}}))
    with pytest.raises(FileNotFoundError, match='no image of frame 00003'):
        YouTubeVOSDataset(root, ann_file=str(path))
    path.write_text(json.dumps({'videos': {'zz': {'objects': {'1': {'frames': ['00003']}}}}}))
    with pytest.raises(FileNotFoundError, match='"zz": no images in'):
        YouTubeVOSDataset(root, ann_file=str(path))
    for number in ('0', '255', '-1', 'x', '9' * 50):
        objects = {number: {'frames': ['00000']}}
        path.write_text(json.dumps({'videos': {'a1': {'objects': objects}}}))
        with pytest.raises(ValueError, match='of video "a1" must be a number in 1..254'):
            YouTubeVOSDataset(root, ann_file=str(path))
    with pytest.raises(FileNotFoundError, match=r'test/meta\.json does not exist'):
        YouTubeVOSDataset(root, split='test')
