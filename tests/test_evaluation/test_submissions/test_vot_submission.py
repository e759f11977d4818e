"""VOT's result files of both protocols: written, read back, and checked."""

import shutil
from functools import partial

import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, filled, write_vot
from submission_cases import Case, spoil

from mmpolar.evaluation.functional import FrameState, pixel_overlap
from mmpolar.evaluation.submissions import read_run, time_lines, trajectory_lines
from mmpolar.evaluation.vot_runs import anchor_frames, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import (
    MaskRegion,
    Polygon,
    Rectangle,
    format_region,
    mask_to_region,
    parse_region,
)

LENGTH = 14
ANCHORS = [1, 0, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0]
TRUTH = [f'{2 + i},4,10,8' for i in range(LENGTH)]
OVERLAP = partial(pixel_overlap, size=(HEIGHT, WIDTH))


def start(frame):
    """A tracker without a state has nothing to start."""


def step(frame):
    """Right but for frame 3, where it loses the target."""
    return Rectangle(30, 24, 4, 4) if frame == 3 else Rectangle(2.5 + frame, 4, 10, 8)


def answer_kind(kind):
    """The same tracker with polygons or masks."""

    def answer(frame):
        box = step(frame)
        corners = np.array([[box.x, box.y], [box.x + 10, box.y], [box.x + 9, box.y + 8]])
        if kind == 'polygon':
            return Polygon(corners)
        x, y = int(box.x), int(box.y)
        mask = filled(x, y, x + 9, y + 7)
        return MaskRegion(0, 0, mask * 0) if frame == 3 else mask_to_region(mask)

    return answer


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    tags = {'anchor.value': ANCHORS}
    return write_vot(tmp_path_factory.mktemp('vot'), dict(ants=TRUTH, ball=TRUTH), tags)


def write_experiment(folder, runs):
    """The files of one sequence's runs, by their labels."""
    folder.mkdir(parents=True)
    for label, run in runs.items():
        name = f'{folder.name}_{label}'
        (folder / f'{name}.txt').write_text(trajectory_lines(run))
        (folder / f'{name}_time.value').write_text(time_lines(run))


@pytest.fixture
def reset(data_root, tmp_path):
    truth = [parse_region(row) for row in TRUTH]
    for sequence in ('ants', 'ball'):
        run = run_with_resets(truth, start, step, OVERLAP)
        write_experiment(tmp_path / 'reset' / sequence, {f'{i:03d}': run for i in (1, 2, 3)})
    return Case('vot_reset', data_root, tmp_path), tmp_path / 'reset'


@pytest.fixture
def anchored(data_root, tmp_path):
    truth = [parse_region(row) for row in TRUTH]
    for sequence in ('ants', 'ball'):
        runs = {
            f'{frames[0]:08d}': run_from_anchor(truth, frames, start, step, OVERLAP)
            for frames in anchor_frames(ANCHORS)
        }
        write_experiment(tmp_path / 'anchored' / sequence, runs)
    return Case('vot_anchor', data_root, tmp_path), tmp_path / 'anchored'


def test_a_run_with_a_failure_is_written_line_by_line():
    truth = [parse_region(row) for row in TRUTH]
    run = run_with_resets(truth, start, step, OVERLAP)
    lines = trajectory_lines(run).splitlines()
    assert lines[:9] == ['1', '3.5,4,10,8', '4.5,4,10,8', '2', '0', '0', '0', '0', '1']
    assert lines[9:] == [f'{2.5 + i},4,10,8' for i in range(9, LENGTH)]
    times = time_lines(run).splitlines()
    assert times[4:8] == ['', '', '', '']
    assert all(float(line) > 0 for line in times[:4] + times[8:])


@pytest.mark.parametrize('kind', ['box', 'polygon', 'mask'])
def test_runs_read_back(kind):
    truth = [parse_region(row) for row in TRUTH]
    answer = step if kind == 'box' else answer_kind(kind)
    runs = [run_with_resets(truth, start, answer, OVERLAP)]
    runs += [run_from_anchor(truth, f, start, answer, OVERLAP) for f in anchor_frames(ANCHORS)]
    for run in runs:
        read = read_run(trajectory_lines(run), time_lines(run), truth, OVERLAP, run.frames)
        np.testing.assert_array_equal(read.frames, run.frames)
        np.testing.assert_array_equal(read.states, run.states)
        np.testing.assert_allclose(read.seconds, run.seconds, atol=1e-8)
        np.testing.assert_array_equal(read.present, run.present)
        np.testing.assert_array_equal(read.overlaps, run.overlaps)
        for found, region, state in zip(read.regions, run.regions, run.states, strict=True):
            if state == FrameState.TRACKED:
                assert format_region(found) == format_region(region)
            else:
                assert found is None


def test_files_that_are_no_run_of_the_sequence_are_refused():
    truth = [parse_region(row) for row in TRUTH]
    with pytest.raises(ValueError, match='2 lines of regions and 1 of times for a run of 14'):
        read_run('1\n1,1,1,1\n', '0.1\n', truth, OVERLAP)
    with pytest.raises(ValueError, match='line 2: there is no code 3'):
        read_run('1\n3\n', '0.1\n0.1\n', truth[:2], OVERLAP)


