"""GOT-10k, TrackingNet and LaSOT: what is written, and what the check finds."""

import shutil

import numpy as np
import pytest
from benchmark_folders import corners, moving_boxes
from submission_cases import LENGTH, answer_boxes, measured, spoil

from mmpolar.datasets.sequence_files import read_boxes

GOT = 'GOT-10k_Test_000001'


def test_got10k_has_boxes_and_measured_times_in_a_folder_a_sequence(got10k):
    names = [f'GOT-10k_Test_{number:06d}' for number in (1, 2)]
    expected = {f'{n}/{n}_{kind}.txt' for n in names for kind in ('001', 'time')}
    assert set(got10k.files()) == expected
    times = got10k.files()[f'{GOT}/{GOT}_time.txt'].decode().splitlines()
    assert times == ['0.01000000', '0.01100000', '0.01200000', '0.01300000', '0.01400000']
    assert got10k.check() == set()


@pytest.mark.parametrize('case', ['got10k', 'trackingnet', 'lasot'])
def test_boxes_read_back_as_the_benchmark_reads_them(case, request):
    case = request.getfixturevalue(case)
    truth = np.array([corners(box) for box in moving_boxes(LENGTH)])
    folder = case.unpack()
    found = sorted(path for path in folder.rglob('*.txt') if 'time' not in path.name)
    assert len(found) == 2
    for path in found:
        np.testing.assert_allclose(read_boxes(path), truth + 0.25, atol=1e-4)


def test_trackingnet_and_lasot_have_a_file_a_video_and_no_folder(trackingnet, lasot):
    assert set(trackingnet.files()) == {'a_0.txt', 'b_1.txt'}
    assert set(lasot.files()) == {'boat-2.txt', 'cat-7.txt'}
    assert trackingnet.files()['a_0.txt'].startswith(b'3.2500,4.2500,10.0000,8.0000\n')
    assert trackingnet.check() == set()
    assert lasot.check() == set()


def test_a_lost_target_is_a_box_without_area_and_noted(trackingnet, tmp_path):
    case = type(trackingnet)('trackingnet', trackingnet.data_root, tmp_path)
    case.submit(lambda f: (None, 0, None) if f['frame_id'] == 3 else answer_boxes(f))
    assert case.files()['b_1.txt'].decode().splitlines()[3] == '0.0000,0.0000,0.0000,0.0000'
    assert case.check() == {
        ('note', 'empty box', 'a_0.txt'),
        ('note', 'empty box', 'b_1.txt'),
    }


def test_got10k_refuses_results_without_times(got10k, tmp_path):
    case = type(got10k)('got10k', got10k.data_root, tmp_path)
    with pytest.raises(ValueError, match=f'{GOT} have no measured time in 5 of 5 frames'):
        case.submit(answer_boxes)
    assert not case.archive.exists()


def test_one_untimed_frame_is_enough_to_refuse(got10k, tmp_path):
    case = type(got10k)('got10k', got10k.data_root, tmp_path)
    with pytest.raises(ValueError, match='in 1 of 5 frames'):
        case.submit(answer_boxes, lambda f: float('nan') if f['frame_id'] == 2 else measured(f))


BOX_FAULTS = {
    'number of lines': lambda rows: rows[:-1],
    'malformed line': lambda rows: [*rows[:2], rows[2].replace(',', ' '), *rows[3:]],
    'not finite': lambda rows: [*rows[:3], 'nan,4,10,8', rows[4]],
    'negative size': lambda rows: [*rows[:3], '5,4,-10,8', rows[4]],
    'first box': lambda rows: ['13,4,10,8', *rows[1:]],
}


@pytest.mark.parametrize('kind', BOX_FAULTS)
@pytest.mark.parametrize('case', ['got10k', 'trackingnet', 'lasot'])
def test_a_fault_in_a_box_file_is_found(case, kind, request):
    case = request.getfixturevalue(case)
    folder = case.unpack()
    path = sorted(path for path in folder.rglob('*.txt') if 'time' not in path.name)[1]
    spoil(path, BOX_FAULTS[kind])
    assert case.check(folder) == {('error', kind, path.relative_to(folder).as_posix())}


