import json
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest
from benchmark_folders import filled, write_davis, write_got10k, write_vot
from mmengine.logging import MMLogger

from mmpolar.datasets import DavisDataset, GOT10kDataset, VOTDataset
from mmpolar.datasets.index_cache import INDEX_FOLDER
from mmpolar.datasets.track import Track
from mmpolar.datasets.track_index import (
    decode_track,
    encode_track,
    encode_tracks,
    open_index_file,
    pack_index_file,
)


def example_track(number=0):
    return Track(
        video_name=f'näme-{number}',
        frames=[f'/data/set/clip/{i:05d}.jpg' for i in range(number + 1)],
        mask_paths=[None, *[f'/data/set/masks/{i}.png' for i in range(number)]],
        boxes=[None, *[[i, 2.5, 3, 4] for i in range(number)]],
        segmentation=dict(size=[3, 4], counts='abc'),
        category=np.int64(7),
        flags=dict(cover=np.arange(number + 1, dtype=np.uint8), value=np.zeros(number + 1)),
        extra=dict(starts=np.arange(number + 1)),
    )


def assert_same(got, expected):
    got, expected = got.as_dict(), expected.as_dict()
    assert set(got) == set(expected)
    for key, value in expected.items():
        if isinstance(value, dict) and key == 'flags':
            assert list(got[key]) == list(value)
            value, got_value = list(value.values()), list(got[key].values())
        else:
            value, got_value = [value], [got[key]]
        for one, other in zip(got_value, value, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('number', [0, 1, 7])
def test_entry_comes_back(number):
    track = example_track(number)
    data = encode_track(track)
    assert len(data) % 8 == 0
    got = decode_track(np.frombuffer(data, np.uint8))
    assert_same(got, track)
    assert got.boxes.dtype == np.float32
    assert not got.boxes.flags.writeable


def test_value_that_cannot_be_kept_is_named():
    with pytest.raises(TypeError, match='track "a" cannot be stored: set is neither'):
        encode_track(Track(video_name='a', frames=['x.jpg'], boxes=[None], extra=dict(odd={1})))


def test_file_comes_back_and_is_checked(tmp_path):
    index = encode_tracks(example_track(i) for i in range(5))
    path, mark = tmp_path / 'x.index', dict(list=[1, 2], gone=None)
    content = pack_index_file(index, mark)
    path.write_bytes(content)
    got = open_index_file(path, mark)
    for name in ('data', 'ends', 'frame_ends'):
        np.testing.assert_array_equal(getattr(got, name), getattr(index, name))
    assert got.frame_ends.tolist() == [1, 3, 6, 10, 15]
    assert open_index_file(path, dict(list=[1, 3], gone=None)) is None
    assert open_index_file(tmp_path / 'none.index', mark) is None
    for broken in (b'', content[:10], content[:60], content[:-1], content + b'x', b'x' + content):
        path.write_bytes(broken)
        assert open_index_file(path, mark) is None


# in a dataset


@pytest.fixture
def root(tmp_path):
    return write_got10k(tmp_path, dict(val=4), absence=(2,))


@pytest.fixture
def count_builds(monkeypatch):
    """List that grows with every index that is made from the annotations."""
    builds = []
    load = GOT10kDataset.load_data_list
    monkeypatch.setattr(
        GOT10kDataset, 'load_data_list', lambda self: builds.append(self.name) or load(self)
    )
    return builds


def same_samples(one, other):
    assert (one.num_videos, len(one)) == (other.num_videos, len(other))
    for first, second in zip(one, other, strict=True):
        box, other_box = (f.pop('instances')[0]['bbox'] for f in (first, second))
        np.testing.assert_array_equal(box, other_box)
        assert first == second


def test_second_start_reads_the_index_only(root, count_builds):
    options = dict(split='val', test_mode=True)
    plain = GOT10kDataset(root, **options)
    first = GOT10kDataset(root, index_cache=True, **options)
    assert len(count_builds) == 2
    second = GOT10kDataset(root, index_cache=True, name='other name', **options)
    assert len(count_builds) == 2
    for dataset in (first, second):
        same_samples(dataset, plain)
    assert isinstance(second.data_bytes.base, np.ndarray)
    assert isinstance(second.data_bytes, np.memmap)


@pytest.mark.parametrize(
    'options', [dict(min_area=2), dict(one_based=True), dict(test_mode=True), dict(indices=1)]
)
def test_other_options_have_an_index_of_their_own(root, count_builds, options):
    GOT10kDataset(root, split='val', index_cache=True)
    other = GOT10kDataset(root, split='val', index_cache=True, **options)
    assert len(count_builds) == 2
    plain = GOT10kDataset(root, split='val', **options)
    np.testing.assert_array_equal(other.get_track(0).boxes, plain.get_track(0).boxes)
    assert other.num_videos == plain.num_videos
    GOT10kDataset(root, split='val', index_cache=True, **options)
    assert len(count_builds) == 3


def test_changed_list_or_folder_makes_it_anew(root, tmp_path, count_builds):
    def build():
        return GOT10kDataset(root, split='val', index_cache=str(tmp_path / 'index'))

    assert build().num_videos == 2
    (root / 'val/list.txt').write_text('GOT-10k_Val_000002\n')
    assert build().num_videos == 1
    (root / 'val/new').mkdir()
    build()
    assert len(count_builds) == 3
    build()
    assert len(count_builds) == 3
    assert len(list((tmp_path / 'index').glob('*.index'))) == 1


def test_changed_annotation_files_make_it_anew(root, tmp_path, count_builds):
    def build():
        return GOT10kDataset(root, split='val', index_cache=str(tmp_path / 'index'))

    build()
    boxes = root / 'val/GOT-10k_Val_000001/groundtruth.txt'
    rows = boxes.read_text().splitlines()
    boxes.write_text('\n'.join(['1,2,33,44', *rows[1:]]))
    np.testing.assert_allclose(
        np.diff(build().get_track(0).boxes[0].reshape(2, 2), axis=0), [[33, 44]]
    )
    for flag in ('absence', 'cover', 'cut_by_image'):
        path = boxes.with_name(f'{flag}.label')
        if path.exists():
            path.write_text(path.read_text() + '\n')
            build()
            break
    else:
        pytest.fail('the dataset has no flags')
    assert len(count_builds) == 3
    (boxes.parent / 'note.txt').touch()  # as an image that is added would
    build()
    build()
    assert len(count_builds) == 4


def test_files_written_where_the_program_runs_change_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_davis(tmp_path / 'data', {'a': [filled(1, 1, 5, 5)]})
    folder = tmp_path / 'index'
    DavisDataset('data/DAVIS', index_cache=str(folder))
    (path,) = folder.glob('*.index')
    first = path.stat().st_ino
    (tmp_path / 'work_dirs').mkdir()
    DavisDataset('data/DAVIS', index_cache=str(folder))
    assert [p.stat().st_ino for p in folder.glob('*.index')] == [first]


def test_broken_index_file_is_replaced(root, tmp_path, count_builds):
    folder = tmp_path / 'index'
    for _ in range(2):
        dataset = GOT10kDataset(root, split='val', index_cache=str(folder))
        (path,) = folder.glob('*.index')
        assert dataset.num_videos == 2
        path.write_bytes(path.read_bytes()[:-5])
    assert len(count_builds) == 2


def test_a_changed_byte_is_noticed(root, tmp_path, count_builds):
    folder = tmp_path / 'index'

    def build():
        return GOT10kDataset(root, split='val', index_cache=str(folder))

    boxes = build().get_track(1).boxes
    (path,) = folder.glob('*.index')
    content = bytearray(path.read_bytes())
    for position in (len(content) - 1, len(content) - 200, 40, 90):
        changed = content.copy()
        changed[position] ^= 4
        path.write_bytes(changed)
        np.testing.assert_array_equal(build().get_track(1).boxes, boxes)
    assert len(count_builds) == 5


def test_error_of_the_data_is_told_and_nothing_kept(root, tmp_path):
    (root / 'val/GOT-10k_Val_000001/groundtruth.txt').unlink()
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match=r'groundtruth\.txt does not exist'):
            GOT10kDataset(root, split='val', index_cache=str(tmp_path / 'index'))
    assert not list((tmp_path / 'index').glob('*.index'))