def test_complete_experiments_have_no_fault(reset, anchored):
    for case, folder in (reset, anchored):
        names = {path.name for path in (folder / 'ants').iterdir()}
        assert len(names) == 6
        assert case.check(folder) == set()
    assert names == {
        f'ants_{anchor:08d}{end}' for anchor in (0, 5, 9) for end in ('.txt', '_time.value')
    }


def test_an_anchor_run_goes_backwards_to_the_first_frame(anchored):
    _, folder = anchored
    lines = (folder / 'ants/ants_00000009.txt').read_text().splitlines()
    assert lines == ['1', *(format_region(step(frame)) for frame in range(8, -1, -1))]


RESET_FAULTS = {
    'number of lines': lambda rows: rows[:-1],
    'malformed line': lambda rows: [*rows[:2], '1,2,3', *rows[3:]],
    'not finite': lambda rows: [*rows[:2], 'nan,4,10,8', *rows[3:]],
}
STATE_FAULTS = {
    'no start': lambda rows: ['2,4,10,8', *rows[1:]],
    'start too early': lambda rows: [*rows[:6], '1', *rows[7:]],
    'region while waiting': lambda rows: [*rows[:5], '2,4,10,8', *rows[6:]],
    'no start after a failure': lambda rows: [*rows[:8], '0', *rows[9:]],
    'skipped while tracking': lambda rows: [*rows[:10], '0', *rows[11:]],
    'unknown code': lambda rows: [*rows[:10], '7', *rows[11:]],
}


@pytest.mark.parametrize('fault', [*RESET_FAULTS, *STATE_FAULTS])
def test_a_fault_in_a_run_with_resets_is_found(reset, fault):
    case, folder = reset
    place = 'ants/ants_002.txt'
    kind = 'state' if fault in STATE_FAULTS else fault
    spoil(folder / place, (RESET_FAULTS | STATE_FAULTS)[fault])
    assert ('error', kind, place) in case.check(folder)
    # All runs alike, so that it is no longer the run that differs from the others.
    for run in (1, 3):
        shutil.copy(folder / place, folder / f'ants/ants_{run:03d}.txt')
    found = {issue for issue in case.check(folder) if 'value' not in issue[2]}
    assert found == {('error', kind, f'ants/ants_{run:03d}.txt') for run in (1, 2, 3)}


@pytest.mark.parametrize('code', ['0', '1', '2'])
def test_an_anchor_run_has_no_codes_but_the_first(anchored, code):
    case, folder = anchored
    spoil(folder / 'ball/ball_00000005.txt', lambda rows: [*rows[:3], code, *rows[4:]])
    found = {issue for issue in case.check(folder) if 'value' not in issue[2]}
    assert found == {('error', 'state', 'ball/ball_00000005.txt')}


@pytest.mark.parametrize(
    ('kind', 'rows'),
    [
        ('number of lines', ['0.1'] * 4 + [''] * 4 + ['0.1'] * 5),
        ('impossible time', ['0.1'] * 4 + [''] * 5 + ['0.1'] * 5),
        ('impossible time', ['0.1'] * 4 + [''] * 4 + ['0.1'] * 5 + ['nan']),
        ('impossible time', ['0'] + ['0.1'] * 3 + [''] * 4 + ['0.1'] * 6),
    ],
)
def test_a_fault_in_the_times_is_found(reset, kind, rows):
    case, folder = reset
    place = 'ball/ball_003_time.value'
    spoil(folder / place, lambda _: rows)
    assert case.check(folder) == {('error', kind, place)}


def test_missing_and_extra_files_are_found(reset, anchored):
    case, folder = reset
    (folder / 'ants/ants_003.txt').unlink()
    (folder / 'ball/ball_016.txt').write_text('1\n')
    assert case.check(folder) == {
        ('error', 'missing file', 'ants'),
        ('error', 'extra file', 'ball/ball_016.txt'),
    }
    case, folder = anchored
    shutil.rmtree(folder / 'ants')
    (folder / 'ball/ball_00000009_time.value').unlink()
    assert case.check(folder) == {
        ('error', 'missing sequence', 'ants'),
        ('error', 'missing file', 'ball'),
    }


def test_runs_that_differ_must_be_fifteen(reset):
    case, folder = reset
    files = {end: (folder / f'ants/ants_001{end}').read_text() for end in ('.txt', '_time.value')}
    other = files['.txt'].replace('3.5,4,10,8', '3,4,10,8')
    (folder / 'ants/ants_002.txt').write_text(other)
    assert case.check(folder) == {('error', 'number of runs', 'ants')}
    for run in range(4, 16):
        for end, text in files.items():
            (folder / f'ants/ants_{run:03d}{end}').write_text(text)
    assert case.check(folder) == set()
    (folder / 'ants/ants_015_time.value').unlink()
    assert case.check(folder) == {('error', 'missing file', 'ants')}


def test_a_data_set_without_anchors_is_said_to_have_none(tmp_path):
    case = Case('vot_anchor', write_vot(tmp_path, dict(ants=TRUTH)), tmp_path)
    (tmp_path / 'baseline').mkdir()
    with pytest.raises(ValueError, match='anchor.value'):
        case.check(tmp_path / 'baseline')