def test_corners_instead_of_sizes_are_noticed_in_the_first_box(lasot):
    """x1,y1,x2,y2 of a target far from the origin."""
    folder = lasot.unpack()
    given = lasot.dataset.get_track(0).boxes[0]
    assert given.tolist() == [2.5, 3.5, 12.5, 11.5]
    spoil(folder / 'boat-2.txt', lambda rows: ['3,4,13,12', *rows[1:]])
    assert lasot.check(folder) == set()  # overlap 0.51: near the origin both readings are close
    spoil(folder / 'boat-2.txt', lambda rows: ['3,4,20,12', *rows[1:]])
    assert lasot.check(folder) == {('error', 'first box', 'boat-2.txt')}


TIME_FAULTS = {
    ('error', 'number of lines'): lambda rows: rows[:2],
    ('error', 'malformed line'): lambda rows: [f'{row},{row}' for row in rows],
    ('error', 'not finite'): lambda rows: [*rows[:4], 'nan'],
    ('error', 'impossible time'): lambda rows: [*rows[:4], '0'],
    ('note', 'constant time'): lambda rows: ['0.033'] * len(rows),
}


@pytest.mark.parametrize(('level', 'kind'), TIME_FAULTS)
def test_a_fault_in_the_times_is_found(got10k, level, kind):
    folder = got10k.unpack()
    spoil(folder / GOT / f'{GOT}_time.txt', TIME_FAULTS[level, kind])
    assert got10k.check(folder) == {(level, kind, f'{GOT}/{GOT}_time.txt')}


def test_missing_times_boxes_and_sequences_are_told_apart(got10k):
    folder = got10k.unpack()
    (folder / GOT / f'{GOT}_time.txt').unlink()
    assert got10k.check(folder) == {('error', 'missing file', GOT)}
    shutil.rmtree(folder / 'GOT-10k_Test_000002')
    assert got10k.check(folder) == {
        ('error', 'missing file', GOT),
        ('error', 'missing sequence', 'GOT-10k_Test_000002'),
    }


def test_further_runs_need_a_column_of_times_each(got10k):
    folder = got10k.unpack()
    first = folder / GOT / f'{GOT}_001.txt'
    shutil.copy(first, first.with_name(f'{GOT}_002.txt'))
    times = folder / GOT / f'{GOT}_time.txt'
    assert got10k.check(folder) == {('error', 'malformed line', f'{GOT}/{GOT}_time.txt')}
    spoil(times, lambda rows: [f'{row},0.5' for row in rows])
    assert got10k.check(folder) == set()
    first.with_name(f'{GOT}_002.txt').rename(first.with_name(f'{GOT}_003.txt'))
    assert got10k.check(folder) == {('error', 'missing file', GOT)}


def test_a_file_whose_name_holds_another_is_in_the_way(trackingnet):
    """TrackingNet's server takes a video with two such files for one without any."""
    folder = trackingnet.unpack()
    shutil.copy(folder / 'a_0.txt', folder / 'old_a_0.txt')
    assert trackingnet.check(folder) == {('error', 'extra file', 'old_a_0.txt')}


def test_binary_rubbish_is_no_text(lasot):
    folder = lasot.unpack()
    (folder / 'cat-7.txt').write_bytes(b'\xff\xfe\x00')
    assert lasot.check(folder) == {('error', 'no text', 'cat-7.txt')}


def test_everything_is_found_at_once(got10k):
    folder = got10k.unpack()
    boxes = f'{GOT}/{GOT}_001.txt'
    spoil(folder / boxes, lambda rows: ['a,b,c,d', 'inf,1,1,1', *rows[2:4]])
    (folder / GOT / f'{GOT}_time.txt').write_text('0.1\n-1\n0.1\n0.1\n')
    (folder / '.DS_Store').write_bytes(b'x')
    second = 'GOT-10k_Test_000002'
    (folder / second / f'{second}_001.txt').unlink()
    assert got10k.check(folder) == {
        ('error', 'number of lines', boxes),
        ('error', 'malformed line', boxes),
        ('error', 'not finite', boxes),
        ('error', 'number of lines', f'{GOT}/{GOT}_time.txt'),
        ('error', 'impossible time', f'{GOT}/{GOT}_time.txt'),
        ('error', 'missing file', second),
        ('error', 'extra file', '.DS_Store'),
    }