def test_folder_that_cannot_be_written_costs_the_cache_only(
    root, tmp_path, count_builds, caplog, monkeypatch
):
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handlers', [caplog.handler])
    (tmp_path / 'file').write_text('')
    dataset = GOT10kDataset(root, split='val', index_cache=str(tmp_path / 'file/index'))
    assert dataset.num_videos == 2
    assert dataset.get_track(1).video_name == 'GOT-10k_Val_000002'
    assert 'set index_cache to a folder that can be written' in caplog.text


def test_index_needs_serialized_data(root):
    with pytest.raises(ValueError, match='index_cache needs serialize_data=True'):
        GOT10kDataset(root, split='val', index_cache=True, serialize_data=False)


def test_subset_of_a_kept_index(root):
    dataset = GOT10kDataset(root, split='val', index_cache=True, test_mode=True)
    subset = dataset.get_subset([1])
    assert {f['video_name'] for f in subset} == {'GOT-10k_Val_000002'}
    assert len(pickle.dumps(subset)) > 0
    assert len(pickle.loads(pickle.dumps(subset))) == 4
    assert len(dataset) == 8


def test_copies_for_other_processes_hold_no_annotation(tmp_path):
    names = {f'clip{i}': ['1,2,3,4'] * 50 for i in range(20)}
    root = write_vot(tmp_path, dict(list(names.items())[:3]))
    plain, kept = VOTDataset(root), VOTDataset(root, index_cache=True)
    assert len(pickle.dumps(plain)) > plain.data_bytes.size
    assert len(pickle.dumps(kept)) < 4000
    copy = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(copy.get_track(2).boxes, plain.get_track(2).boxes)
    for path in (root / INDEX_FOLDER).glob('*.index'):
        path.unlink()
    with pytest.raises(RuntimeError, match='was changed or deleted while in use'):
        pickle.loads(pickle.dumps(kept))


