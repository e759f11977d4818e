"""tools/submissions as a user runs it."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from benchmark_folders import write_davis, write_lasot, write_vot
from mmengine.logging import MMLogger
from scripts import load_script
from small_export import CONFIG, small_tracker
from submission_cases import LENGTH, ONE, TWO, Case, answer_boxes, answer_masks

from mmpolar.evaluation.submissions import BENCHMARKS, build_expected_dataset

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'submissions'


@pytest.fixture(scope='module')
def load():
    """Loads a script."""
    return lambda name: load_script(TOOLS / f'{name}.py').main


@pytest.fixture(scope='module')
def make(load):
    return load('make_submission')


@pytest.fixture(scope='module')
def check(load):
    return load('check_submission')


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    root = tmp_path_factory.mktemp('davis')
    lists = {'2017/val.txt': ['two', 'one'], '2016/val.txt': ['one'], 'mine.txt': ['two']}
    case = Case('davis2017', write_davis(root, dict(two=TWO, one=ONE), lists), root)
    case.submit(answer_masks)
    return case


@pytest.fixture(scope='module')
def lasot(tmp_path_factory):
    root = tmp_path_factory.mktemp('lasot')
    data = write_lasot(root, ['boat-1'], LENGTH, lists={'testing_set.txt': ['boat-1']})
    case = Case('lasot', data, root)
    case.submit(answer_boxes)
    return case


def words(*parts) -> list[str]:
    return [str(part) for part in parts]


def test_results_become_the_submission_that_the_metric_makes(make, davis, tmp_path, capsys):
    out = tmp_path / 'new/davis.zip'
    assert make(words('davis2017', davis.results, davis.data_root, '--out', out)) == 0
    assert out.read_bytes() == davis.archive.read_bytes()
    assert f'0 errors, 0 notes\nwrote {out}' in capsys.readouterr().out


def test_options_choose_the_sequences(make, davis, tmp_path):
    arguments = words('davis2017', davis.results, davis.data_root, '--out', tmp_path / 'x.zip')
    assert make([*arguments, '--options', 'ann_file=ImageSets/mine.txt']) == 0
    with zipfile.ZipFile(tmp_path / 'x.zip') as archive:
        assert archive.namelist() == [f'two/{i:05d}.png' for i in range(LENGTH)]


def test_a_folder_may_be_written_and_is_not_written_over(make, lasot, tmp_path, capsys):
    out = tmp_path / 'mine_tracking_result'
    arguments = words('lasot', lasot.results, lasot.data_root, '--out', out)
    assert make(arguments) == 0
    assert [path.name for path in out.iterdir()] == ['boat-1.txt']
    assert make(arguments) == 2
    assert 'is not an empty folder' in capsys.readouterr().err


def test_what_cannot_be_made_is_said_in_one_line(make, lasot, davis, tmp_path, capsys):
    out = tmp_path / 'x.zip'
    assert make(words('lasot', tmp_path, lasot.data_root, '--out', out)) == 2
    assert 'holds no results' in capsys.readouterr().err
    assert make(words('lasot', davis.results, lasot.data_root, '--out', out)) == 2
    assert 'lack 1 of 1 videos: boat-1' in capsys.readouterr().err
    for arguments, message in (
        (('lasot', lasot.results, tmp_path, '--out', out), 'the dataset cannot be read'),
        (('vot_reset', lasot.results, lasot.data_root, '--out', out), "no benchmark 'vot_reset'"),
        (
            ('lasot', lasot.results, lasot.data_root, '--out', out, '--foreground', 255),
            'for davis2016 only',
        ),
    ):
        assert make(words(*arguments)) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        make(words('lasot', lasot.results, lasot.data_root))
    assert 'required: --out' in capsys.readouterr().err
    assert not out.exists()


def test_the_foreground_of_davis2016_can_be_chosen(make, check, davis, tmp_path):
    case = Case('davis2016', davis.data_root, tmp_path)
    case.submit(answer_masks)
    out = tmp_path / 'x.zip'
    arguments = words('davis2016', case.results, davis.data_root, '--out', out)
    assert make([*arguments, '--foreground', '255']) == 0
    assert check(words('davis2016', out, davis.data_root, '--foreground', '255')) == 0
    assert check(words('davis2016', out, davis.data_root)) == 1


def test_the_check_lists_everything_and_says_so_in_its_exit_code(check, lasot, tmp_path, capsys):
    assert check(words('lasot', lasot.archive, lasot.data_root)) == 0
    folder = tmp_path / 'spoilt'
    shutil.unpack_archive(lasot.archive, folder)
    lines = (folder / 'boat-1.txt').read_text().splitlines()
    lines[2:4] = ['nan,1,1,1', '3,4,0,8']
    (folder / 'boat-1.txt').write_text('\n'.join(lines[:-1]))
    (folder / 'boat-9.txt').write_text('')
    report = tmp_path / 'report.json'
    capsys.readouterr()
    assert check(words('lasot', folder, lasot.data_root, '--json', report)) == 1
    printed = capsys.readouterr().out
    assert 'ERROR number of lines: boat-1.txt: 4 lines for 5 frames' in printed
    assert '3 errors, 0 notes' in printed
    kinds = [issue['kind'] for issue in json.loads(report.read_text())]
    assert sorted(kinds) == ['extra file', 'not finite', 'number of lines']


def test_notes_are_printed_if_wanted(check, lasot, tmp_path, capsys):
    (tmp_path / 'boat-1.txt').write_text('3,4,10,8\n' * 4 + '3,4,0,8\n')
    capsys.readouterr()
    assert check(words('lasot', tmp_path, lasot.data_root)) == 0
    assert 'empty box:' not in capsys.readouterr().out
    assert check(words('lasot', tmp_path, lasot.data_root, '--notes')) == 0
    assert 'NOTE  empty box: boat-1.txt: boxes without area in lines 5' in capsys.readouterr().out


def test_the_check_refuses_what_is_not_there(check, lasot, tmp_path, capsys):
    assert check(words('lasot', tmp_path / 'nothing.zip', lasot.data_root)) == 2
    assert 'there is no submission at' in capsys.readouterr().err


def test_every_benchmark_knows_its_data_set(davis):
    """The default options fit the classes, which refuse those that they do not know."""
    for name, build in BENCHMARKS.items():
        options = dict(lazy_init=True)
        dataset = build_expected_dataset(build(), str(davis.data_root), options)
        assert dataset.data_root == str(davis.data_root), name


# run_vot.py


@pytest.fixture(scope='module')
def vot(tmp_path_factory):
    """Two short sequences, and the weights of a small tracker."""
    root = tmp_path_factory.mktemp('vot')
    rows = [f'{8 + i},6,14,12' for i in range(7)]
    data = write_vot(root, dict(ants=rows, ball=rows[:4]), {'anchor.value': [1, 0, 0, -1]})
    weights = dict(state_dict=small_tracker().model.state_dict(), meta={})
    torch.save(weights, root / 'weights.pth')
    return data, root / 'weights.pth'


@pytest.mark.parametrize(('protocol', 'region'), [('reset', 'box'), ('anchor', 'mask')])
def test_a_tracker_runs_in_both_protocols(load, check, vot, protocol, region, tmp_path, capsys):
    data, weights = vot
    out = tmp_path / 'results/Small/baseline'
    arguments = words(
        CONFIG, weights, data, '--protocol', protocol, '--out', out, '--region', region
    )
    assert load('run_vot')(arguments) == 0
    labels = ('001', '002', '003') if protocol == 'reset' else ('00000000', '00000003')
    wanted = {f'ants_{label}{end}' for label in labels for end in ('.txt', '_time.value')}
    assert {path.name for path in (out / 'ants').iterdir()} == wanted
    lines = (out / f'ants/ants_{labels[0]}.txt').read_text().splitlines()
    assert lines[0] == '1'
    assert lines[1].startswith('m') == (region == 'mask')
    assert check(words(f'vot_{protocol}', out, data)) == 0


def test_runs_that_are_there_are_kept_and_scored(load, vot, tmp_path):
    data, weights = vot
    arguments = words(CONFIG, weights, data, '--protocol', 'anchor', '--out', tmp_path)
    assert load('run_vot')(arguments) == 0
    kept = tmp_path / 'ants/ants_00000000_time.value'
    stamp = kept.stat().st_mtime_ns
    lost = tmp_path / 'ball/ball_00000003.txt'
    lost.unlink()
    log = tmp_path.parent / f'{tmp_path.name}.log'
    MMLogger.get_instance(log.stem, log_file=str(log))
    assert load('run_vot')([*arguments, '--year', '2022']) == 0
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == stamp
    table = log.read_text()
    assert all(word in table for word in ('accuracy', 'robustness', 'ants', 'ball', 'mean'))


def test_protocol_and_year_must_fit(load, vot, tmp_path, capsys):
    data, weights = vot
    arguments = words(CONFIG, weights, data, '--protocol', 'reset', '--out', tmp_path)
    with pytest.raises(SystemExit) as stopped:
        load('run_vot')([*arguments, '--year', '2022'])
    assert stopped.value.code == 2
    assert 'year of the reset-based protocol must be one of' in capsys.readouterr().err
    assert (
        load('run_vot')(
            words(CONFIG, weights, tmp_path / 'x', '--protocol', 'reset', '--out', tmp_path)
        )
        == 2
    )
    assert 'does not exist' in capsys.readouterr().err