def test_ready_index_skips_the_masks_of_first_frames(tmp_path):
    masks = [filled(1, 1, 5, 5), filled(2, 2, 6, 6)]
    root = write_davis(tmp_path, {'a': masks, 'b': masks})
    DavisDataset(root, test_mode=True, index_cache=True)
    for path in (root / 'Annotations/480p').glob('*/00000.png'):
        path.write_bytes(b'')
    dataset = DavisDataset(root, test_mode=True, index_cache=True)
    assert len(dataset) == 4


def _start_together(root, folder, barrier, path):
    load = GOT10kDataset.load_data_list

    def slow_load(self):
        with open(path, 'a') as file:
            file.write('x')
        time.sleep(0.3)
        return load(self)

    GOT10kDataset.load_data_list = slow_load
    barrier.wait(60)
    dataset = GOT10kDataset(root, split='val', index_cache=folder)
    os._exit(0 if dataset.num_videos == 2 else 1)


def test_processes_that_start_together_index_once(root, tmp_path):
    context = multiprocessing.get_context('fork')
    barrier, path = context.Barrier(3), tmp_path / 'builds.txt'
    arguments = (root, str(tmp_path / 'index'), barrier, path)
    processes = [context.Process(target=_start_together, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert path.read_text() == 'x'


def test_index_file_holds_no_pickle(root, tmp_path):
    GOT10kDataset(root, split='val', index_cache=str(tmp_path / 'index'))
    (path,) = (tmp_path / 'index').glob('*.index')
    content = path.read_bytes()
    entry = decode_track(open_index_file(path, json.loads(_fingerprint(content))).data)
    assert entry.video_name == 'GOT-10k_Val_000001'
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(content)


def _fingerprint(content):
    length = int.from_bytes(content[24:32], 'little')
    return json.dumps(json.loads(content[32 : 32 + length])[1])
